package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

// Workflow is how a task is worked through: by whom first, who judges that, and who goes on from there.
type Workflow struct {
	Agent string           // who does the task's own work where the task does not say; empty = the task's agent
	Steps []scheduler.Step // the first is the task's own work and names nobody
	roles []document.Item  // that its steps name
}

// What a review's rejection leads to.
const (
	rejectBack = "back" // to the step that worked
	rejectFail = "fail" // the attempt has failed
)

const (
	maxSteps      = 20
	maxRounds     = 100
	defaultRounds = 3
)

// noWorkflow is what a task says that has none where `defaults` has one.
const noWorkflow = "none"

// workflowDraft is a workflow while it is read.
type workflowDraft struct {
	steps []stepDraft
	at    *document.Node // the list
}

// stepDraft is a step while it is read. Nodes are nil for keys that are not given.
type stepDraft struct {
	at       *document.Node
	agent    document.Item
	prompt   string
	verify   *document.Node
	reject   string
	rejectAt *document.Node
	rounds   int
	roundsAt *document.Node
}

// The keys of a workflow.
var workflowKeys = []key[workflowDraft]{
	{
		name: "steps", required: true, shape: shape{"type": "array", "items": object("step")},
		examples: []any{[]any{map[string]any{"agent": "coder"}, map[string]any{"agent": "reviewer", "on_reject": "back"}}},
		about:    "The steps, in order. The first does the task's work; each later one either works on (no `on_reject`) or judges what was done (`on_reject`). The task's gates run after each step that works.",
		set:      (*checker).setSteps,
	},
}

// The keys of a step.
var stepKeys = []key[stepDraft]{
	{
		name: "agent", shape: line, examples: []any{"reviewer"},
		about: "Agent (role) of the step. In the first step it may be left out, and a task's own `agent` comes before it.",
		set: func(c *checker, s *stepDraft, f document.Field) {
			if role, ok := c.Line(f.Value, "`agent`"); ok {
				s.agent = document.Item{Text: role, Node: f.Value}
			}
		},
	},
	{
		name: "prompt", shape: filled, examples: []any{"Write the tests that are missing."},
		about: "What is asked of this step besides the task: its part of the work, or what a review looks for.",
		set:   func(c *checker, s *stepDraft, f document.Field) { s.prompt, _ = c.Filled(f.Value, "`prompt`") },
	},
	{
		name: "verify", shape: shape{"const": true}, examples: []any{true},
		about: "true, alone in a step behind one that works: the task's gates run there. They do so anyway; this makes it plain.",
		set:   func(_ *checker, s *stepDraft, f document.Field) { s.verify = f.Value },
	},
	{
		name: "on_reject", shape: choice(rejectBack, rejectFail), examples: []any{rejectBack},
		about: "Makes the step a review: its agent looks at the work, changes nothing and gives a verdict. back: rejected work goes back, with the findings, to the session that did it. fail: the attempt has failed.",
		set: func(c *checker, s *stepDraft, f document.Field) {
			s.rejectAt = f.Key
			s.reject, _ = c.Choice(f.Value, "`on_reject`", []string{rejectBack, rejectFail}, nil)
		},
	},
	{
		name: "max_rounds", shape: number(1, maxRounds), examples: []any{3},
		about: "With `on_reject: back`: how many reviews there are at most in one attempt. The task has failed when the last one rejects the work too. Default: 3.",
		set: func(c *checker, s *stepDraft, f document.Field) {
			s.roundsAt = f.Key
			s.rounds, _ = c.Number(f.Value, "`max_rounds`", 1, maxRounds)
		},
	},
}

func workflowKey[T any](of func(*T) *settings) key[T] {
	return key[T]{
		name: "workflow", shape: line, examples: []any{"reviewed"},
		about: "Workflow of the task, from `workflows` here or in the configuration: who reviews the agent's work, and who goes on with it. none: no workflow.",
		set: func(c *checker, t *T, f document.Field) {
			if name, ok := c.Line(f.Value, "`workflow`"); ok {
				of(t).workflow = document.Item{Text: name, Node: f.Value}
			}
		},
	}
}

// WorkflowSchema is the JSON Schema of workflows in the configuration, and of their steps.
func WorkflowSchema() (workflow, step map[string]any) {
	return describeLevel(workflowKeys), describeLevel(stepKeys)
}

// WorkflowKeys says what each key of a workflow's step means, in the order of the documentation.
func WorkflowKeys() (names []string, about map[string]string) {
	about = make(map[string]string, len(stepKeys))
	for _, k := range stepKeys {
		names, about[k.name] = append(names, k.name), k.about
	}
	return names, about
}

// ReadWorkflow reads the definition of a workflow, which settings write as plans do. The roles that it names may be
// defined in another layer: the caller looks, by Roles.
func ReadWorkflow(r *document.Reader, f document.Field) Workflow {
	c := &checker{Reader: r, layered: true}
	return c.workflow(f)
}

// Roles are the roles that a workflow's steps name, with the places where they do.
func (w *Workflow) Roles() []document.Item { return w.roles }

// String is the workflow in one line: coder → reviewer reviews (back, at most 3 rounds).
func (w *Workflow) String() string {
	words := make([]string, len(w.Steps))
	for i, s := range w.Steps {
		words[i] = first(s.Agent, w.Agent, "the task's agent")
		switch {
		case s.Review && s.Final:
			words[i] += " reviews (fail)"
		case s.Review:
			words[i] += fmt.Sprintf(" reviews (back, at most %d rounds)", s.Rounds)
		}
	}
	return strings.Join(words, " → ")
}

func (c *checker) setWorkflows(d *draft, f document.Field) {
	fields, ok := c.Fields(f.Value, "`workflows`")
	if !ok {
		return
	}
	d.workflows = make(map[string]Workflow, len(fields))
	for _, w := range fields {
		d.workflows[w.Name] = c.workflow(w)
	}
}

func (c *checker) workflow(f document.Field) Workflow {
	what := "workflow " + diagnostic.Quote(f.Name)
	if message, help := checkID("workflow", f.Name); message != "" {
		c.Error(f.Key, "bad-id", message, help)
	} else if f.Name == noWorkflow {
		c.Error(f.Key, "bad-id", "a workflow cannot be named `none`", "`workflow: none` says that a task has no workflow")
	}
	var d workflowDraft
	if !read(c, f.Value, what, workflowKeys, nil, &d) {
		return Workflow{}
	}
	if d.at == nil {
		c.Error(f.Key, "missing-key", what+" has no `steps`", "write `steps: [{agent: coder}, {agent: reviewer, on_reject: back}]`")
		return Workflow{}
	}
	return c.compileWorkflow(&d)
}

func (c *checker) setSteps(d *workflowDraft, f document.Field) {
	d.at = f.Value
	if !document.IsList(f.Value) {
		c.Error(f.Value, "bad-type", "`steps` wants a list", "write each step as `- {agent: …}`")
		return
	}
	for i, n := range document.Resolve(f.Value).Content {
		s := stepDraft{at: n}
		if read(c, n, fmt.Sprintf("step %d", i+1), stepKeys, nil, &s) {
			d.steps = append(d.steps, s)
		}
	}
	switch n := len(document.Resolve(f.Value).Content); {
	case n == 0:
		c.Error(f.Value, "missing-key", "`steps` is empty", "begin with the step that does the work: `- {agent: coder}`")
	case n > maxSteps:
		c.Error(f.Value, "too-large", fmt.Sprintf("a workflow has at most %d steps", maxSteps), "")
	}
}

// compileWorkflow checks the order of the steps. Gates need no step of their own: they are left out.
func (c *checker) compileWorkflow(d *workflowDraft) Workflow {
	var w Workflow
	for i := range d.steps {
		s := &d.steps[i]
		review := s.rejectAt != nil
		if s.verify != nil {
			c.checkVerifyStep(s, i > 0 && d.steps[i-1].rejectAt == nil && d.steps[i-1].verify == nil)
			continue
		}
		switch {
		case len(w.Steps) == 0 && review:
			c.Error(s.rejectAt, "bad-step", "the first step judges what nobody has done yet", "begin with the step that does the work: `- {agent: coder}`")
		case len(w.Steps) > 0 && s.agent.Node == nil:
			c.Error(s.at, "missing-key", "the step has no `agent`", "name the role that does it, such as `agent: reviewer`")
		case s.roundsAt != nil && s.reject != rejectBack && review:
			c.Error(s.roundsAt, "conflicting-keys", "`max_rounds` is for `on_reject: back`", "remove it")
		case s.roundsAt != nil && !review:
			c.Error(s.roundsAt, "conflicting-keys", "`max_rounds` is for a review", "add `on_reject: back`, or remove it")
		}
		if s.agent.Node != nil {
			w.roles = append(w.roles, s.agent)
		}
		step := scheduler.Step{Agent: s.agent.Text, Prompt: s.prompt, Review: review}
		if len(w.Steps) == 0 {
			if s.prompt != "" {
				c.Error(s.at, "conflicting-keys", "the first step has a `prompt`: what it does is the task's own", "remove it")
			}
			w.Agent, step.Agent = s.agent.Text, ""
		}
		if step.Final = s.reject == rejectFail; review && !step.Final {
			step.Rounds = first(s.rounds, defaultRounds)
		}
		w.Steps = append(w.Steps, step)
	}
	return w
}

func (c *checker) checkVerifyStep(s *stepDraft, behindWork bool) {
	const help = "write `- {verify: true}` behind a step that works, or leave it out: gates run after each such step"
	switch yes, ok := c.Bool(s.verify, "`verify`"); {
	case !ok:
	case !yes:
		c.Error(s.verify, "bad-value", "`verify` cannot be `false`: gates always run", help)
	case s.agent.Node != nil || s.prompt != "" || s.rejectAt != nil || s.roundsAt != nil:
		c.Error(s.at, "conflicting-keys", "a step is either an agent's or `verify: true`", help)
	case !behindWork:
		c.Error(s.verify, "bad-step", "there is no new work to verify here", help)
	}
}

// workflowOf finds the workflow of a task; nil = it has none.
func (p *Plan) workflowOf(t *task) (name string, w *Workflow) {
	if t.run.at != nil {
		return "", nil
	}
	name = first(t.workflow.Text, p.defaults.workflow.Text)
	if name == "" || name == noWorkflow {
		return "", nil
	}
	found, ok := p.workflows[name]
	if !ok {
		found, ok = p.configured[name]
	}
	if !ok {
		return name, nil
	}
	return name, &found
}

// Workflows are the workflows that tasks and templates have, by name, and the tasks that have them.
func (p *Plan) Workflows() (steps map[string][]scheduler.Step, of map[scheduler.TaskID]string) {
	for i := range p.tasks {
		t := &p.tasks[i]
		name, w := p.workflowOf(t)
		if w == nil {
			continue
		}
		if steps == nil {
			steps, of = map[string][]scheduler.Step{}, map[scheduler.TaskID]string{}
		}
		steps[name], of[scheduler.TaskID(t.id)] = w.Steps, name
	}
	for i := range p.templates {
		if name, w := p.workflowOf(&p.templates[i]); w != nil {
			if steps == nil {
				steps = map[string][]scheduler.Step{}
			}
			steps[name] = w.Steps
		}
	}
	return steps, of
}

// TemplateWorkflow is the workflow of the tasks that a template stands for; empty = none.
func (p *Plan) TemplateWorkflow(id scheduler.TaskID) string {
	for i := range p.templates {
		if t := &p.templates[i]; t.id == string(id) {
			if name, w := p.workflowOf(t); w != nil {
				return name
			}
		}
	}
	return ""
}

// checkWorkflows says which workflows nobody defines, and which do nothing.
func (c *checker) checkWorkflows() {
	known := slices.Collect(maps.Keys(c.draft.workflows))
	for name := range c.o.Workflows {
		if _, again := c.draft.workflows[name]; !again {
			known = append(known, name)
		}
	}
	slices.Sort(known)
	unknown := func(w document.Item, who string) {
		if w.Node == nil || w.Text == noWorkflow || slices.Contains(known, w.Text) {
			return
		}
		help := "no workflows are defined; add `workflows:` to the plan or to the configuration"
		if len(known) > 0 {
			help = "workflows here: " + few(known)
		}
		if near := diagnostic.Nearest(w.Text, known); near != "" {
			help = "did you mean `" + near + "`?"
		}
		c.Error(w.Node, "unknown-workflow", fmt.Sprintf("%s the workflow %s, which is not defined", who, diagnostic.Quote(w.Text)), help)
	}
	unknown(c.draft.defaults.workflow, "`defaults` names")
	for i := range c.draft.tasks {
		t := &c.draft.tasks[i]
		unknown(t.workflow, fmt.Sprintf("task `%s` names", t.id))
		if t.run.at != nil && t.workflow.Node != nil && t.workflow.Text != noWorkflow {
			c.Warn(t.workflow.Node, "unused-key", fmt.Sprintf("task `%s` runs a command: its `workflow` does nothing", t.id), "remove `workflow`")
		}
	}
}
