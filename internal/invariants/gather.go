package invariants

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// Git runs one git command in the repository and gives its output without the last line end.
type Git func(ctx context.Context, args ...string) (string, error)

// Gather reads what is known of a run, and whether the database is sound. Nobody may be writing to it meanwhile.
func Gather(ctx context.Context, store persistence.Store, git Git, id scheduler.RunID) (Facts, error) {
	f, err := Read(ctx, store, git, id)
	if err != nil {
		return f, err
	}
	if err := store.Check(ctx); err != nil {
		if ctx.Err() != nil {
			return f, err
		}
		f.Unsound = err.Error()
	}
	return f, nil
}

// Read is Gather without the database's own check, which takes as long for one run as for all of them.
func Read(ctx context.Context, store persistence.Store, git Git, id scheduler.RunID) (f Facts, err error) {
	if f.Run, err = store.GetRun(ctx, id); err != nil {
		return f, fmt.Errorf("read the run: %w", err)
	}
	if f.Tasks, err = store.ListTasks(ctx, id); err != nil {
		return f, fmt.Errorf("read the tasks: %w", err)
	}
	if f.Attempts, err = store.ListAttempts(ctx, id, ""); err != nil {
		return f, fmt.Errorf("read the attempts: %w", err)
	}
	if f.Events, err = store.Events(ctx, id, 0, 0); err != nil {
		return f, fmt.Errorf("read the events: %w", err)
	}
	lease, err := store.GetLease(ctx, id)
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return f, fmt.Errorf("read the lease: %w", err)
	}
	f.Owners = lease.Generation
	f.Turns = map[scheduler.TaskID][]persistence.ConversationTurn{}
	for _, t := range f.Tasks {
		if f.Turns[t.ID], err = store.GetHistory(ctx, id, t.ID); err != nil {
			return f, fmt.Errorf("read what was said: %w", err)
		}
	}
	f.There = map[string]bool{}
	for _, a := range f.Attempts {
		if _, err := os.Lstat(a.Workspace); err == nil {
			f.There[a.Workspace] = true
		}
	}
	return f, f.readGit(ctx, git)
}

func (f *Facts) readGit(ctx context.Context, git Git) error {
	run := string(f.Run.ID)
	out, err := git(ctx, "for-each-ref", "--format=%(refname) %(objectname)", "refs/orc/"+run+"/", "refs/heads/"+f.Run.Branch)
	if err != nil {
		return fmt.Errorf("read the refs: %w", err)
	}
	f.Refs = map[string]string{}
	for line := range strings.Lines(out) {
		ref, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		f.Refs[ref] = id
	}
	if err := f.readObjects(ctx, git); err != nil {
		return err
	}
	head := f.Refs["refs/orc/"+run+"/integration"]
	if head == "" {
		return nil // no owner came as far as to begin
	}
	if f.Missing != "" {
		return nil // the branch cannot be read where its objects are not all there
	}
	trailer := func(key string) string { return "%(trailers:key=" + key + ",valueonly,separator=%x20)" }
	out, err = git(ctx, "log", "--first-parent", "--reverse", "--format=%H%x1f%P%x1f"+trailer("Orc-Run")+"%x1f"+trailer("Orc-Task")+"%x1f"+trailer("Orc-Attempt"),
		head, "--not", f.Run.Base)
	if err != nil {
		return fmt.Errorf("read the integration branch: %w", err)
	}
	for line := range strings.Lines(out) {
		p := strings.Split(strings.TrimSpace(line), "\x1f")
		if len(p) != 5 {
			return fmt.Errorf("read the integration branch: git log said %q", line)
		}
		n, err := strconv.Atoi(p[4])
		if err != nil {
			n = 0 // a commit without our trailers: Check says so
		}
		f.Merges = append(f.Merges, Commit{ID: p[0], Parents: strings.Fields(p[1]), Run: p[2], Task: scheduler.TaskID(p[3]), Attempt: n})
	}
	return nil
}

// readObjects looks whether everything that the run's refs lead to is there. What lies before the run's base is the
// user's.
func (f *Facts) readObjects(ctx context.Context, git Git) error {
	var ids []string
	for _, id := range f.Refs {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	args := append([]string{"rev-list", "--objects", "--quiet"}, ids...)
	if base := f.Refs["refs/orc/"+string(f.Run.ID)+"/base"]; base != "" {
		args = append(args, "--not", base)
	}
	if _, err := git(ctx, args...); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("look for the objects: %w", err)
		}
		f.Missing = err.Error()
	}
	return nil
}
