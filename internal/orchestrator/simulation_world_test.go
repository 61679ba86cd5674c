package orchestrator_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// world is everything that survives an owner in a simulation: the store, what stands for git and for the folders,
// and the journal of exits. All of it changes in steps, at each of which the owner can die or be frozen.
type world struct {
	store   persistence.Store
	folder  string
	tasks   map[scheduler.TaskID]simTask
	mu      sync.Mutex
	commits map[string]simCommit
	refs    map[string]string
	folders map[string]map[string]string // workspace to its files
	failed  map[string]int               // how often a command has said no: what a task itself remembers
	edited  map[scheduler.TaskID]simTask // what tasks do by another plan; nil = there is none
	words   int                          // that a person has given
	printed map[scheduler.TaskID]string  // what the commands of lists print
}

type simCommit struct {
	files   map[string]string
	parents []string
	message string
}

// life is one owner: its view of the world, until it dies.
type life struct {
	*world
	persistence.Store

	stopAt int  // the step at which it dies or freezes; 0 = never
	after  bool // the step is still done
	freeze bool // it does not die but waits until thawed is closed

	at     sync.Mutex
	steps  int
	dead   bool
	frozen chan struct{} // closed when it freezes
	thawed chan struct{}
}

var errDead = errors.New("the owner is dead")

func (w *world) newLife(stopAt int, after, freeze bool) *life {
	return &life{world: w, Store: w.store, stopAt: stopAt, after: after, freeze: freeze, frozen: make(chan struct{}), thawed: make(chan struct{})}
}

// step does one durable step, unless the owner dies before it.
func (l *life) step(do func() error) error {
	l.at.Lock()
	if l.dead {
		l.at.Unlock()
		return errDead
	}
	l.steps++
	here := l.steps == l.stopAt
	if here && !l.freeze {
		l.dead = true
	}
	waits := l.freeze && l.stopAt > 0 && l.steps >= l.stopAt // a frozen process does nothing at all
	l.at.Unlock()
	switch {
	case here && !l.freeze && !l.after:
		return errDead
	case waits && !(here && l.after):
		l.wait(here)
		return do()
	}
	err := do()
	if here && l.freeze {
		l.wait(true)
	}
	if here && !l.freeze {
		return errors.Join(err, errDead)
	}
	return err
}

func (l *life) wait(first bool) {
	if first {
		close(l.frozen)
	}
	<-l.thawed
}

// hit says whether the owner came to the step at which it was to stop.
func (l *life) hit() bool {
	l.at.Lock()
	defer l.at.Unlock()
	return l.stopAt > 0 && l.steps >= l.stopAt
}

// taken is how many steps the owner has done.
func (l *life) taken() int {
	l.at.Lock()
	defer l.at.Unlock()
	return l.steps
}

func (l *life) Apply(ctx context.Context, t persistence.Transition) (seq int64, err error) {
	err = l.step(func() error {
		seq, err = l.Store.Apply(ctx, t)
		return err
	})
	return seq, err
}

func (l *life) AcquireLease(ctx context.Context, lease persistence.Lease, now time.Time, force bool) (n int64, err error) {
	err = l.step(func() error {
		n, err = l.Store.AcquireLease(ctx, lease, now, force)
		return err
	})
	return n, err
}

func (l *life) RenewLease(ctx context.Context, run scheduler.RunID, generation int64, now, expires time.Time) error {
	return l.step(func() error { return l.Store.RenewLease(ctx, run, generation, now, expires) })
}

func (l *life) ReleaseLease(ctx context.Context, run scheduler.RunID, generation int64) error {
	return l.step(func() error { return l.Store.ReleaseLease(ctx, run, generation) })
}

// change is a step that changes what stands for git or the folders.
func (l *life) change(do func() error) error {
	return l.step(func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		return do()
	})
}

func simRef(run string, parts ...string) string {
	return "refs/orc/" + run + "/" + strings.Join(parts, "/")
}

func (l *life) Root() string { return filepath.Join(l.folder, "repository") }

func (l *life) Sweep(context.Context, string) error { return nil }

func (l *life) Begin(_ context.Context, run, branch, base string) (fresh bool, err error) {
	err = l.change(func() error {
		fresh = l.refs[simRef(run, "base")] == ""
		for _, ref := range []string{simRef(run, "base"), simRef(run, "integration"), "refs/heads/" + branch} {
			if l.refs[ref] == "" {
				l.refs[ref] = base
			}
		}
		return nil
	})
	return fresh, err
}

func (l *life) Integration(_ context.Context, run string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refs[simRef(run, "integration")], nil
}

// add stores a commit. The caller holds the lock.
func (w *world) add(c simCommit) string {
	id := fmt.Sprintf("%040x", len(w.commits)+1)
	w.commits[id] = c
	return id
}

func (l *life) Seal(_ context.Context, s workspace.SealSpec) (saved workspace.Saved, err error) {
	err = l.change(func() error {
		saved.Ref = simRef(s.Run, "task", s.Task, strconv.Itoa(s.Number))
		if saved.Commit = l.refs[saved.Ref]; saved.Commit == "" {
			files, ok := l.folders[s.Dir]
			if !ok {
				return fmt.Errorf("there is no workspace %s", s.Dir)
			}
			saved.Commit = s.Base
			if !maps.Equal(files, l.commits[s.Base].files) {
				saved.Commit = l.add(simCommit{files: maps.Clone(files), parents: []string{s.Base}, message: s.Message})
			}
			l.refs[saved.Ref] = saved.Commit
		}
		saved.Empty = saved.Commit == s.Base
		return nil
	})
	return saved, err
}

// SealLate is never needed: nothing works here behind an attempt's back.
func (l *life) SealLate(context.Context, workspace.SealSpec) (workspace.Saved, bool, error) {
	return workspace.Saved{}, false, nil
}

func (l *life) Saves(_ context.Context, run string) ([]workspace.SavedRef, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []workspace.SavedRef
	for _, ref := range slices.Sorted(maps.Keys(l.refs)) {
		rest, ok := strings.CutPrefix(ref, simRef(run, "task")+"/")
		if !ok {
			continue
		}
		task, number, _ := strings.Cut(rest, "/")
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		list = append(list, workspace.SavedRef{Task: task, Number: n, Ref: ref, Commit: l.refs[ref]})
	}
	return list, nil
}

// Provide has nothing to add: no run of a simulation needs ignored files.
func (l *life) Provide(context.Context, workspace.Spec, []string, []string) error { return nil }

func (l *life) PlanMerge(_ context.Context, run, tip, message string) (m workspace.Merge, err error) {
	err = l.change(func() error {
		m.Old = l.refs[simRef(run, "integration")]
		ours, theirs := l.commits[m.Old], l.commits[tip]
		base := l.commits[theirs.parents[0]]
		files := maps.Clone(ours.files)
		for path, text := range theirs.files {
			switch {
			case text == base.files[path] || text == ours.files[path]:
			case ours.files[path] != base.files[path]:
				return &workspace.ConflictError{Paths: []string{path}}
			default:
				files[path] = text
			}
		}
		m.New = l.add(simCommit{files: files, parents: []string{m.Old, tip}, message: message})
		m.Tree, m.Work = simTree(files), simTree(theirs.files)
		return nil
	})
	return m, err
}

func (l *life) Advance(_ context.Context, run string, m workspace.Merge) error {
	return l.change(func() error {
		ref := simRef(run, "integration")
		if l.refs[ref] == m.New {
			return nil
		}
		if l.refs[ref] != m.Old {
			return &workspace.Error{Op: "advance", Kind: workspace.ErrMoved}
		}
		l.refs[ref] = m.New
		return nil
	})
}

// chain lists the merges of a run, oldest first. The caller holds the lock.
func (w *world) chain(run string) []string {
	var ids []string
	for id := w.refs[simRef(run, "integration")]; id != "" && id != w.refs[simRef(run, "base")]; id = w.commits[id].parents[0] {
		ids = append(ids, id)
	}
	slices.Reverse(ids)
	return ids
}

func (l *life) Merged(_ context.Context, run, task string, number int) (string, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.chain(run) {
		if m := l.commits[id].message; trailer(m, "Orc-Task") == task && trailer(m, "Orc-Attempt") == strconv.Itoa(number) {
			return id, true, nil
		}
	}
	return "", false, nil
}

func (l *life) Merges(_ context.Context, run string) ([]workspace.MergedWork, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []workspace.MergedWork
	for _, id := range l.chain(run) {
		number, err := strconv.Atoi(trailer(l.commits[id].message, "Orc-Attempt"))
		if err != nil {
			return nil, err
		}
		all = append(all, workspace.MergedWork{
			Task: trailer(l.commits[id].message, "Orc-Task"), Number: number, Commit: id,
			Before: l.commits[id].parents[0], Tip: l.commits[id].parents[1],
		})
	}
	return all, nil
}

func trailer(message, key string) string {
	for line := range strings.Lines(message) {
		if value, ok := strings.CutPrefix(line, key+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (l *life) Mirror(_ context.Context, run, branch string) error {
	return l.change(func() error {
		l.refs["refs/heads/"+branch] = l.refs[simRef(run, "integration")]
		return nil
	})
}

// Look is asked for agents' work only, and there are none here.
func (l *life) Look(context.Context, workspace.Spec) (string, error) {
	return "", errors.New("a simulation has no agents")
}

// Diff has no reader here: only agents are shown one.
func (l *life) Diff(context.Context, io.Writer, string, string, workspace.DiffOptions) error {
	return nil
}

func (l *life) Changes(context.Context, string, string) ([]workspace.FileChange, error) {
	return nil, nil
}

// Take and Give are those of a pool without a pool.
func (l *life) Take(_ context.Context, s workspace.Spec) error {
	return l.change(func() error {
		l.folders[s.Dir] = maps.Clone(l.commits[s.Base].files)
		return nil
	})
}

func (l *life) Give(_ context.Context, s workspace.Spec) error {
	return l.change(func() error {
		delete(l.folders, s.Dir)
		return nil
	})
}

func (l *life) Drop(ctx context.Context, s workspace.Spec) error { return l.Give(ctx, s) }

// Onto is for agents' work, and there are none here.
func (l *life) Onto(context.Context, string, string, int, string, string) (workspace.Merge, error) {
	return workspace.Merge{}, errors.New("a simulation has no agents")
}

// What follows is for the resolver, and there are no agents here.

func (l *life) Conflict(context.Context, string, string, string) ([]workspace.ConflictFile, error) {
	return nil, errors.New("a simulation has no agents")
}

func (l *life) Conflicted(context.Context, string, string, int, string, string) (workspace.Conflicted, error) {
	return workspace.Conflicted{}, errors.New("a simulation has no agents")
}

func (l *life) StageConflict(context.Context, workspace.Spec, workspace.Conflicted) error {
	return errors.New("a simulation has no agents")
}

func (l *life) Markers(context.Context, string, []string) ([]string, error) {
	return nil, errors.New("a simulation has no agents")
}

// simSupervisor runs gates, and nothing else: the provider below does without.
type simSupervisor struct{ *life }

func (s simSupervisor) Launch(_ context.Context, c process.Spec) (*process.Child, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, ok := s.folders[c.Dir]
	if !ok {
		return nil, fmt.Errorf("there is no workspace %s", c.Dir)
	}
	exit := process.Exit{}
	if !passes(c.Argv[len(c.Argv)-1], files) {
		exit.Code = 1
	}
	return process.Ended(c.ID, exit), nil
}

func (simSupervisor) Close(context.Context) error { return nil }

// simProvider runs the tasks of a simulation.
type simProvider struct{ *life }

func (p simProvider) Name() string { return "command" }

// Turn does what the task's command would: it takes its time, changes files, and ends; the supervisor writes that
// down. A command dies with its owner.
func (p simProvider) Turn(ctx context.Context, _ provider.Launcher, t provider.Turn) (provider.Result, error) {
	id := t.ID[:strings.LastIndexByte(t.ID, '.')]
	task := p.tasks[scheduler.TaskID(id)]
	p.mu.Lock()
	if other := p.edited[scheduler.TaskID(id)]; other.command == t.Command || task.id == "" {
		task = other
	}
	p.mu.Unlock()
	word := id + " " + t.Command
	select {
	case <-time.After(task.takes):
	case <-ctx.Done():
		return provider.Result{}, context.Cause(ctx)
	}
	if err := p.change(func() error {
		if t.Out != "" {
			return os.WriteFile(t.Out, []byte(p.printed[scheduler.TaskID(id)]), 0o600)
		}
		task.write(p.folders[t.Dir])
		return nil
	}); err != nil {
		return provider.Result{}, err
	}
	code := 0
	if err := p.change(func() error {
		if p.failed[word] < task.fails {
			p.failed[word]++
			code = 1
		}
		return p.journal(t.ID, code)
	}); err != nil {
		return provider.Result{}, err
	}
	return p.Finish(t, process.Exit{Code: code})
}

func (simProvider) Finish(t provider.Turn, exit process.Exit) (provider.Result, error) {
	r := provider.Result{Output: "said by " + t.ID, ExitCode: &exit.Code}
	if exit.Code != 0 {
		r.Kind, r.Error = provider.KindFailed, fmt.Sprintf("exit %d", exit.Code)
	}
	return r, nil
}

func (w *world) journalPath() string { return filepath.Join(w.folder, "exits.log") }

// journal writes a line as the supervisor does.
func (w *world) journal(id string, code int) error {
	f, err := os.OpenFile(w.journalPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "{\"id\":%q,\"code\":%d}\n", id, code)
	return errors.Join(err, f.Close())
}

// engine makes an owner out of a life.
func (l *life) engine(run scheduler.RunID, name string) (*orchestrator.Engine, error) {
	return orchestrator.New(orchestrator.Options{
		Run: run, Store: l, Repository: l,
		Workspaces: func(scheduler.Isolation) (orchestrator.Workspaces, error) { return l, nil },
		Supervise:  func(context.Context) (orchestrator.Supervisor, error) { return simSupervisor{l}, nil },
		Providers:  map[string]provider.Provider{"command": simProvider{l}},
		Folder:     l.folder, Area: filepath.Join(l.folder, "ws"), Journal: l.journalPath(),
		Owner: name, PID: 1, Takeover: true, Expand: expandSimply,
	})
}

// git answers the two questions that package invariants asks.
func (w *world) git(run string) func(context.Context, ...string) (string, error) {
	return func(_ context.Context, args ...string) (string, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		var lines []string
		switch args[0] {
		case "for-each-ref":
			for _, ref := range slices.Sorted(maps.Keys(w.refs)) {
				lines = append(lines, ref+" "+w.refs[ref])
			}
		case "log":
			for _, id := range w.chain(run) {
				c := w.commits[id]
				lines = append(lines, strings.Join([]string{
					id, strings.Join(c.parents, " "), trailer(c.message, "Orc-Run"), trailer(c.message, "Orc-Task"),
					cmp.Or(trailer(c.message, "Orc-Attempt"), "0"),
				}, "\x1f"))
			}
		}
		return strings.Join(lines, "\n"), nil
	}
}
