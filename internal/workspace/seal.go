package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"orchestrator/internal/fault"
)

// SealSpec says what is saved and as what.
type SealSpec struct {
	Run     string
	Task    string
	Number  int    // of the attempt; 1 or more
	Dir     string // the workspace
	Index   string // its private index; when it is gone, every file is read again
	Base    string // full id of the commit that the workspace was cut from
	Message string // of the commit, with its trailers
	With    string // commit that the work brings together with its base, by resolving their conflict; empty = none
}

// Saved is what was saved.
type Saved struct {
	Commit  string // the base when nothing was changed, the agent's own HEAD when it committed everything
	Tree    string
	Ref     string       // keeps Commit alive
	Changed []FileChange // against the base
	Empty   bool         // nothing differs from the base, and there are no commits
	Notices []string     // what was not saved or had to be changed, for a person
}

// Seal saves everything that a workspace holds, apart from what is ignored: staged or not, committed or not, on
// whatever HEAD. The folder stays as it is. Repeating it is harmless: what was saved under the same number is found
// again. No process of the agent's may be alive.
//
// Nothing that the agent left in .git is executed: see the package comment.
func (r *Repository) Seal(ctx context.Context, s SealSpec) (Saved, error) {
	op := fmt.Sprintf("save the work of %s (attempt %d)", s.Task, s.Number)
	spec := Spec{Run: s.Run, Task: s.Task, Dir: s.Dir, Index: s.Index, Base: s.Base}
	if err := errors.Join(r.check(spec), checkID(s.Base)); err != nil {
		return Saved{}, &Error{Op: op, Err: err}
	}
	if s.Number < 1 {
		return Saved{}, &Error{Op: op, Kind: ErrInvalid, Err: errors.New("attempts are counted from 1")}
	}
	saved, err := r.seal(ctx, s, spec, savedRef(s.Run, s.Task, s.Number))
	if err != nil {
		return Saved{}, &Error{Op: op, Err: err}
	}
	return saved, nil
}

// SealLate saves what came into a workspace after it was sealed, by the hand of a person for example, to a ref beside
// the attempt's own. saved is false when there is nothing of the kind, or no workspace.
func (r *Repository) SealLate(ctx context.Context, s SealSpec) (out Saved, saved bool, err error) {
	op := "save what was changed later in the workspace of " + s.Task
	spec := Spec{Run: s.Run, Task: s.Task, Dir: s.Dir, Index: s.Index, Base: s.Base}
	err = r.CheckSaved(ctx, spec)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return Saved{}, false, nil
	}
	if !errors.Is(err, ErrUnsaved) {
		return Saved{}, false, &Error{Op: op, Err: err}
	}
	top := path.Join(runRefs(s.Run), "extra", escaped(s.Task), strconv.Itoa(s.Number), "later")
	refs, err := r.readRefs(ctx, top+"/")
	if err != nil {
		return Saved{}, false, &Error{Op: op, Err: err}
	}
	if out, err = r.seal(ctx, s, spec, path.Join(top, strconv.Itoa(len(refs)+1))); err != nil {
		return Saved{}, false, &Error{Op: op, Err: err}
	}
	return out, true, nil
}

func (r *Repository) seal(ctx context.Context, s SealSpec, spec Spec, ref string) (Saved, error) {
	found, err := r.objects(ctx, ref+"^{commit}", ref+"^{tree}", s.Base+"^{commit}", s.Base+"^{tree}")
	if err != nil {
		return Saved{}, err
	}
	if found[3].ID == "" {
		return Saved{}, &Error{Op: "read the base", Kind: ErrUnknown, Err: errors.New(s.Base)}
	}
	working := s.Index + ".seal"
	if found[0].ID != "" {
		if err := os.Rename(working, s.Index); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Saved{}, err
		}
		return r.asSaved(ctx, s, Saved{Commit: found[0].ID, Tree: found[1].ID, Ref: ref})
	}
	st, err := os.Lstat(s.Dir)
	if err != nil || !st.IsDir() {
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return Saved{}, &Error{Op: "open " + s.Dir, Kind: ErrNoWorkspace, Err: err, Hint: "its content was removed by somebody else"}
		}
		return Saved{}, err
	}
	if err := removeFile(working, working+".lock", working+".new"); err != nil {
		return Saved{}, err
	}
	if err := copyIndex(working, s.Index); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Saved{}, err
	}
	agent, err := r.readAgentGit(s.Dir)
	if err != nil {
		return Saved{}, err
	}
	parents, notices, err := r.adopt(ctx, s, agent)
	if err != nil {
		return Saved{}, err
	}
	tree, more, err := r.saveFiles(ctx, spec, working, agent, parents[len(parents)-1])
	if err != nil {
		return Saved{}, err
	}
	if s.With != "" {
		in, err := r.ancestor(ctx, s.With, parents[0])
		if err != nil {
			return Saved{}, err
		}
		if !in { // else it was committed as a merge there
			parents = append(parents, s.With)
		}
	}
	fault.Point("seal.tree")
	out := Saved{Tree: tree, Ref: ref, Notices: append(notices, more...)}
	switch whole, err := r.isTree(ctx, parents, s.Base, found[3].ID, tree); {
	case err != nil:
		return Saved{}, err
	case whole:
		out.Commit = parents[0]
	default:
		if out.Commit, err = r.commit(ctx, tree, s.Message, parents...); err != nil {
			return Saved{}, err
		}
	}
	fault.Point("seal.commit")
	if err := r.move(ctx, ref, out.Commit, "", "save "+s.Task); err != nil {
		if !errors.Is(err, ErrMoved) {
			return Saved{}, err
		}
		return r.seal(ctx, s, spec, ref) // another process was faster: its save counts
	}
	fault.Point("seal.ref")
	if err := os.Rename(working, s.Index); err != nil {
		return Saved{}, err
	}
	fault.Point("seal.index")
	return r.asSaved(ctx, s, out)
}

// isTree says whether the one parent has the very tree, so that no further commit is needed.
func (r *Repository) isTree(ctx context.Context, parents []string, base, baseTree, tree string) (bool, error) {
	if len(parents) != 1 {
		return false, nil
	}
	if parents[0] == base {
		return tree == baseTree, nil
	}
	found, err := r.objects(ctx, parents[0]+"^{tree}")
	return err == nil && found[0].ID == tree, err
}

// asSaved completes what is told about saved work.
func (r *Repository) asSaved(ctx context.Context, s SealSpec, out Saved) (Saved, error) {
	out.Empty = out.Commit == s.Base
	var err error
	out.Changed, err = r.Changes(ctx, s.Base, out.Commit)
	return out, err
}

// adopt brings the agent's own commits into the repository and gives the parents of the commit that saves the rest:
// its HEAD when that goes on from the base, both when it does not, the base alone when HEAD is of no use.
func (r *Repository) adopt(ctx context.Context, s SealSpec, agent *agentGit) (parents, notices []string, err error) {
	parents = []string{s.Base}
	if agent.head == "" {
		notices = append(notices, agent.broken+": the files are saved, commits of the agent's own may not be")
	} else if agent.head != s.Base {
		switch head, err := r.adoptHead(ctx, s, agent); {
		case ctx.Err() != nil:
			return nil, nil, err
		case err != nil:
			notices = append(notices, fmt.Sprintf("the commits up to %s cannot be taken over: %v; the files are saved", agent.head, err))
		default:
			ok, err := r.ancestor(ctx, s.Base, head)
			if err != nil {
				return nil, nil, err
			}
			if ok {
				parents = []string{head}
			} else {
				parents = append(parents, head)
				notices = append(notices, "HEAD does not go on from the base: the folder counts as it is")
			}
		}
	}
	more, err := r.adoptBeside(ctx, s, agent)
	return parents, append(notices, more...), err
}

// adoptHead takes over the agent's HEAD.
func (r *Repository) adoptHead(ctx context.Context, s SealSpec, agent *agentGit) (string, error) {
	if !agent.linked {
		if err := r.importCommits(ctx, agent.objects, s.Base, agent.head); err != nil {
			return "", err
		}
	}
	found, err := r.objects(ctx, agent.head)
	if err != nil {
		return "", err
	}
	if found[0].Type != "commit" {
		return "", errors.New("it is not a commit")
	}
	return agent.head, nil
}

// adoptBeside pins commits on the agent's other branches, tags and stash that the repository does not have.
func (r *Repository) adoptBeside(ctx context.Context, s SealSpec, agent *agentGit) (notices []string, err error) {
	var refs, ids []string
	for ref, id := range agent.beside {
		if id != s.Base && id != agent.head {
			refs = append(refs, ref)
		}
	}
	if refs == nil {
		return nil, nil
	}
	slices.Sort(refs)
	for _, ref := range refs {
		ids = append(ids, agent.beside[ref])
	}
	found, err := r.objects(ctx, ids...)
	if err != nil {
		return nil, err
	}
	for i, ref := range refs {
		if found[i].ID != "" {
			continue
		}
		if err := r.importCommits(ctx, agent.objects, s.Base, ids[i]); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			notices = append(notices, fmt.Sprintf("%s cannot be taken over: %v", ref, err))
			continue
		}
		pin := path.Join(runRefs(s.Run), "extra", escaped(s.Task), fmt.Sprint(s.Number), strings.TrimPrefix(ref, "refs/"))
		if err := r.move(ctx, pin, ids[i], "", "save "+s.Task); err != nil && !errors.Is(err, ErrMoved) {
			return nil, err
		}
		notices = append(notices, fmt.Sprintf("commits beside HEAD are saved: %s as %s", ref, pin))
	}
	return notices, nil
}

// saveFiles brings a copy of the private index up to what is in the folder, and gives its tree.
func (r *Repository) saveFiles(ctx context.Context, s Spec, index string, agent *agentGit, from string) (tree string, notices []string, err error) {
	_, err = os.Lstat(index)
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh || from != s.Base {
		// Entries that are the same keep what is known of their files.
		if _, err := r.run(ctx, r.inWorkspace(s.Dir, index, "read-tree", "-m", "-i", "--no-recurse-submodules", from)); err != nil {
			return "", nil, err
		}
	}
	entries, written, err := r.readIndex(index)
	if err != nil {
		return "", nil, err
	}
	found, err := scanFolder(ctx, s.Dir, entries, written, false)
	if err != nil {
		return "", nil, err
	}
	todo, err := r.pending(ctx, s.Dir, index, entries, found)
	if err != nil {
		return "", nil, err
	}
	if err := r.addStaged(s.Dir, entries, agent, todo); err != nil {
		return "", nil, err
	}
	if err := r.updateIndex(ctx, s.Dir, index, todo); err != nil {
		return "", nil, err
	}
	tree, err = r.writeTree(ctx, s.Dir, index)
	return tree, todo.notices, err
}

// addStaged adds files that the agent told its git to take although they are ignored.
func (r *Repository) addStaged(dir string, entries []entry, agent *agentGit, todo *pending) error {
	if agent.index == nil {
		return nil
	}
	staged, err := parseIndex(agent.index, r.idLength())
	if err != nil {
		todo.notice("the agent's index cannot be read: files that it staged although they are ignored are not saved")
		return nil
	}
	known := make(map[string]bool, len(entries)+len(todo.paths))
	for i := range entries {
		known[entries[i].path] = true
	}
	for _, p := range todo.paths {
		known[p] = true
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for i := range staged {
		p := staged[i].path
		if known[p] || staged[i].submodule || !fs.ValidPath(p) || refused(p) {
			continue
		}
		known[p] = true
		if plainFile(root, p) {
			todo.paths = append(todo.paths, p)
		}
	}
	return nil
}

// plainFile says whether a path is a file or a symbolic link, and no folder on the way to it is a symbolic link.
func plainFile(root *os.Root, name string) bool {
	for i, c := range name {
		if c == '/' {
			if st, err := root.Lstat(name[:i]); err != nil || !st.IsDir() {
				return false
			}
		}
	}
	st, err := root.Lstat(name)
	return err == nil && (st.Mode().IsRegular() || st.Mode()&fs.ModeSymlink != 0)
}
