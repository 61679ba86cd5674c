package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// LandSpec says where the work of a run goes.
type LandSpec struct {
	Run    string
	Branch string   // the user's branch; it has to exist
	Skip   []string // tasks that are left out
	Folder string   // keeps what is known of a merge that waits for a person; below the data folder
	Dir    string   // where the files of a conflict are put for a person to edit; below the data folder
	Driver Driver   // makes that folder
}

// Landing is what came of bringing a run's work into a branch.
type Landing struct {
	Old         string   // where the branch was
	New         string   // where it is; the same as Old when there was nothing to do
	FastForward bool     // no commit had to be made
	Merged      []string // tasks, in the order in which they were merged
	Skipped     []string
	CheckedOut  string // the checkout whose files were updated; empty = the branch was checked out nowhere
}

// StoppedError says that a landing waits for a person. The user's branch is untouched.
type StoppedError struct {
	Task     string
	Dir      string   // edit the files there, then LandContinue
	Merged   []string // tasks that went through before it
	Files    []ConflictFile
	Conflict *ConflictError
}

// Error names the task and the files.
func (e *StoppedError) Error() string { return "merge of " + e.Task + ": " + e.Conflict.Error() }

// Unwrap is the conflict.
func (e *StoppedError) Unwrap() error { return e.Conflict }

// landing is what a landing that was stopped needs to go on. It is also the form of its file.
type landing struct {
	Run     string   `json:"run"`
	Branch  string   `json:"branch"`
	Old     string   `json:"old"`     // where the branch was when it began
	Current string   `json:"current"` // what has been put together so far
	Merged  []string `json:"merged"`
	Commits []string `json:"commits"` // their merges in the integration: a task that was repaired has more than one
	Skip    []string `json:"skip"`
	Task    string   `json:"task"`   // in conflict; empty = none
	Commit  string   `json:"commit"` // its merge in the integration
	Paths   []string `json:"paths"`  // in conflict
	Files   string   `json:"files"`  // the commit that the folder was filled from
}

func landRef(run string) string { return runRefs(run) + "/land" }

func (s LandSpec) file() string { return filepath.Join(s.Folder, "landing.json") }

// workspace is the folder of a conflict, in the form of a task's workspace.
func (s LandSpec) workspace(base string) Spec {
	return Spec{Run: s.Run, Task: "merge", Dir: s.Dir, Base: base, Index: filepath.Join(s.Folder, "landing.index")}
}

// Land brings a run's integration into a branch of the user's: by moving the branch forward where that is possible,
// else by merging each task's work in the order in which the tasks finished. Where the branch is checked out, the files
// there follow; uncommitted changes to other files stay. ErrDirty, before anything is changed, when uncommitted changes
// are in the way; *StoppedError, with the branch untouched, when a person has to resolve a conflict; ErrLanding when
// one is waiting already.
func (r *Repository) Land(ctx context.Context, s LandSpec) (Landing, error) {
	op := "bring run " + s.Run + " into " + s.Branch
	if err := r.checkLand(ctx, s); err != nil {
		return Landing{}, err
	}
	if _, err := os.Lstat(s.file()); err == nil {
		return Landing{}, &Error{Op: op, Kind: ErrLanding, Hint: "continue or abort it first"}
	}
	refs, err := r.readRefs(ctx, "refs/heads/"+s.Branch, integrationRef(s.Run))
	if err != nil {
		return Landing{}, &Error{Op: op, Err: err}
	}
	old, head := refs["refs/heads/"+s.Branch], refs[integrationRef(s.Run)]
	switch {
	case old == "":
		return Landing{}, &Error{Op: op, Kind: ErrUnknown, Err: fmt.Errorf("there is no branch %s", s.Branch)}
	case head == "":
		return Landing{}, &Error{Op: op, Kind: ErrNotBegun}
	}
	l := &landing{Run: s.Run, Branch: s.Branch, Old: old, Current: old, Skip: s.Skip}
	if len(s.Skip) == 0 {
		in, err := r.ancestor(ctx, head, old)
		if err != nil {
			return Landing{}, &Error{Op: op, Err: err}
		}
		if in {
			return Landing{Old: old, New: old}, nil
		}
		ahead, err := r.ancestor(ctx, old, head)
		if err != nil {
			return Landing{}, &Error{Op: op, Err: err}
		}
		if ahead {
			merges, err := r.merges(ctx, s.Run)
			if err != nil {
				return Landing{}, &Error{Op: op, Err: err}
			}
			for _, m := range merges {
				l.add(m.Task, m.Commit)
			}
			l.Current = head
			out, err := r.finishLanding(ctx, s, l)
			out.FastForward = true
			return out, err
		}
	}
	return r.goOnLanding(ctx, s, l)
}

// LandContinue goes on with a landing after a person has resolved the conflict in its folder, or after the task in
// conflict was put into s.Skip. ErrMarkers when conflict markers are left, ErrNoLanding when none is waiting.
func (r *Repository) LandContinue(ctx context.Context, s LandSpec) (Landing, error) {
	op := "go on with the merge into " + s.Branch
	if err := r.checkLand(ctx, s); err != nil {
		return Landing{}, err
	}
	l, err := s.read()
	if err != nil {
		return Landing{}, &Error{Op: op, Err: err}
	}
	if l.Run != s.Run || l.Branch != s.Branch {
		return Landing{}, &Error{Op: op, Kind: ErrLanding, Err: fmt.Errorf("it is the merge of run %s into %s", l.Run, l.Branch)}
	}
	for _, t := range s.Skip {
		if !slices.Contains(l.Skip, t) {
			l.Skip = append(l.Skip, t)
		}
	}
	if l.Task != "" && !slices.Contains(l.Skip, l.Task) {
		if err := r.takeResolution(ctx, s, l); err != nil {
			return Landing{}, &Error{Op: op, Err: err}
		}
	}
	l.Task = ""
	return r.goOnLanding(ctx, s, l)
}

// decide writes down which commit a landing that waited for a person comes to, before the branch moves to it: a crash
// between the two would make the commit anew, with another time, and find the branch at neither.
func (s LandSpec) decide(l *landing) error {
	if _, err := os.Lstat(s.file()); errors.Is(err, fs.ErrNotExist) {
		return nil // it never waited: made anew, it would find everything in the branch already
	}
	return s.write(l)
}

// LandAbort forgets a landing that waits for a person. The user's branch was not touched by it.
func (r *Repository) LandAbort(ctx context.Context, s LandSpec) error {
	op := "abort the merge"
	if err := errors.Join(checkName("run", s.Run), r.guard(s.Folder), r.guard(s.Dir)); err != nil {
		return err
	}
	if _, err := os.Lstat(s.file()); errors.Is(err, fs.ErrNotExist) {
		return &Error{Op: op, Kind: ErrNoLanding}
	}
	if err := r.clearLanding(ctx, s); err != nil {
		return &Error{Op: op, Err: err}
	}
	return nil
}

// LandState says which task a landing waits at; empty = none is waiting.
func (r *Repository) LandState(s LandSpec) (task string, err error) {
	l, err := s.read()
	if errors.Is(err, ErrNoLanding) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return l.Task, nil
}

// LandPaths lists the files of the conflict that a landing waits at, by their paths in s.Dir. ErrNoLanding when none is
// waiting.
func (r *Repository) LandPaths(s LandSpec) ([]string, error) {
	l, err := s.read()
	if err != nil {
		return nil, err
	}
	return l.Paths, nil
}

func (r *Repository) checkLand(ctx context.Context, s LandSpec) error {
	if s.Driver == nil {
		return &Error{Op: "bring run " + s.Run + " into " + s.Branch, Err: errors.New("no driver is set")}
	}
	if err := errors.Join(checkName("run", s.Run), r.guard(s.Folder), r.guard(s.Dir)); err != nil {
		return err
	}
	return r.checkBranch(ctx, s.Branch)
}

func (s LandSpec) read() (*landing, error) {
	b, err := readLimited(s.file(), 64<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Op: "look for a merge", Kind: ErrNoLanding}
	}
	if err != nil {
		return nil, err
	}
	l := &landing{}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.file(), err)
	}
	return l, nil
}

func (s LandSpec) write(l *landing) error {
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	tmp := s.file() + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, s.file())
}

// goOnLanding merges what is left, and then moves the branch.
func (r *Repository) goOnLanding(ctx context.Context, s LandSpec, l *landing) (Landing, error) {
	op := "bring run " + s.Run + " into " + s.Branch
	merges, err := r.merges(ctx, s.Run)
	if err != nil {
		return Landing{}, &Error{Op: op, Err: err}
	}
	for _, m := range merges {
		if slices.Contains(l.Skip, m.Task) || slices.Contains(l.Commits, m.Commit) {
			continue
		}
		err := r.landOne(ctx, l, m)
		if conflict := (*ConflictError)(nil); errors.As(err, &conflict) {
			l.Task, l.Commit, l.Paths = m.Task, m.Commit, conflict.Paths
			if err := r.showConflict(ctx, s, l, m, conflict); err != nil {
				return Landing{}, &Error{Op: op, Err: err}
			}
			files, err := r.landFiles(ctx, l, m, merges, conflict)
			if err != nil {
				return Landing{}, &Error{Op: op, Err: err}
			}
			return Landing{}, &StoppedError{Task: m.Task, Dir: s.Dir, Merged: l.Merged, Files: files, Conflict: conflict}
		}
		if err != nil {
			return Landing{}, &Error{Op: op, Err: err}
		}
	}
	return r.finishLanding(ctx, s, l)
}

// landFiles describes the files of a conflict. What is in the way of a task is the user's branch where that changed the
// file, and else the tasks that were left out or merged before.
func (r *Repository) landFiles(ctx context.Context, l *landing, m merged, merges []merged, e *ConflictError) ([]ConflictFile, error) {
	before := merges[:slices.IndexFunc(merges, func(x merged) bool { return x.Commit == m.Commit })]
	files, err := r.conflictFiles(ctx, e, before, false)
	if err != nil {
		return nil, err
	}
	refs, err := r.readRefs(ctx, baseRef(l.Run))
	if err != nil {
		return nil, err
	}
	theirs, err := r.changedAmong(ctx, refs[baseRef(l.Run)], l.Old, e.Paths)
	if err != nil {
		return nil, err
	}
	for i := range files {
		if slices.Contains(theirs, files[i].Path) {
			files[i].With = []string{l.Branch}
		}
	}
	return files, nil
}

// picks says whether changes are taken over one by one instead of merged: a merge would bring along what the task's
// work was built on, and so what is to be left out.
func (l *landing) picks() bool { return len(l.Skip) > 0 }

// landOne adds one task's work to what has been put together.
func (r *Repository) landOne(ctx context.Context, l *landing, m merged) error {
	in, err := r.ancestor(ctx, m.Commit, l.Current)
	if err != nil {
		return err
	}
	if in {
		return nil
	}
	found, err := r.objects(ctx, l.Current+"^{tree}", m.Parent+"^{tree}", m.Commit+"^{tree}")
	if err != nil {
		return err
	}
	var tree string
	if l.picks() {
		tree, err = r.applyTrees(ctx, l.Current, found[0].ID, found[1].ID, found[2].ID)
	} else {
		tree, err = r.mergeTrees(ctx, l.Current, found[0].ID, m.Commit)
	}
	if err != nil {
		return err
	}
	if l.picks() && tree == found[0].ID {
		return nil // it is there already
	}
	return r.addLanded(ctx, l, m.Task, m.Commit, m.Said, tree)
}

func (r *Repository) addLanded(ctx context.Context, l *landing, task, commit, message, tree string) error {
	parents := []string{l.Current}
	if !l.picks() {
		parents = append(parents, commit)
	}
	id, err := r.commit(ctx, tree, message, parents...)
	if err != nil {
		return err
	}
	l.Current = id
	l.add(task, commit)
	return nil
}

// add notes that a task's merge is in.
func (l *landing) add(task, commit string) {
	l.Commits = append(l.Commits, commit)
	if !slices.Contains(l.Merged, task) {
		l.Merged = append(l.Merged, task)
	}
}

// clearLanding removes everything that a landing left. What is known of it goes first.
func (r *Repository) clearLanding(ctx context.Context, s LandSpec) error {
	known := true
	if err := os.Remove(s.file()); errors.Is(err, fs.ErrNotExist) {
		known = false
	} else if err != nil {
		return err
	}
	if _, err := os.Lstat(s.Dir); err == nil || known {
		if err := s.Driver.Remove(ctx, s.workspace("")); err != nil {
			return err
		}
	}
	refs, err := r.readRefs(ctx, landRef(s.Run))
	if err != nil || refs[landRef(s.Run)] == "" {
		return err
	}
	c := r.plumbing("update-ref", "-m", "orc: merge is over", "--no-deref", "-d", landRef(s.Run), refs[landRef(s.Run)])
	return r.updateRefs(ctx, c)
}
