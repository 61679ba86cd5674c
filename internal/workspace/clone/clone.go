// Package clone makes workspaces that are private clones of the repository: they borrow its objects and share nothing
// else. An agent's stash, configuration, hooks, branches, garbage collection and pushes end in its own folder.
package clone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"orchestrator/internal/workspace"
)

// mostTags is the size of the list of tags above which clones go without.
const mostTags = 1 << 20

// Clone is the driver. Make it with New.
type Clone struct {
	repository *workspace.Repository

	mu     sync.Mutex
	frozen *settings // read once: every clone of a run is alike
}

// settings are what all clones have in common.
type settings struct {
	config string
	tags   []byte
}

var _ workspace.Driver = (*Clone)(nil)

// New gives the driver for a repository.
func New(r *workspace.Repository) *Clone { return &Clone{repository: r} }

// Name is "clone".
func (*Clone) Name() string { return "clone" }

// Create makes a clone at s.Dir.
func (c *Clone) Create(ctx context.Context, s workspace.Spec) error {
	common, err := c.settings(ctx)
	if err != nil {
		return err
	}
	if err := c.repository.Fill(ctx, s); err != nil {
		return err
	}
	if err := c.makeGit(s, common); err != nil {
		return fmt.Errorf("make the clone of %s: %w", s.Task, err)
	}
	return c.repository.Complete(s)
}

// Strip removes the clone's .git.
func (c *Clone) Strip(_ context.Context, s workspace.Spec) error {
	return c.repository.RemoveAll(filepath.Join(s.Dir, ".git"))
}

// Remove deletes the clone.
func (c *Clone) Remove(_ context.Context, s workspace.Spec) error { return c.repository.Discard(s) }

func (c *Clone) settings(ctx context.Context) (*settings, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen != nil {
		return c.frozen, nil
	}
	list, err := c.repository.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	tags, err := c.repository.PackedTags(ctx)
	if err != nil {
		return nil, err
	}
	if len(tags) > mostTags {
		tags = nil
	}
	c.frozen = &settings{config: configText(c.repository.ObjectFormat(), list), tags: tags}
	return c.frozen, nil
}

// makeGit writes the .git of a clone: what git init and clone --shared would write, without a remote.
func (c *Clone) makeGit(s workspace.Spec, common *settings) error {
	top := filepath.Join(s.Dir, ".git")
	for _, dir := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags", "info"} {
		if err := os.MkdirAll(filepath.Join(top, filepath.FromSlash(dir)), 0o777); err != nil {
			return err
		}
	}
	branch := "refs/heads/" + c.repository.BranchName(s.Task)
	files := map[string][]byte{
		"config":                  []byte(common.config),
		"objects/info/alternates": []byte(c.repository.Alternates()),
		branch:                    []byte(s.Base + "\n"),
		"HEAD":                    []byte("ref: " + branch + "\n"),
		"description":             []byte("Workspace of task " + s.Task + "\n"),
	}
	if common.tags != nil {
		files["packed-refs"] = common.tags
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(top, filepath.FromSlash(name)), content, 0o666); err != nil {
			return err
		}
	}
	for _, name := range []string{"info/exclude", "info/attributes", "shallow"} {
		err := copyTo(filepath.Join(top, filepath.FromSlash(name)), filepath.Join(c.repository.CommonDir(), filepath.FromSlash(name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return copyTo(filepath.Join(top, "index"), c.repository.PartialIndex(s))
}

func copyTo(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// configText is a configuration file.
func configText(format string, list []workspace.Setting) string {
	var b strings.Builder
	b.WriteString("[core]\n\trepositoryformatversion = ")
	if format == "sha1" {
		b.WriteString("0\n\tbare = false\n\tlogallrefupdates = true\n")
	} else {
		fmt.Fprintf(&b, "1\n\tbare = false\n\tlogallrefupdates = true\n[extensions]\n\tobjectformat = %s\n", format)
	}
	b.WriteString("[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n")
	for _, s := range list {
		first, last := strings.IndexByte(s.Key, '.'), strings.LastIndexByte(s.Key, '.')
		if first < 0 {
			continue
		}
		if first == last {
			fmt.Fprintf(&b, "[%s]\n", s.Key[:first])
		} else {
			fmt.Fprintf(&b, "[%s \"%s\"]\n", s.Key[:first], strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s.Key[first+1:last]))
		}
		value := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s.Value)
		fmt.Fprintf(&b, "\t%s = \"%s\"\n", s.Key[last+1:], value)
	}
	return b.String()
}
