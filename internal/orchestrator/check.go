package orchestrator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"orchestrator/internal/event"
	"orchestrator/internal/fault"
	"orchestrator/internal/process"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// checkFolder is the folder, among the workspaces and among the indexes, of the rooms in which merged results are
// checked. No task is called so.
const checkFolder = ".check"

// passedGates are gates that passed on a tree or on a commit, by its id. What is checked once is not checked again.
type passedGates struct {
	mu    sync.Mutex
	known map[[2]string]bool
}

func (p *passedGates) add(id string, gates ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[[2]string]bool{}
	}
	for _, g := range gates {
		p.known[[2]string{id, g}] = true
	}
}

func (p *passedGates) has(id, gate string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[[2]string{id, gate}]
}

// redGate is a gate that failed on a merged result.
type redGate struct {
	gate   string // empty = the workspace could not be set up
	text   string
	output string
	code   *int
}

// since lists the tasks that were merged after an attempt's base, up to a head: what it has not seen.
func (at *attempt) since(head string) ([]workspace.MergedWork, error) {
	merges, err := at.e.o.Repository.Merges(at.e.ctx, string(at.a.Run))
	if err != nil {
		return nil, err
	}
	return upTo(after(merges, at.a.Base), head), nil
}

// after are the merges that follow a commit; all of them when it is none of them.
func after(merges []workspace.MergedWork, commit string) []workspace.MergedWork {
	i := slices.IndexFunc(merges, func(m workspace.MergedWork) bool { return m.Commit == commit })
	return merges[i+1:]
}

// upTo are the merges up to a commit, that one included; none when it is none of them.
func upTo(merges []workspace.MergedWork, commit string) []workspace.MergedWork {
	i := slices.IndexFunc(merges, func(m workspace.MergedWork) bool { return m.Commit == commit })
	return merges[:i+1]
}

// gatesOfMerge are the gates that the result of a merge must pass, in plan order, and the tasks that they belong to.
func (at *attempt) gatesOfMerge(m workspace.Merge) (gates []string, tasks []scheduler.TaskID, err error) {
	e := at.e
	if own := e.options().Merge.Commands; len(own) > 0 {
		return own, []scheduler.TaskID{at.a.Task}, nil
	}
	merges, err := at.since(m.Old)
	if err != nil {
		return nil, nil, err
	}
	in := map[scheduler.TaskID]bool{at.a.Task: true}
	for _, w := range merges {
		in[scheduler.TaskID(w.Task)] = true
	}
	for _, id := range e.frozen.Load().order {
		if !in[id] {
			continue
		}
		tasks = append(tasks, id)
		for _, g := range e.definition(id).Verify {
			if !slices.Contains(gates, g) {
				gates = append(gates, g)
			}
		}
	}
	return gates, tasks, nil
}

// check runs the gates on what a merge would make, before it counts. nil means that they passed, here or earlier; else
// the attempt ends with what it returns.
func (at *attempt) check(m workspace.Merge) (*ended, error) {
	a, e := &at.a, at.e
	mark := m.Old + " " + m.Tree
	if !e.options().Merge.Verify || m.Old == m.New || a.Checked == mark || fault.Mutant("unchecked-merge") {
		return nil, nil
	}
	gates, tasks, err := at.gatesOfMerge(m)
	if err != nil {
		return nil, err
	}
	e.passed.add(m.Work, at.task.Verify...) // they passed before it was saved
	todo := slices.DeleteFunc(slices.Clone(gates), func(g string) bool { return e.passed.has(m.Tree, g) })
	if len(todo) > 0 {
		if err := at.sayChecking(todo); err != nil {
			return nil, err
		}
		red, err := at.tryGates(m.New, todo, tasks)
		if err != nil {
			return nil, err
		}
		if red != nil {
			return at.misfit(m, *red, tasks)
		}
		e.passed.add(m.Tree, todo...)
	}
	e.passed.add(m.New, gates...)
	a.Checked = mark // becomes durable with the intent
	fault.Point("attempt.checked")
	return nil, nil
}

func (at *attempt) sayChecking(gates []string) error {
	return at.e.report(progress{attempt: at.a, events: []event.Event{at.e.event(event.TaskActivity, at.a.Task, at.a.Number, event.Detail{
		Message: "checks what the merge makes: " + oneLine(some(gates)),
	})}})
}

// tryGates runs gates on a commit, in a workspace that is made for that and goes with it. nil means that all passed. It
// can be interrupted: nothing has changed then.
func (at *attempt) tryGates(commit string, gates []string, tasks []scheduler.TaskID) (red *redGate, err error) {
	for lost := 0; ; lost++ {
		red, err = at.tryOnce(commit, gates, tasks)
		if !errors.Is(err, process.ErrSupervisorLost) || lost == maxLost {
			return red, err
		}
	}
}

func (at *attempt) tryOnce(commit string, gates []string, tasks []scheduler.TaskID) (red *redGate, err error) {
	e := at.e
	spec := e.checkSpec(at.a.Task, commit)
	room := *at
	room.a.Workspace, room.a.Base, room.a.Isolation = spec.Dir, commit, scheduler.IsolationClone
	room.a.ExitCode, room.a.Output = nil, ""
	ws, err := e.o.Workspaces(scheduler.IsolationClone)
	if err != nil {
		return nil, err
	}
	if err := ws.Take(at.ctx, spec); err != nil {
		return nil, err
	}
	fault.Point("attempt.checking")
	defer func() { err = errors.Join(err, ws.Drop(e.ctx, spec)) }()
	failure, err := room.furnish(spec, e.setupOfAll(tasks))
	if failure != "" || err != nil {
		return &redGate{text: failure, output: room.a.Output, code: room.a.ExitCode}, err
	}
	env, err := room.environ()
	if err != nil {
		return nil, err
	}
	for i, g := range gates {
		title := fmt.Sprintf("verify %d of %d of the merged result %.10s", i+1, len(gates), commit)
		failure, err := room.shell(g, title, turnID(&at.a)+".m"+strconv.Itoa(i+1), "verify of the merged result", env)
		if err != nil {
			return nil, err
		}
		if failure != "" {
			return &redGate{gate: g, text: failure, output: room.a.Output, code: room.a.ExitCode}, nil
		}
		e.passed.add(commit, g)
	}
	return nil, nil
}

// setupOfAll brings together how the workspaces of tasks are set up.
func (e *Engine) setupOfAll(tasks []scheduler.TaskID) (all scheduler.Setup) {
	add := func(list *[]string, more ...string) {
		for _, s := range more {
			if !slices.Contains(*list, s) {
				*list = append(*list, s)
			}
		}
	}
	var commands []string
	for _, id := range tasks {
		s := e.setupOf(id)
		add(&all.Copy, s.Copy...)
		add(&all.Symlink, s.Symlink...)
		if s.Command != "" {
			add(&commands, s.Command)
		}
	}
	all.Symlink = slices.DeleteFunc(all.Symlink, func(p string) bool { return slices.Contains(all.Copy, p) })
	for i, c := range commands {
		if i > 0 {
			all.Command += " &&\n"
		}
		all.Command += "{ " + c + "\n}"
	}
	return all
}

// checkSpec is the room in which merged results are checked on behalf of an attempt.
func (e *Engine) checkSpec(task scheduler.TaskID, commit string) workspace.Spec {
	return workspace.Spec{
		Run: string(e.o.Run), Task: string(task), Base: commit, Dir: filepath.Join(e.o.Area, checkFolder, string(task)),
		Index: filepath.Join(e.o.Folder, "index", checkFolder, string(task)),
	}
}

// clearChecks removes the rooms that a dead owner left. Nothing in them is anybody's work.
func (e *Engine) clearChecks() error {
	rooms, err := os.ReadDir(filepath.Join(e.o.Area, checkFolder))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for rooms of checks: %w", err)
	}
	ws, err := e.o.Workspaces(scheduler.IsolationClone)
	if err != nil {
		return err
	}
	for _, r := range rooms {
		if err := ws.Drop(e.ctx, e.checkSpec(scheduler.TaskID(r.Name()), "")); err != nil {
			return fmt.Errorf("remove the room of a check: %w", err)
		}
	}
	return nil
}
