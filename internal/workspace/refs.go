package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"orchestrator/internal/fault"
)

// checkName says whether a run's or a task's name may be part of a ref and of a path.
func checkName(what, name string) error {
	bad := name == "" || len(name) > 200
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		bad = bad || !letter && (i == 0 || c != '.' && c != '_' && c != '-')
	}
	if bad {
		return &Error{
			Op: "check the " + what, Kind: ErrInvalid, Err: fmt.Errorf("%q", name),
			Hint: "names are made of a-z, 0-9, '.', '_' and '-', and start with a letter or a digit",
		}
	}
	return nil
}

// escaped makes a name fit for a ref: git does not take "..", a "." at the end, or ".lock" at the end.
func escaped(name string) string {
	s := strings.ReplaceAll(name, "..", "%2e%2e")
	for _, end := range []string{".lock", "."} {
		if rest, ok := strings.CutSuffix(s, end); ok {
			s = rest + "%2e" + end[1:]
		}
	}
	return s
}

func unescaped(s string) string { return strings.ReplaceAll(s, "%2e", ".") }

func runRefs(run string) string        { return "refs/orc/" + run }
func baseRef(run string) string        { return runRefs(run) + "/base" }
func integrationRef(run string) string { return runRefs(run) + "/integration" }

// BranchName is what a branch of a task is called inside of its own clone.
func (r *Repository) BranchName(task string) string { return escaped(task) }

// savedRef is the pin of an attempt.
func savedRef(run, task string, number int) string {
	return runRefs(run) + "/task/" + escaped(task) + "/" + strconv.Itoa(number)
}

// readRefs gives the ids of refs; a ref that does not exist is not in the map.
func (r *Repository) readRefs(ctx context.Context, refs ...string) (map[string]string, error) {
	out, err := r.run(ctx, r.plumbing(append([]string{"for-each-ref", "--format=%(objectname) %(refname)"}, refs...)...))
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for l := range strings.Lines(string(out)) {
		if id, ref, ok := strings.Cut(strings.TrimSuffix(l, "\n"), " "); ok {
			found[ref] = id
		}
	}
	return found, nil
}

// ancestor says whether commit a is b or is reachable from it.
func (r *Repository) ancestor(ctx context.Context, a, b string) (bool, error) {
	if a == b {
		return true, nil
	}
	_, err := r.run(ctx, r.plumbing("merge-base", "--is-ancestor", a, b))
	if err == nil {
		return true, nil
	}
	if exitCode(err) == 1 {
		return false, nil
	}
	return false, err
}

// Integration is the head of what a run has merged so far. ErrNotBegun when the run has no such ref.
func (r *Repository) Integration(ctx context.Context, run string) (string, error) {
	op := "read the integration of run " + run
	if err := checkName("run", run); err != nil {
		return "", err
	}
	refs, err := r.readRefs(ctx, integrationRef(run))
	if err != nil {
		return "", &Error{Op: op, Err: err}
	}
	id := refs[integrationRef(run)]
	if id == "" {
		return "", &Error{Op: op, Kind: ErrNotBegun, Hint: "its refs were removed: see git for-each-ref refs/orc"}
	}
	return id, nil
}

// move takes a ref from old to new in one atomic step. An empty old means that the ref must not exist. It is done when
// the ref is at new, whoever moved it; ErrMoved when it is anywhere else than at old.
func (r *Repository) move(ctx context.Context, ref, id, old, why string) error {
	expected := old
	if old == "" {
		expected = strings.Repeat("0", len(id))
	}
	c := r.plumbing("update-ref", "--no-deref", "--create-reflog", "-m", "orc: "+why, ref, id, expected)
	err := r.updateRefs(ctx, c)
	if err == nil {
		fault.Point("git.ref")
	}
	if c := (*CommandError)(nil); err == nil || ctx.Err() != nil || !errors.As(err, &c) {
		return err // done; or not even tried, because another process has taken our place
	}
	refs, rerr := r.readRefs(ctx, ref)
	if rerr != nil {
		return errors.Join(err, rerr)
	}
	switch now := refs[ref]; now {
	case id:
		return nil
	case old:
		return err // nobody moved it: a lock, a full disk
	default:
		return &Error{Op: "move " + ref, Kind: ErrMoved, Err: fmt.Errorf("it is at %s instead of %s", orNone(now), orNone(old))}
	}
}

func orNone(id string) string {
	if id == "" {
		return "nothing"
	}
	return id
}

// Mirror lets the branch that shows a run follow its integration ref. ErrCheckedOut when somebody works on the branch,
// ErrDiverged when it has commits that are not the run's: it then stays where it is.
func (r *Repository) Mirror(ctx context.Context, run, branch string) error {
	op := "update branch " + branch
	if err := checkName("run", run); err != nil {
		return err
	}
	ref := "refs/heads/" + branch
	refs, err := r.readRefs(ctx, integrationRef(run), ref)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	to, from := refs[integrationRef(run)], refs[ref]
	if to == "" {
		return &Error{Op: op, Kind: ErrNotBegun}
	}
	if from == to {
		return nil
	}
	if from == "" {
		if err := r.checkBranch(ctx, branch); err != nil {
			return err
		}
	}
	path, used, err := r.CheckedOut(ctx, branch)
	if err != nil {
		return err
	}
	if used {
		return &Error{
			Op: op, Kind: ErrCheckedOut, Err: errors.New(path),
			Hint: fmt.Sprintf("after leaving it: git branch -f %s %s", branch, integrationRef(run)),
		}
	}
	if from != "" {
		ok := r.followed.CompareAndSwap(ref, from, to) // where it was put by us, it is the run's own
		if !ok {
			if ok, err = r.ancestor(ctx, from, to); err != nil {
				return &Error{Op: op, Err: err}
			}
		}
		if !ok {
			return &Error{Op: op, Kind: ErrDiverged, Hint: "the run's work is at " + integrationRef(run)}
		}
	}
	if err := r.move(ctx, ref, to, from, "follow run "+run); err != nil {
		return &Error{Op: op, Err: err}
	}
	r.followed.Store(ref, to)
	return nil
}

// SavedRef is one pin.
type SavedRef struct {
	Task   string
	Number int
	Ref    string
	Commit string
	Beside bool // not what the attempt left at its end, but a commit beside its HEAD, or what was changed later
}

// Saves lists everything that was saved of a run, by task and attempt. Commits beside an attempt's HEAD come right
// after it, with the same task and number.
func (r *Repository) Saves(ctx context.Context, run string) ([]SavedRef, error) {
	if err := checkName("run", run); err != nil {
		return nil, err
	}
	refs, err := r.readRefs(ctx, runRefs(run)+"/task/", runRefs(run)+"/extra/")
	if err != nil {
		return nil, &Error{Op: "list the saved work of run " + run, Err: err}
	}
	var saves []SavedRef
	for ref, id := range refs {
		parts := strings.SplitN(strings.TrimPrefix(ref, runRefs(run)+"/"), "/", 4)
		if len(parts) < 3 {
			continue
		}
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			continue
		}
		saves = append(saves, SavedRef{Task: unescaped(parts[1]), Number: n, Ref: ref, Commit: id, Beside: parts[0] == "extra"})
	}
	sort.Slice(saves, func(i, j int) bool {
		a, b := saves[i], saves[j]
		if a.Task != b.Task {
			return a.Task < b.Task
		}
		if a.Number != b.Number {
			return a.Number < b.Number
		}
		if a.Beside != b.Beside {
			return b.Beside
		}
		return a.Ref < b.Ref
	})
	return saves, nil
}

// Sweep removes lock files that a killed git left behind in the run's own namespaces. The caller holds the run's owner
// lock, and the git commands of its former owner are dead.
func (r *Repository) Sweep(ctx context.Context, run string) error {
	if err := checkName("run", run); err != nil {
		return err
	}
	op := "sweep the lock files of run " + run
	var stale []string
	for _, ns := range []string{filepath.FromSlash("refs/orc/" + run), filepath.FromSlash("refs/heads/orc/" + run)} {
		top := filepath.Join(r.common, ns)
		if _, err := os.Lstat(top + ".lock"); err == nil {
			stale = append(stale, top+".lock")
		}
		err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if err == nil && d.Type().IsRegular() && strings.HasSuffix(path, ".lock") {
				stale = append(stale, path)
			}
			return errors.Join(err, ctx.Err())
		})
		if err != nil {
			return &Error{Op: op, Err: err}
		}
	}
	for _, path := range stale {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return &Error{Op: op, Err: err}
		}
	}
	return nil
}

// DeleteOptions say what DeleteRun may remove.
type DeleteOptions struct {
	KeepBranch bool // leave the branch alone in any case
}

// DeleteRun removes the refs of a run. The branch goes only when nobody has it checked out and all of its commits are
// in the integration ref or in the branch that the user's checkout is on; else it stays, and kept is true.
func (r *Repository) DeleteRun(ctx context.Context, run, branch string, o DeleteOptions) (kept bool, err error) {
	op := "remove the refs of run " + run
	if err := checkName("run", run); err != nil {
		return false, err
	}
	kept, err = r.deleteBranch(ctx, run, branch, o)
	if err != nil {
		return kept, &Error{Op: op, Err: err}
	}
	refs, err := r.readRefs(ctx, runRefs(run)+"/")
	if err != nil {
		return kept, &Error{Op: op, Err: err}
	}
	if len(refs) == 0 {
		return kept, nil
	}
	names := make([]string, 0, len(refs))
	for ref := range refs {
		names = append(names, ref)
	}
	sort.Strings(names)
	var in strings.Builder
	for _, ref := range names {
		fmt.Fprintf(&in, "delete %s %s\n", ref, refs[ref])
	}
	c := r.plumbing("update-ref", "-m", "orc: remove run "+run, "--stdin")
	c.stdin = strings.NewReader(in.String())
	if err := r.updateRefs(ctx, c); err != nil {
		return kept, &Error{Op: op, Err: err}
	}
	return kept, nil
}

func (r *Repository) deleteBranch(ctx context.Context, run, branch string, o DeleteOptions) (kept bool, err error) {
	if branch == "" {
		return false, nil
	}
	ref := "refs/heads/" + branch
	refs, err := r.readRefs(ctx, ref, integrationRef(run))
	if err != nil || refs[ref] == "" {
		return false, err
	}
	_, used, err := r.CheckedOut(ctx, branch)
	if err != nil || used || o.KeepBranch {
		return true, err
	}
	safe := false
	if id := refs[integrationRef(run)]; id != "" {
		if safe, err = r.ancestor(ctx, refs[ref], id); err != nil {
			return true, err
		}
	}
	if !safe {
		_, head, err := r.Head(ctx)
		if errors.Is(err, ErrNoCommits) {
			return true, nil
		}
		if err != nil {
			return true, err
		}
		if safe, err = r.ancestor(ctx, refs[ref], head); err != nil {
			return true, err
		}
	}
	if !safe {
		return true, nil
	}
	c := r.plumbing("update-ref", "-m", "orc: remove run "+run, "--no-deref", "-d", ref, refs[ref])
	err = r.updateRefs(ctx, c)
	return err != nil, err
}
