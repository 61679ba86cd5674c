package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// showConflict makes the folder in which a person resolves a conflict: the files with their markers, in a repository
// that is in the middle of the merge, so that the usual tools work. What is known is written last.
func (r *Repository) showConflict(ctx context.Context, s LandSpec, l *landing, m merged, conflict *ConflictError) error {
	files, err := r.commit(ctx, conflict.Tree, "Conflict of "+m.Task, l.Current)
	if err != nil {
		return err
	}
	l.Files = files
	refs, err := r.readRefs(ctx, landRef(s.Run))
	if err != nil {
		return err
	}
	if err := r.move(ctx, landRef(s.Run), files, refs[landRef(s.Run)], "merge into "+s.Branch); err != nil {
		return err
	}
	if err := os.MkdirAll(s.Folder, 0o700); err != nil {
		return err
	}
	w := s.workspace(files)
	if err := s.Driver.Create(ctx, w); err != nil {
		return err
	}
	if err := r.stage(ctx, w, l.Current, m.Commit, m.Said, conflict); err != nil {
		return err
	}
	return s.write(l)
}

// stage puts the fresh folder's own git into the middle of the merge of tip into head. Nobody has worked there yet, so
// its .git may be used.
func (r *Repository) stage(ctx context.Context, w Spec, head, tip, message string, conflict *ConflictError) error {
	own := func(args ...string) call { return call{args: args, dir: w.Dir, ceiling: filepath.Dir(w.Dir)} }
	out, err := r.run(ctx, own("rev-parse", "--path-format=absolute", "--git-dir"))
	if err != nil {
		return err
	}
	gitDir := line(out)
	if _, err := r.run(ctx, own("reset", "--soft", "-q", head)); err != nil {
		return err
	}
	if len(conflict.stages) > 0 {
		var in strings.Builder
		for _, st := range conflict.stages {
			_, path, _ := strings.Cut(st, "\t")
			fmt.Fprintf(&in, "0 %s\t%s\x00", strings.Repeat("0", len(head)), path)
		}
		for _, st := range conflict.stages {
			in.WriteString(st + "\x00")
		}
		c := own("update-index", "-z", "--index-info")
		c.stdin = strings.NewReader(in.String())
		if _, err := r.run(ctx, c); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(gitDir, "MERGE_MSG"), []byte(message), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(gitDir, "MERGE_HEAD"), []byte(tip+"\n"), 0o600)
}

// takeResolution makes the commit of a conflict that a person has resolved.
func (r *Repository) takeResolution(ctx context.Context, s LandSpec, l *landing) error {
	w := s.workspace(l.Files)
	if st, err := os.Lstat(w.Dir); err != nil || !st.IsDir() {
		return &Error{Op: "open " + w.Dir, Kind: ErrNoWorkspace, Err: err, Hint: "abort the merge and start it again"}
	}
	index := w.Index + ".seal"
	if err := removeFile(index+".lock", index+".new"); err != nil {
		return err
	}
	if err := copyIndex(index, w.Index); err != nil {
		return err
	}
	agent, err := r.readAgentGit(w.Dir)
	if err != nil {
		return err
	}
	tree, _, err := r.saveFiles(ctx, w, index, agent, l.Files)
	if err != nil {
		return err
	}
	if err := r.checkMarkers(ctx, tree, l.Paths, w.Dir); err != nil {
		return err
	}
	found, err := r.objects(ctx, l.Current+"^{tree}")
	if err != nil {
		return err
	}
	if err := r.checkCase(ctx, found[0].ID, tree); err != nil {
		return err
	}
	merges, err := r.merges(ctx, s.Run)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(merges, func(m merged) bool { return m.Commit == l.Commit })
	if i < 0 {
		return &Error{Op: "find the merge of " + l.Task, Kind: ErrMoved}
	}
	if err := r.addLanded(ctx, l, l.Task, l.Commit, merges[i].Said, tree); err != nil {
		return err
	}
	// From here on the resolution is safe, whatever becomes of the folder.
	refs, err := r.readRefs(ctx, landRef(s.Run))
	if err != nil {
		return err
	}
	if err := r.move(ctx, landRef(s.Run), l.Current, refs[landRef(s.Run)], "merge into "+s.Branch); err != nil {
		return err
	}
	l.Task = ""
	return s.write(l)
}

// checkMarkers finds files of a conflict that still have its markers.
func (r *Repository) checkMarkers(ctx context.Context, tree string, paths []string, dir string) error {
	left, err := r.markers(ctx, tree, paths)
	if err != nil || left == nil {
		return err
	}
	return &Error{
		Op: "read the resolution", Kind: ErrMarkers, Err: errors.New(strings.Join(left, ", ")),
		Hint: "edit the files in " + dir,
	}
}

func (r *Repository) markers(ctx context.Context, tree string, paths []string) (left []string, err error) {
	for _, p := range paths {
		found, err := r.run(ctx, r.plumbing("ls-tree", "-z", "--full-tree", "--format=%(objecttype) %(objectname)", tree, "--", p))
		if err != nil {
			return nil, err
		}
		kind, id, _ := strings.Cut(strings.TrimSuffix(string(found), "\x00"), " ")
		if kind != "blob" {
			continue
		}
		b, err := r.run(ctx, r.plumbing("cat-file", "blob", id))
		if err != nil {
			return nil, err
		}
		text := "\n" + string(b)
		if strings.Contains(text, "\n<<<<<<< ") && strings.Contains(text, "\n>>>>>>> ") {
			left = append(left, p)
		}
	}
	return left, nil
}
