package orchestrator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"orchestrator/internal/event"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// sweep moves the unfinished copies that an agent left beside its files out of the workspace, so that they are no part
// of what is merged. They are kept among the run's files.
func (at *attempt) sweep() ([]event.Event, error) {
	a, e := &at.a, at.e
	if a.Work == nil || a.Isolation == scheduler.IsolationNone {
		return nil, nil
	}
	tree, err := e.o.Repository.Look(e.ctx, e.spec(a))
	if err != nil {
		return nil, err
	}
	changes, err := e.o.Repository.Changes(e.ctx, a.Base, tree)
	if err != nil {
		return nil, err
	}
	var events []event.Event
	for _, c := range changes {
		if !provider.Litter(c.Path) {
			continue
		}
		if isNew, err := at.isNew(tree, c.Path); err != nil || !isNew {
			if err != nil {
				return nil, err
			}
			continue // the repository itself has a file of that name
		}
		kept := filepath.Join(e.o.Folder, "litter", string(a.Task)+"."+strconv.Itoa(a.Number), filepath.FromSlash(c.Path))
		if err := moveOut(a.Workspace, c.Path, kept); err != nil {
			return nil, fmt.Errorf("move %s out of the work: %w", c.Path, err)
		}
		events = append(events, e.event(event.Notice, a.Task, a.Number, event.Detail{
			Message: "its agent left an unfinished copy, which is no part of the work: " + c.Path + " is now " + kept, Paths: []string{c.Path},
		}))
	}
	return events, nil
}

// isNew says whether the base does not have a file that the tree has.
func (at *attempt) isNew(tree, name string) (bool, error) {
	patch := &capped{limit: 4 << 10} // what is looked for is at its beginning
	err := at.e.o.Repository.Diff(at.e.ctx, patch, at.a.Base, tree, workspace.DiffOptions{Paths: []string{name}})
	return strings.Contains(patch.text(), "\nnew file mode "), err
}

// moveOut moves a regular file of a folder that an agent wrote; whatever else has the name stays.
func moveOut(dir, name, to string) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	st, err := root.Lstat(filepath.FromSlash(name))
	if err != nil || !st.Mode().IsRegular() {
		return err
	}
	text, err := root.ReadFile(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		return err
	}
	return root.Remove(filepath.FromSlash(name))
}
