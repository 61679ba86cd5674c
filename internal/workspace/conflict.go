package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ConflictFile is one file of a conflict, for a person.
type ConflictFile struct {
	Path  string
	Kind  string      // git's stable word, as in ConflictDetail; empty = none was said of this file
	Lines []LineRange // where it is in conflict; empty when it is not about lines
	With  []string    // the tasks, or the branch, whose changes of it are in the way
}

// LineRange is a part of a file: line numbers from 1, both included.
type LineRange struct{ From, To int }

// String is "7" or "40-58".
func (l LineRange) String() string {
	if l.From >= l.To {
		return fmt.Sprint(l.From)
	}
	return fmt.Sprintf("%d-%d", l.From, l.To)
}

// mostConflictBytes is the size of a file above which nobody looks for its lines.
const mostConflictBytes = 8 << 20

// Conflict says what keeps saved work from being merged into a run's integration as it is now: the files, the lines
// of the integration's side, and the tasks that were merged after the work's base and changed them. Nil when nothing
// is in the way any more.
func (r *Repository) Conflict(ctx context.Context, run, tip, base string) ([]ConflictFile, error) {
	op := "look at the conflict of run " + run
	_, err := r.PlanMerge(ctx, run, tip, "look")
	conflict := (*ConflictError)(nil)
	if !errors.As(err, &conflict) {
		return nil, err
	}
	merges, err := r.merges(ctx, run)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	if i := slices.IndexFunc(merges, func(m merged) bool { return m.Commit == base }); i >= 0 {
		merges = merges[i+1:] // the work was built on what was merged before
	}
	files, err := r.conflictFiles(ctx, conflict, merges, true)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	return files, nil
}

// conflictFiles describes a conflict. merges are those that may be in the way; ours says that lines are counted in
// the file before the merge, and not in the one with the markers.
func (r *Repository) conflictFiles(ctx context.Context, e *ConflictError, merges []merged, ours bool) ([]ConflictFile, error) {
	with := map[string][]string{}
	for _, m := range merges {
		changed, err := r.changedAmong(ctx, m.Parent, m.Commit, e.Paths)
		if err != nil {
			return nil, err
		}
		for _, p := range changed {
			if !slices.Contains(with[p], m.Task) {
				with[p] = append(with[p], m.Task)
			}
		}
	}
	kinds := map[string]string{}
	for _, d := range e.Details {
		for _, p := range d.Paths {
			kinds[p] = d.Kind
		}
	}
	files := make([]ConflictFile, 0, len(e.Paths))
	for _, p := range e.Paths {
		f := ConflictFile{Path: p, Kind: kinds[p], With: with[p]}
		text, err := r.fileOf(ctx, e.Tree, p)
		if err != nil {
			return nil, err
		}
		f.Lines = conflictLines(text, ours)
		files = append(files, f)
	}
	return files, nil
}

// changedAmong gives those of the paths that differ between two commits.
func (r *Repository) changedAmong(ctx context.Context, from, to string, paths []string) ([]string, error) {
	args := []string{"diff-tree", "-r", "-z", "--no-renames", "--name-only", from, to, "--"}
	out, err := r.run(ctx, r.plumbing(append(args, paths...)...))
	return fields(out), err
}

// fileOf is the content of a file in a tree; nothing when it is no file, or too large to be read by a person.
func (r *Repository) fileOf(ctx context.Context, tree, name string) ([]byte, error) {
	if tree == "" {
		return nil, nil
	}
	out, err := r.run(ctx, r.plumbing("ls-tree", "-z", "-l", "--full-tree", tree, "--", name))
	if err != nil {
		return nil, err
	}
	var mode, kind, id string
	var size int
	if n, err := fmt.Sscan(string(out), &mode, &kind, &id, &size); n < 4 || err != nil || kind != "blob" || size > mostConflictBytes {
		return nil, nil
	}
	return r.run(ctx, r.plumbing("cat-file", "blob", id))
}

// conflictLines finds the parts of a file between conflict markers.
func conflictLines(text []byte, ours bool) []LineRange {
	var list []LineRange
	line, from := 0, 0 // of what is counted
	const (
		outside = iota
		left
		middle // the common ancestor, or the other side: not in our file
	)
	state := outside
	for l := range bytes.Lines(text) {
		s := string(l)
		marker := true
		switch {
		case state == outside && strings.HasPrefix(s, "<<<<<<< "):
			state, from = left, line+1
		case state == left && (strings.HasPrefix(s, "||||||| ") || strings.TrimRight(s, "\r\n") == "======="):
			state = middle
		case state == middle && strings.HasPrefix(s, ">>>>>>> "):
			state = outside
			to := line
			if !ours {
				to = line + 1
			}
			list = append(list, LineRange{From: from, To: max(from, to)})
		default:
			marker = false
		}
		if !ours || (!marker && state != middle) {
			line++
		}
	}
	return list
}
