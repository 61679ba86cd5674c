// Package plan reads plan files: YAML in, a checked Plan out, compiled to the tasks of a run. Everything that is wrong
// is found in one pass and said with line, column and caret; the JSON Schema is made from the same table of keys that
// the checker uses. A Plan is frozen when it is loaded: prompt files are read then, and nothing is looked at again.
package plan

import (
	"slices"
	"time"

	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

// Version is the version of the format that this package reads.
const Version = 1

// Plan is a checked plan.
type Plan struct {
	Name        string // the file's name without extension where the plan has none
	Description string
	Base        string // a git revision; empty = HEAD
	Concurrency int    // tasks at a time; 0 = the default of the configuration
	Context     string // goes in front of every prompt
	Agents      map[string]Agent
	Source      Source
	tasks       []task // in file order
	index       map[string]int32
	isolation   scheduler.Isolation // of tasks that say nothing
	strict      bool                // strict_writes of tasks that say nothing
	each        []Each
	made        map[string][]string // the tasks of each list, by the list's id; only once the lists are known
	templates   []task              // stand for the tasks of the lists that are made while the run goes on
	whole       settings            // what the plan says outside of defaults: questions
	defaults    settings
	merge       merging
	workflows   map[string]Workflow // that the plan defines
	configured  map[string]Workflow // that the configuration defines
}

// merging is how work is merged, as `merge` says.
type merging struct {
	verify   *bool    // nil = not given
	commands []string // the gates of merged results
	conflict string   // one of Conflicts; empty = not given
}

// Source is the text that a plan was made of.
type Source struct {
	Path string // as given
	Text []byte
}

// Agent is a role that a plan or the configuration defines.
type Agent struct {
	Provider     string   // how to drive it: "command", or the name of a provider
	Command      string   // provider command: the shell command; the prompt comes on standard input
	Model        string   // empty = the agent's own choice
	Permissions  string   // one of Permissions; empty = edit
	Sandbox      string   // one of Sandboxes; empty = as the configuration says
	Instructions string   // added to the agent's system prompt; the text of instructions_file
	Args         []string // added to the agent's command line
	Fallback     string   // the role that does its work while its account is held; empty = none does
}

// task is a task as the file has it.
type task struct {
	settings
	id     string
	key    *document.Node
	name   string
	prompt work
	file   work
	run    work
	needs  []document.Item
	writes []document.Item
	each   *each   // nil = not given
	made   bool    // it is one task of a list
	item   string  // and is for this
	listed bool    // it needs the task that makes the list, and nothing else
	deps   []int32 // needs as indices, without duplicates and unknown ones; only once needs are resolved
	depAt  []*document.Node
}

// work is one of the three things that a task can do.
type work struct {
	at   *document.Node // the key; nil = not given
	text string
}

// settings are what a task can say and `defaults` can say for all.
type settings struct {
	agent     document.Item
	verify    []string
	verifies  bool // verify is given, perhaps as an empty list
	retry     retry
	timeout   time.Duration
	failure   scheduler.FailureMode
	isolation scheduler.Isolation
	strict    *bool            // nil = not given
	setup     *scheduler.Setup // nil = not given
	questions string           // one of Questions; empty = not given
	approve   asked
	budget    limits
	workflow  document.Item // the name of one, or none; empty = not given
}

// StrictWrites returns the tasks whose attempts fail when they change files outside of what they write.
func (p *Plan) StrictWrites() []scheduler.TaskID {
	var strict []scheduler.TaskID
	for i := range p.tasks {
		t := &p.tasks[i]
		if said := first(t.strict, p.defaults.strict, &p.strict); *said && len(t.writes) > 0 {
			strict = append(strict, scheduler.TaskID(t.id))
		}
	}
	return strict
}

// FreshSessions returns the tasks whose next attempt does not go on with the session of the one that failed.
func (p *Plan) FreshSessions() []scheduler.TaskID {
	var fresh []scheduler.TaskID
	for i := range p.tasks {
		if t := &p.tasks[i]; first(t.retry.session, p.defaults.retry.session) == freshSession {
			fresh = append(fresh, scheduler.TaskID(t.id))
		}
	}
	return fresh
}

// Questions is what becomes of agents' questions in tasks that do not say it themselves; empty = the plan does not say.
func (p *Plan) Questions() string { return first(p.defaults.questions, p.whole.questions) }

// QuestionsOf are the tasks that say it themselves.
func (p *Plan) QuestionsOf() map[scheduler.TaskID]string {
	return own(p, func(t *task) (string, bool) { return t.questions, t.questions != "" })
}

// MergeVerify says whether what a merge makes is checked before it counts, and by which commands; without any, by the
// gates of the tasks. given is false when the plan does not say.
func (p *Plan) MergeVerify() (verify bool, commands []string, given bool) {
	if p.merge.verify == nil {
		return false, nil, false
	}
	return *p.merge.verify, slices.Clone(p.merge.commands), true
}

// OnConflict is what becomes of work that conflicts when its task has no attempt left, one of Conflicts; empty = the plan
// does not say.
func (p *Plan) OnConflict() string { return p.merge.conflict }

// Setup is how the workspaces of tasks are set up that do not say it themselves; nil = not at all.
func (p *Plan) Setup() *scheduler.Setup { return p.defaults.setup }

// SetupOf is how a task says that its workspace is set up; nil = it says nothing.
func (p *Plan) SetupOf(id scheduler.TaskID) *scheduler.Setup {
	i, ok := p.index[string(id)]
	if !ok {
		return nil
	}
	return p.tasks[i].setup
}

// Len is the number of tasks.
func (p *Plan) Len() int { return len(p.tasks) }

// Tasks returns the tasks in the order of the file, defaults applied, as new values.
func (p *Plan) Tasks() []*scheduler.Task {
	tasks := make([]*scheduler.Task, len(p.tasks))
	for i := range p.tasks {
		tasks[i] = p.compile(&p.tasks[i])
	}
	return tasks
}

func (p *Plan) compile(t *task) *scheduler.Task {
	c := &scheduler.Task{
		ID:          scheduler.TaskID(t.id),
		Name:        t.name,
		Prompt:      t.prompt.text,
		Command:     t.run.text,
		FailureMode: first(t.failure, p.defaults.failure, scheduler.FailHard),
		Isolation:   first(t.isolation, p.defaults.isolation, p.isolation),
		Attempts:    first(t.retry.attempts, p.defaults.retry.attempts, 1),
		Timeout:     first(t.timeout, p.defaults.timeout),
		Status:      scheduler.TaskPending,
	}
	if t.run.at == nil {
		own := ""
		if _, w := p.workflowOf(t); w != nil {
			own = w.Agent
		}
		c.AgentRole = first(t.agent.Text, own, p.defaults.agent.Text)
	}
	for _, d := range t.deps {
		c.DependsOn = append(c.DependsOn, scheduler.TaskID(p.tasks[d].id))
	}
	for _, w := range t.writes {
		c.WritesFiles = append(c.WritesFiles, w.Text)
	}
	verify := p.defaults.verify
	if t.verifies {
		verify = t.verify
	}
	c.Verify = append(c.Verify, verify...)
	if len(c.DependsOn) == 0 {
		c.Status = scheduler.TaskEligible
	}
	return c
}

// first returns the first value that is not zero.
func first[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}
