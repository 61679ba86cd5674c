package workspace

import (
	"context"
	"slices"
	"strings"
)

// shared are the settings of the user's own repository that a private clone gets too, as names and as first parts of
// names. Everything else stays away from it: remotes and credentials above all.
var (
	shared = []string{
		"core.autocrlf", "core.eol", "core.safecrlf", "core.filemode", "core.ignorecase", "core.symlinks",
		"core.precomposeunicode", "core.attributesfile", "core.excludesfile", "core.whitespace", "core.commentchar",
		"core.longpaths", "core.abbrev", "commit.cleanup",
	}
	sharedSections = []string{"user.", "author.", "committer.", "filter.", "diff.", "merge.", "format."}
)

// Setting is one value of git's configuration; Key is section.name or section.subsection.name.
type Setting struct{ Key, Value string }

// Configuration gives the settings that belong into a private clone of the repository, in order. They include an
// identity of ours when the user has none, so that an agent can commit.
func (r *Repository) Configuration(ctx context.Context) ([]Setting, error) {
	out, err := r.run(ctx, r.inCheckout("config", "--local", "--includes", "-z", "--list"))
	if err != nil {
		return nil, &Error{Op: "read the repository's configuration", Err: err}
	}
	var list []Setting
	for _, f := range fields(out) {
		key, value, valued := strings.Cut(f, "\n")
		if !valued {
			value = "true" // a name alone
		}
		in := func(prefix string) bool { return strings.HasPrefix(key, prefix) }
		if slices.Contains(shared, key) || slices.ContainsFunc(sharedSections, in) {
			list = append(list, Setting{key, value})
		}
	}
	out, err = r.run(ctx, r.inCheckout("config", "-z", "--get-all", "user.email"))
	if err != nil && exitCode(err) != 1 {
		return nil, &Error{Op: "read the user's identity", Err: err}
	}
	if len(out) == 0 {
		who, err := r.author(ctx)
		if err != nil {
			return nil, err
		}
		list = append(list, Setting{"user.name", strings.TrimPrefix(who[0], "GIT_AUTHOR_NAME=")},
			Setting{"user.email", strings.TrimPrefix(who[1], "GIT_AUTHOR_EMAIL=")})
	}
	return list, nil
}

// PackedTags gives the repository's tags in the form of git's packed-refs file. Builds read versions from them.
func (r *Repository) PackedTags(ctx context.Context) ([]byte, error) {
	out, err := r.run(ctx, r.plumbing("for-each-ref", "--format=%(objectname) %(refname)%(if)%(*objectname)%(then)%0a^%(*objectname)%(end)", "refs/tags"))
	if err != nil {
		return nil, &Error{Op: "read the tags", Err: err}
	}
	return append([]byte("# pack-refs with: peeled fully-peeled sorted \n"), out...), nil
}
