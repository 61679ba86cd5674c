package workspace

import (
	"context"
	"strings"
)

// Holders lists where the user keeps a commit: branches, remote branches and tags that it is reachable from, by full
// name. A run's own branch does not count; it is named without refs/heads/.
func (r *Repository) Holders(ctx context.Context, commit string, own ...string) ([]string, error) {
	const op = "look for the branches that have a commit"
	if err := checkID(commit); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	out, err := r.run(ctx, r.plumbing("for-each-ref", "--format=%(refname)", "--contains="+commit, "refs/heads", "refs/remotes", "refs/tags"))
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	ours := make(map[string]bool, len(own))
	for _, branch := range own {
		ours["refs/heads/"+branch] = true
	}
	var holders []string
	for ref := range strings.Lines(string(out)) {
		if ref = strings.TrimSuffix(ref, "\n"); !ours[ref] {
			holders = append(holders, ref)
		}
	}
	return holders, nil
}

// Unmerged lists the saved work of a run that is not in a commit's history, in the order of Saves.
func (r *Repository) Unmerged(ctx context.Context, run, commit string) ([]SavedRef, error) {
	op := "look for work of run " + run + " that is not merged"
	if err := checkID(commit); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	saves, err := r.Saves(ctx, run)
	if err != nil || len(saves) == 0 {
		return nil, err
	}
	out, err := r.run(ctx, r.plumbing("for-each-ref", "--format=%(refname)", "--no-merged="+commit, runRefs(run)+"/task/", runRefs(run)+"/extra/"))
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	outside := map[string]bool{}
	for ref := range strings.Lines(string(out)) {
		outside[strings.TrimSuffix(ref, "\n")] = true
	}
	var unmerged []SavedRef
	for _, s := range saves {
		if outside[s.Ref] {
			unmerged = append(unmerged, s)
		}
	}
	return unmerged, nil
}

// CheckSaved says whether everything in a workspace that is not ignored was saved; it changes nothing. ErrUnsaved,
// naming a file, when not; fs.ErrNotExist when the workspace was never complete, so that nobody has worked in it.
func (r *Repository) CheckSaved(ctx context.Context, s Spec) error {
	op := "look at the workspace of " + s.Task
	if err := r.check(s); err != nil {
		return err
	}
	entries, written, err := r.readIndex(s.Index)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	found, err := scanFolder(ctx, s.Dir, entries, written, true)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	if found.differences() == 0 {
		return nil
	}
	return r.checkSaved(ctx, s, entries, found)
}
