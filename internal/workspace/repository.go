package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// The oldest git that has merge-tree --write-tree.
const (
	oldestMajor = 2
	oldestMinor = 38
)

// Options say how a repository is worked with.
type Options struct {
	// Data is the folder below which workspaces, indexes, pools and locks have to lie. Nothing outside of it is ever
	// written or removed, apart from the repository's own refs and objects. Empty = none can be made.
	Data    string
	Git     string        // the git program; empty = git on PATH
	Environ []string      // what git is given, before it is cleaned; nil = our own environment
	Observe func(Command) // told every git command after it ran, from any goroutine; nil = nobody
	// Fence is asked before a ref is moved and before a folder is made or removed; an error keeps that from happening.
	// It is how a process that was frozen finds out that another one has taken its place. nil = nobody can.
	Fence func(ctx context.Context) error
}

// Repository is the user's repository as a run works with it. Safe for concurrent use.
type Repository struct {
	git     *git
	root    string // top folder of the checkout it was opened from
	gitDir  string // of that checkout
	common  string // shared by all checkouts
	format  string // sha1 or sha256
	data    string
	environ []string
	fence   func(ctx context.Context) error

	identityOnce sync.Once
	identity     []string
	identityErr  error

	followed sync.Map // ref → where Mirror put it last

	attributesMu   sync.Mutex
	attributesTree string // the tree that attributesDir was made for
	attributesDir  string
}

// Open finds the repository that dir lies in. The errors are ErrGitMissing, ErrGitTooOld, ErrNotRepository, ErrUnsafe
// and ErrBare, with hints; a repository without commits can be opened, and Head then says ErrNoCommits.
func Open(ctx context.Context, dir string, o Options) (*Repository, error) {
	const op = "open the repository"
	g, err := newGit(o.Git, o.Environ, o.Observe)
	if err != nil {
		return nil, err
	}
	if err := g.checkVersion(ctx); err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	if st, err := os.Stat(dir); err != nil {
		return nil, &Error{Op: op, Kind: ErrNotRepository, Err: err}
	} else if !st.IsDir() {
		return nil, &Error{Op: op, Kind: ErrNotRepository, Err: fmt.Errorf("%s is not a folder", dir)}
	}
	// The last of what is asked for is the one that can fail where there is a repository; the others are said before.
	out, err := g.run(ctx, call{dir: dir, config: [][2]string{{"safe.bareRepository", "all"}}, args: []string{
		"rev-parse", "--is-bare-repository", "--is-inside-work-tree", "--show-object-format", "--path-format=absolute",
		"--git-dir", "--git-common-dir", "--show-toplevel",
	}})
	f := strings.SplitN(line(out), "\n", 6)
	switch {
	case len(f) >= 5 && f[1] != "true":
		hint := "work in a checkout of it: git worktree add ../checkout"
		if f[0] != "true" {
			hint = "this is inside of its .git folder; go to the checkout"
		}
		return nil, &Error{Op: op, Kind: ErrBare, Err: errors.New(dir), Hint: hint}
	case err != nil:
		return nil, openError(op, dir, err)
	case len(f) != 6:
		return nil, &Error{Op: op, Err: fmt.Errorf("git rev-parse said %q", out)}
	}
	r := &Repository{git: g, root: f[5], gitDir: f[3], common: f[4], format: f[2], environ: o.Environ, fence: o.Fence}
	if r.common, err = filepath.EvalSymlinks(r.common); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	if o.Data != "" {
		if r.data, err = filepath.Abs(o.Data); err != nil {
			return nil, &Error{Op: op, Err: err}
		}
	}
	return r, nil
}

// With is the same repository worked with in another way, without asking git again what and where it is.
func (r *Repository) With(o Options) (*Repository, error) {
	g, err := newGit(o.Git, o.Environ, o.Observe)
	if err != nil {
		return nil, err
	}
	other := &Repository{
		git: g, root: r.root, gitDir: r.gitDir, common: r.common, format: r.format, environ: o.Environ, fence: o.Fence,
	}
	if o.Data != "" {
		if other.data, err = filepath.Abs(o.Data); err != nil {
			return nil, &Error{Op: "open the repository", Err: err}
		}
	}
	return other, nil
}

// updateRefs runs git update-ref, unless this process was replaced meanwhile.
func (r *Repository) updateRefs(ctx context.Context, c call) error {
	if err := r.fenced(ctx); err != nil {
		return err
	}
	c.writes = true
	_, err := r.run(ctx, c)
	return err
}

// fenced is an error when another process has taken the place of this one.
func (r *Repository) fenced(ctx context.Context) error {
	if r.fence == nil {
		return nil
	}
	return r.fence(ctx)
}

// openError tells apart why git saw no repository. Git's exit code is 128 for all of it, so its fixed English
// sentence decides which hint is given, and nothing else.
func openError(op, dir string, err error) error {
	if c := (*CommandError)(nil); errors.As(err, &c) {
		switch {
		case strings.Contains(c.Stderr, "dubious ownership"):
			return &Error{
				Op: op, Kind: ErrUnsafe, Err: err,
				Hint: "if you trust it: git config --global --add safe.directory " + dir,
			}
		case strings.Contains(c.Stderr, "not a git repository"):
			return &Error{
				Op: op, Kind: ErrNotRepository, Err: errors.New(dir),
				Hint: "go to a checkout, or make one: git init && git add -A && git commit -m start",
			}
		case strings.Contains(c.Stderr, "must be run in a work tree"):
			return &Error{Op: op, Kind: ErrBare, Err: errors.New(dir), Hint: "work in a checkout of it"}
		}
	}
	return &Error{Op: op, Err: err}
}

// checkVersion reads git's version.
func (g *git) checkVersion(ctx context.Context) error {
	const op = "find git"
	out, err := g.run(ctx, call{args: []string{"version"}})
	if err != nil {
		return &Error{Op: op, Kind: ErrGitMissing, Err: err}
	}
	major, minor, ok := parseVersion(line(out))
	if !ok {
		return &Error{Op: op, Kind: ErrGitTooOld, Err: fmt.Errorf("cannot read the version from %q", line(out))}
	}
	if major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return &Error{
			Op: op, Kind: ErrGitTooOld, Err: fmt.Errorf("version %d.%d at %s", major, minor, g.program),
			Hint: fmt.Sprintf("install git %d.%d or newer", oldestMajor, oldestMinor),
		}
	}
	return nil
}

// parseVersion reads "git version 2.39.5 (Apple Git-154)" and its like.
func parseVersion(s string) (major, minor int, ok bool) {
	s, found := strings.CutPrefix(s, "git version ")
	if !found {
		return 0, 0, false
	}
	parts := strings.SplitN(s, ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return 0, 0, false
	}
	digits := parts[1]
	if i := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' }); i >= 0 {
		digits = digits[:i]
	}
	minor, err = strconv.Atoi(digits)
	return major, minor, err == nil
}

// Root is the top folder of the checkout that the repository was opened from.
func (r *Repository) Root() string { return r.root }

// CommonDir is the git folder that all checkouts of the repository share.
func (r *Repository) CommonDir() string { return r.common }

// ObjectFormat is sha1 or sha256.
func (r *Repository) ObjectFormat() string { return r.format }

// plumbing is a command on refs and objects alone: it does not even read the user's index.
func (r *Repository) plumbing(args ...string) call {
	return call{args: args, dir: r.common, gitDir: r.common, index: filepath.Join(r.common, "orc", "no-index")}
}

// inCheckout is a command on the user's own checkout.
func (r *Repository) inCheckout(args ...string) call {
	return call{args: args, dir: r.root, gitDir: r.gitDir, workTree: r.root}
}

// inWorkspace is a command on a workspace's files with a private index.
func (r *Repository) inWorkspace(dir, index string, args ...string) call {
	return call{args: args, dir: dir, gitDir: r.common, workTree: dir, index: index}
}

// run runs a command.
func (r *Repository) run(ctx context.Context, c call) ([]byte, error) { return r.git.run(ctx, c) }

// object is what cat-file says about a name.
type object struct {
	ID   string // empty = missing
	Type string
}

// objects looks names up, all in one command. The names are full refs or ids, possibly with a suffix like ^{tree}.
func (r *Repository) objects(ctx context.Context, names ...string) ([]object, error) {
	c := r.plumbing("cat-file", "--batch-check=%(objectname) %(objecttype)")
	c.stdin = strings.NewReader(strings.Join(names, "\n") + "\n")
	out, err := r.run(ctx, c)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(line(out), "\n")
	if len(lines) != len(names) {
		return nil, fmt.Errorf("git cat-file gave %d lines for %d names", len(lines), len(names))
	}
	found := make([]object, len(names))
	for i, l := range lines {
		id, typ, ok := strings.Cut(l, " ")
		if ok && checkID(id) == nil && typ != "missing" {
			found[i] = object{ID: id, Type: typ}
		}
	}
	return found, nil
}

// author is the identity for commits of ours: the user's, or one of our own when there is none.
func (r *Repository) author(ctx context.Context) ([]string, error) {
	r.identityOnce.Do(func() {
		name, mail := r.environment("GIT_AUTHOR_NAME"), r.environment("GIT_AUTHOR_EMAIL")
		if name == "" || mail == "" {
			out, err := r.run(ctx, r.inCheckout("config", "-z", "--get-regexp", `^(user|author)\.(name|email)$`))
			if err != nil && exitCode(err) != 1 {
				r.identityErr = fmt.Errorf("read the user's identity: %w", err)
				return
			}
			found := map[string]string{}
			for _, kv := range fields(out) {
				k, v, _ := strings.Cut(kv, "\n")
				found[k] = v
			}
			name = first(name, found["author.name"], found["user.name"], "Orchestrator")
			mail = first(mail, found["author.email"], found["user.email"], "orc@localhost")
		}
		r.identity = []string{
			"GIT_AUTHOR_NAME=" + name, "GIT_AUTHOR_EMAIL=" + mail, "GIT_COMMITTER_NAME=" + name, "GIT_COMMITTER_EMAIL=" + mail,
		}
	})
	return r.identity, r.identityErr
}

func (r *Repository) environment(name string) string {
	if r.environ == nil {
		return os.Getenv(name)
	}
	value := ""
	for _, kv := range r.environ {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			value = v
		}
	}
	return value
}

func first(values ...string) string {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}

// commit makes a commit object.
func (r *Repository) commit(ctx context.Context, tree, message string, parents ...string) (string, error) {
	who, err := r.author(ctx)
	if err != nil {
		return "", err
	}
	args := []string{"commit-tree", "-F", "-"}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	c := r.plumbing(append(args, tree)...)
	c.env, c.stdin, c.writes = who, strings.NewReader(strings.ToValidUTF8(message, "�")), true
	out, err := r.run(ctx, c)
	if err != nil {
		return "", err
	}
	id := line(out)
	return id, checkID(id)
}
