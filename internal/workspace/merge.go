package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"orchestrator/internal/fault"
)

// Merge is a merge that is made but not yet in force.
type Merge struct {
	Old  string // integration head that it was made for
	New  string // the merge commit
	Tree string // its tree
	Work string // the tree of what is merged
}

// PlanMerge makes the commit that brings tip into a run's integration. It moves no ref and touches no checkout and no
// index. *ConflictError when a person has to decide. A tip that is in the integration already gives New == Old.
func (r *Repository) PlanMerge(ctx context.Context, run, tip, message string) (Merge, error) {
	op := "merge into run " + run
	if err := errors.Join(checkName("run", run), checkID(tip)); err != nil {
		return Merge{}, &Error{Op: op, Err: err}
	}
	found, err := r.objects(ctx, integrationRef(run)+"^{commit}", integrationRef(run)+"^{tree}", tip+"^{commit}", tip+"^{tree}")
	if err != nil {
		return Merge{}, &Error{Op: op, Err: err}
	}
	into, intoTree := found[0].ID, found[1].ID
	if into == "" {
		return Merge{}, &Error{Op: op, Kind: ErrNotBegun}
	}
	if found[2].ID == "" {
		return Merge{}, &Error{Op: op, Kind: ErrUnknown, Err: fmt.Errorf("there is no commit %s", tip)}
	}
	tree, err := r.mergeTrees(ctx, into, intoTree, tip)
	if err != nil {
		return Merge{}, &Error{Op: op, Err: err}
	}
	if tree == intoTree {
		in, err := r.ancestor(ctx, tip, into)
		if err != nil {
			return Merge{}, &Error{Op: op, Err: err}
		}
		if in && !fault.Mutant("no-ancestor-check") {
			return Merge{Old: into, New: into, Tree: tree, Work: found[3].ID}, nil
		}
	}
	id, err := r.commit(ctx, tree, message, into, tip)
	if err != nil {
		return Merge{}, &Error{Op: op, Err: err}
	}
	fault.Point("merge.commit")
	return Merge{Old: into, New: id, Tree: tree, Work: found[3].ID}, nil
}

// applyTrees brings the difference between two trees into a commit and gives the tree. *ConflictError when it does not
// fit. Commits that are made for the purpose tell git where the difference starts.
func (r *Repository) applyTrees(ctx context.Context, ours, oursTree, from, to string) (string, error) {
	start, err := r.commit(ctx, from, "start")
	if err != nil {
		return "", err
	}
	left, err := r.commit(ctx, oursTree, ours, start)
	if err != nil {
		return "", err
	}
	right, err := r.commit(ctx, to, "end", start)
	if err != nil {
		return "", err
	}
	return r.mergeTrees(ctx, left, oursTree, right)
}

// mergeTrees merges commit theirs into commit ours and gives the tree. *ConflictError when they do not fit.
func (r *Repository) mergeTrees(ctx context.Context, ours, oursTree, theirs string) (string, error) {
	c := r.plumbing("merge-tree", "--write-tree", "-z", "--messages", ours, theirs)
	c.writes = true
	attributes, err := r.attributes(ctx, oursTree)
	if err != nil {
		return "", err
	}
	if attributes != "" {
		c.dir, c.workTree = attributes, attributes
	}
	out, err := r.run(ctx, c)
	if err != nil {
		// Exit code 1 stands for a conflict and for some errors too: only a tree on the output tells them apart.
		if exitCode(err) == 1 {
			if conflict, perr := parseConflict(out); perr == nil {
				return "", conflict
			}
		}
		return "", err
	}
	tree, _, _ := bytes.Cut(out, []byte{0})
	if err := checkID(string(tree)); err != nil {
		return "", fmt.Errorf("git merge-tree: %w", err)
	}
	if string(tree) == oursTree {
		return oursTree, nil
	}
	err = r.checkCase(ctx, oursTree, string(tree))
	if conflict := (*ConflictError)(nil); errors.As(err, &conflict) {
		conflict.Tree = string(tree) // the merge as such went through
	}
	return string(tree), err
}

// parseConflict reads what merge-tree -z says about a conflict: the tree, then "mode id stage TAB path" for each stage
// of each file, an empty field, then messages of the form: number of paths, the paths, a stable word, a sentence.
func parseConflict(out []byte) (*ConflictError, error) {
	f := fields(out)
	if len(f) == 0 {
		return nil, errors.New("nothing was said")
	}
	if err := checkID(f[0]); err != nil {
		return nil, err
	}
	e := &ConflictError{Tree: f[0]}
	i := 1
	for ; i < len(f) && f[i] != ""; i++ {
		_, path, ok := strings.Cut(f[i], "\t")
		if !ok {
			return nil, fmt.Errorf("unknown record %q", f[i])
		}
		e.stages = append(e.stages, f[i])
		e.Paths = append(e.Paths, path)
	}
	for i++; i < len(f); {
		n, err := strconv.Atoi(f[i])
		if err != nil || n < 0 || i+n+2 >= len(f) {
			return nil, fmt.Errorf("unknown message at field %d", i)
		}
		d := ConflictDetail{Paths: f[i+1 : i+1+n], Kind: f[i+1+n], Message: strings.TrimSpace(f[i+2+n])}
		i += n + 3
		if !strings.HasPrefix(d.Kind, "CONFLICT") {
			continue // "Auto-merging" and the like
		}
		e.Details = append(e.Details, d)
		if len(e.Paths) == 0 {
			e.Paths = append(e.Paths, d.Paths...)
		}
	}
	slices.Sort(e.Paths)
	e.Paths = slices.Compact(e.Paths)
	return e, nil
}

// checkCase finds names that a merge brought in and that differ from others only by case: such a tree cannot be
// checked out on macOS or Windows. What was there before is nobody's fault.
func (r *Repository) checkCase(ctx context.Context, before, after string) error {
	out, err := r.run(ctx, r.plumbing("diff-tree", "-r", "-z", "--no-renames", "--name-status", before, after))
	if err != nil {
		return err
	}
	changed := fields(out)
	var added []string
	attributes := false
	for i := 0; i+1 < len(changed); i += 2 {
		if changed[i] == "A" {
			added = append(added, changed[i+1])
		}
		attributes = attributes || path.Base(changed[i+1]) == attributesFile
	}
	if !attributes {
		r.sameAttributes(before, after)
	}
	if added == nil {
		return nil
	}
	folders, err := r.foldersOf(ctx, after, added)
	if err != nil {
		return err
	}
	return caseCollisions(added, folders).orNil()
}

// foldersOf lists the names in every folder on the way to the given paths of a tree; the top is "".
func (r *Repository) foldersOf(ctx context.Context, tree string, paths []string) (map[string][]string, error) {
	folders := map[string][]string{}
	var order []string
	for _, p := range paths {
		for p != "" {
			p = p[:max(strings.LastIndexByte(p, '/'), 0)]
			if _, ok := folders[p]; ok {
				break
			}
			folders[p] = nil
			order = append(order, p)
		}
	}
	for _, folder := range order {
		if strings.ContainsRune(folder, '\n') { // cannot be asked for by lines
			out, err := r.run(ctx, r.plumbing("ls-tree", "-z", "--name-only", "--full-tree", tree+":"+folder))
			if err != nil {
				return nil, err
			}
			folders[folder] = fields(out)
		}
	}
	order = slices.DeleteFunc(order, func(f string) bool { return strings.ContainsRune(f, '\n') })
	c := r.plumbing("cat-file", "--batch=%(objecttype) %(objectsize)")
	c.stdin = strings.NewReader(tree + ":" + strings.Join(order, "\n"+tree+":") + "\n")
	out, err := r.run(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, folder := range order {
		head, rest, _ := bytes.Cut(out, []byte{'\n'})
		size, err := strconv.Atoi(strings.TrimPrefix(string(head), "tree "))
		if err != nil || size < 0 || size >= len(rest) {
			return nil, fmt.Errorf("git cat-file said %q of folder %q", head, folder)
		}
		if folders[folder], err = r.namesIn(rest[:size]); err != nil {
			return nil, err
		}
		out = rest[size+1:]
	}
	return folders, nil
}

// namesIn reads the names of a tree object: "mode name NUL id" for each.
func (r *Repository) namesIn(tree []byte) ([]string, error) {
	var names []string
	for len(tree) > 0 {
		_, rest, ok := bytes.Cut(tree, []byte{' '})
		name, rest, named := bytes.Cut(rest, []byte{0})
		if !ok || !named || len(rest) < r.idLength() {
			return nil, errors.New("a tree object is damaged")
		}
		names = append(names, string(name))
		tree = rest[r.idLength():]
	}
	return names, nil
}

// caseCollisions compares the added paths and all folders above them with their neighbours.
func caseCollisions(added []string, folders map[string][]string) *ConflictError {
	e := &ConflictError{}
	seen := map[string]bool{}
	for _, p := range added {
		for p != "" && !seen[p] {
			seen[p] = true
			top := p[:max(strings.LastIndexByte(p, '/'), 0)]
			name := strings.TrimPrefix(p[len(top):], "/")
			for _, other := range folders[top] {
				if other == name || !strings.EqualFold(other, name) {
					continue
				}
				both := []string{p, path.Join(top, other)}
				slices.Sort(both)
				if slices.ContainsFunc(e.Details, func(d ConflictDetail) bool { return slices.Equal(d.Paths, both) }) {
					continue
				}
				e.Paths = append(e.Paths, both...)
				e.Details = append(e.Details, ConflictDetail{
					Kind: "CONFLICT (case)", Paths: both,
					Message: fmt.Sprintf("%s and %s differ only by case", both[0], both[1]),
				})
			}
			p = top
		}
	}
	slices.Sort(e.Paths)
	e.Paths = slices.Compact(e.Paths)
	return e
}

func (e *ConflictError) orNil() error {
	if len(e.Paths) == 0 {
		return nil
	}
	return e
}

// Advance puts a planned merge into force: the one atomic step of a merge. Repeating it is harmless. ErrMoved when the
// integration is not where the merge was planned for.
func (r *Repository) Advance(ctx context.Context, run string, m Merge) error {
	op := "advance run " + run
	if err := errors.Join(checkName("run", run), checkID(m.Old), checkID(m.New)); err != nil {
		return &Error{Op: op, Err: err}
	}
	if m.Old == m.New {
		return nil
	}
	if err := r.move(ctx, integrationRef(run), m.New, m.Old, "merge"); err != nil {
		return &Error{Op: op, Err: err}
	}
	return nil
}

// Merged finds the merge commit of an attempt between a run's base and its integration, by the trailers Orc-Run,
// Orc-Task and Orc-Attempt of its message.
func (r *Repository) Merged(ctx context.Context, run, task string, number int) (commit string, found bool, err error) {
	op := "look for the merge of " + task
	if err := errors.Join(checkName("run", run), checkName("task", task)); err != nil {
		return "", false, err
	}
	merges, err := r.merges(ctx, run)
	if err != nil {
		return "", false, &Error{Op: op, Err: err}
	}
	for _, m := range merges {
		if m.Task == task && m.Number == number {
			return m.Commit, true, nil
		}
	}
	return "", false, nil
}

// MergedWork is an attempt's work on a run's integration branch.
type MergedWork struct {
	Task   string
	Number int
	Commit string // the merge
	Before string // the integration head that it was merged into
	Tip    string // the saved work
}

// Merges lists what is on a run's integration branch, oldest first, by the trailers of the merge commits.
func (r *Repository) Merges(ctx context.Context, run string) ([]MergedWork, error) {
	op := "list the merged work of run " + run
	if err := checkName("run", run); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	merges, err := r.merges(ctx, run)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	list := make([]MergedWork, 0, len(merges))
	for _, m := range merges {
		list = append(list, MergedWork{Task: m.Task, Number: m.Number, Commit: m.Commit, Before: m.Parent, Tip: m.Tip})
	}
	return list, nil
}

// merged is one merge commit of a run.
type merged struct {
	Commit string
	Parent string // the integration before it
	Tip    string // what was merged
	Task   string
	Number int
	Said   string // its message
}

// merges lists the merge commits of a run, oldest first.
func (r *Repository) merges(ctx context.Context, run string) ([]merged, error) {
	refs, err := r.readRefs(ctx, baseRef(run), integrationRef(run))
	if err != nil {
		return nil, err
	}
	base, head := refs[baseRef(run)], refs[integrationRef(run)]
	if base == "" || head == "" {
		return nil, &Error{Op: "read its refs", Kind: ErrNotBegun}
	}
	trailer := func(key string) string { return "%(trailers:key=" + key + ",valueonly,separator=%x1f)" }
	out, err := r.run(ctx, r.plumbing("log", "-z", "--first-parent", "--reverse", "--no-show-signature", "--no-notes",
		"--format=%H%x1e%P%x1e"+trailer("Orc-Run")+"%x1e"+trailer("Orc-Task")+"%x1e"+trailer("Orc-Attempt")+"%x1e%B", head, "^"+base, "--"))
	if err != nil {
		return nil, err
	}
	var list []merged
	for _, rec := range fields(out) {
		f := strings.SplitN(rec, "\x1e", 6)
		if len(f) != 6 || strings.TrimSpace(f[2]) != run {
			continue
		}
		parents := strings.Fields(f[1])
		n, err := strconv.Atoi(strings.TrimSpace(f[4]))
		if err != nil || len(parents) != 2 {
			continue
		}
		list = append(list, merged{
			Commit: f[0], Parent: parents[0], Tip: parents[1], Task: strings.TrimSpace(f[3]), Number: n, Said: f[5],
		})
	}
	return list, nil
}
