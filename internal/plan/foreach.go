package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

// The bounds of a list.
const (
	MaxItems = 1000        // tasks that one `for_each` can make
	ListTime = time.Minute // for the command that prints them
)

const (
	itemWord = "${item}"
	maxEach  = 48 // characters of the id of a task with for_each: the items' come behind it
)

// Each is a task that is made once for each item of a list.
type Each struct {
	Task  string
	Items []string // nil with Run while the list is not made
	Run   string   // the command whose lines of output are the items; empty = they stand in the plan
	// Ready says that a task of the list's own id runs the command when what it needs is done; else it is run when the run
	// starts. Prompt is the text of the prompt file of its tasks then: they are made when the file may be another one.
	Ready  bool
	Prompt string
}

// The words of `when`, the default first.
var whens = []string{"start", "ready"}

// each is what `for_each` says.
type each struct {
	Each
	at    *document.Node
	given bool // Items is the list, which may be empty
}

// Each returns the tasks with `for_each`, in the order of the file.
func (p *Plan) Each() []Each { return p.each }

// Made are the tasks that were made for a task with `for_each`.
func (p *Plan) Made(id string) []string { return p.made[id] }

// Items are the items of the tasks that were made for one.
func (p *Plan) Items() map[scheduler.TaskID]string {
	var items map[scheduler.TaskID]string
	for i := range p.tasks {
		if t := &p.tasks[i]; t.made {
			if items == nil {
				items = map[scheduler.TaskID]string{}
			}
			items[scheduler.TaskID(t.id)] = t.item
		}
	}
	return items
}

var eachShape = either(shape{"type": "array", "items": line}, object("for_each"))

// The keys of the long form of `for_each`.
var eachKeys = []key[each]{
	{
		name: "run", shape: filled, required: true, examples: []any{"go list ./..."},
		about: "Shell command whose lines of standard output are the items. At most a minute.",
		set:   func(c *checker, e *each, f document.Field) { e.Run, _ = c.Filled(f.Value, "`run`") },
	},
	{
		name: "when", shape: choice(whens...), examples: []any{"ready"},
		about: "When the command is run. start: once when the run starts, in a clone of the commit that the run starts from. ready: as a task of its own with this id, when what the task needs is done, in a workspace with the merged work; it must not change files. Default: start.",
		set: func(c *checker, e *each, f document.Field) {
			word, _ := c.Choice(f.Value, "`when`", whens, nil)
			e.Ready = word == "ready"
		},
	},
}

// setEach reads `for_each`.
func (c *checker) setEach(t *task, f document.Field) {
	e := &each{at: f.Key, Each: Each{Task: t.id}}
	switch {
	case document.IsMap(f.Value):
		if !read(c, f.Value, "`for_each`", eachKeys, nil, e) {
			return
		}
		if e.Run == "" {
			c.Error(f.Key, "missing-key", "`for_each` has no `run`", "write `for_each: [a, b]` or `for_each: {run: \"ls -d */\"}`")
		}
	case document.IsList(f.Value):
		e.given = true
		for _, item := range document.Resolve(f.Value).Content {
			if text, ok := c.Line(item, "an item of `for_each`"); ok {
				e.Items = append(e.Items, text)
			}
		}
		if len(e.Items) > MaxItems {
			c.Error(f.Key, "too-large", fmt.Sprintf("`for_each` has %d items; at most %d are allowed", len(e.Items), MaxItems), "")
			e.Items = e.Items[:MaxItems]
		}
	default:
		c.Error(f.Value, "bad-type", "`for_each` wants a list, or a map with `run`", "write `for_each: [a, b]` or `for_each: {run: \"ls -d */\"}`")
		return
	}
	if len(t.id) > maxEach {
		c.Error(t.key, "bad-id", fmt.Sprintf("task id `%s` has %d characters; with `for_each` at most %d are allowed", t.id, len(t.id), maxEach),
			"the items' names come behind it")
	}
	t.each = e
}

// listed takes over the lists that commands made, and says what of the items cannot be.
func (c *checker) listed() {
	for i := range c.draft.tasks {
		t := &c.draft.tasks[i]
		if t.each == nil {
			continue
		}
		e := t.each
		if e.Run != "" && c.o.Items != nil {
			items, known := c.o.Items[t.id]
			if e.given = known || !e.Ready; e.given {
				e.Items = items
			}
		}
		if e.Ready {
			e.Prompt = t.file.text
		}
		switch bad := slices.IndexFunc(e.Items, func(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }); {
		case bad >= 0:
			c.Error(e.at, "control-character", fmt.Sprintf("item %d of the list of task `%s` has a control character", bad+1, t.id), "")
		case len(e.Items) > MaxItems:
			c.Error(e.at, "too-large", fmt.Sprintf("the list of task `%s` has %d items; at most %d are allowed", t.id, len(e.Items), MaxItems), "")
		}
		if e.Run != "" && !e.Ready && len(t.needs) > 0 {
			c.Warn(e.at, "early-list", fmt.Sprintf("the list of task `%s` is made when the run starts, before what it needs has run", t.id),
				"write `when: ready` beside `run`, if the list depends on it")
		}
		c.draft.each = append(c.draft.each, e.Each)
	}
}

// spread makes the tasks of a list, where the lists are known; else each stays one task that stands for all of them.
func (c *checker) spread() {
	c.listed()
	d := &c.draft
	if len(d.each) == 0 || c.Findings().HasErrors() {
		return
	}
	taken := make(map[string]bool, len(d.tasks))
	for i := range d.tasks {
		taken[d.tasks[i].id] = true
	}
	made := map[string][]string{}
	tasks := make([]task, 0, len(d.tasks))
	for i := range d.tasks {
		t := &d.tasks[i]
		if t.each == nil {
			tasks = append(tasks, *t)
			continue
		}
		if t.each.Ready && c.o.Items != nil {
			tasks = append(tasks, maker(t))
			d.templates = append(d.templates, *fold(t))
			if len(t.each.Items) == 0 {
				continue
			}
		}
		parts := c.parts(t, taken)
		if c.o.Items == nil {
			tasks = append(tasks, *fold(t))
			continue
		}
		for j := range parts {
			made[t.id] = append(made[t.id], parts[j].id)
		}
		tasks = append(tasks, parts...)
	}
	d.tasks = tasks
	d.index = make(map[string]int32, len(tasks))
	edges := 0
	for i := range d.tasks {
		t := &d.tasks[i]
		d.index[t.id] = int32(i)
		if !t.listed {
			t.needs = needAll(t.needs, made)
		}
		if edges += len(t.needs) + len(t.writes); edges > maxEdges {
			c.Whole("too-large", fmt.Sprintf("the tasks have more than %d `needs` and `writes`", maxEdges), "")
			return
		}
	}
	d.made = made
}

// needAll names all tasks of a list where the list is named.
func needAll(needs []document.Item, made map[string][]string) []document.Item {
	if !slices.ContainsFunc(needs, func(n document.Item) bool { return made[n.Text] != nil }) {
		return needs
	}
	var all []document.Item
	for _, n := range needs {
		ids, several := made[n.Text]
		if !several {
			all = append(all, n)
		}
		for _, id := range ids {
			all = append(all, document.Item{Text: id, Node: n.Node})
		}
	}
	return all
}

// maker is the task that makes the list of another one while the run goes on. It works where that one would.
func maker(t *task) task {
	m := *t
	m.each, m.name = nil, "list of "+t.id
	m.prompt, m.file, m.run = work{}, work{}, work{at: t.key, text: t.each.Run}
	m.agent, m.workflow = document.Item{}, document.Item{}
	m.writes, m.verify, m.verifies = nil, nil, true
	m.approve = asked{at: t.key, steps: []scheduler.Approval{}}
	m.timeout = ListTime
	return m
}

// Templates are tasks that stand for those of the lists that are made while the run goes on: what these will be but for
// their items. There are none while no list is known.
func (p *Plan) Templates() []*scheduler.Task {
	tasks := make([]*scheduler.Task, len(p.templates))
	for i := range p.templates {
		tasks[i] = p.compile(&p.templates[i])
	}
	return tasks
}

// fold makes the one task that stands for all of a list.
func fold(t *task) *task {
	folded := *t
	n := "?"
	if t.each.given {
		n = fmt.Sprint(len(t.each.Items))
	}
	folded.name = strings.TrimSpace(t.name + " × " + n)
	folded.writes = nil
	for _, w := range t.writes {
		w.Text = strings.ReplaceAll(w.Text, itemWord, "*")
		folded.writes = append(folded.writes, w)
	}
	return &folded
}

// parts are the tasks of one list; of an empty one a single task that does nothing, so that what needs it still comes
// after what it needs.
func (c *checker) parts(t *task, taken map[string]bool) []task {
	var parts []task
	for _, item := range t.each.Items {
		p := *t
		p.each, p.made, p.item = nil, true, item
		if t.each.Ready {
			p.listed, p.needs = true, []document.Item{{Text: t.id, Node: t.each.at}}
		}
		p.id = partID(t.id, item, taken)
		p.name = plainly(t.name, item)
		switch p.name {
		case "":
			p.name = item
		case t.name:
			p.name += ": " + item
		}
		p.prompt.text, p.run.text = plainly(t.prompt.text, item), inShell(t.run.text, item)
		p.verify, p.writes = nil, nil
		for _, v := range t.verify {
			p.verify = append(p.verify, inShell(v, item))
		}
		for _, w := range t.writes {
			w.Text = plainly(w.Text, item)
			if message, help := checkGlob(w.Text); message != "" {
				c.Error(w.Node, "bad-glob", fmt.Sprintf("with the item %s: %s", diagnostic.Quote(item), message), help)
			}
			p.writes = append(p.writes, w)
		}
		c.prompts += len(p.prompt.text) + len(p.run.text)
		parts = append(parts, p)
	}
	if c.prompts > maxPrompt {
		c.Error(t.each.at, "too-large", fmt.Sprintf("the prompts together have more than %d MiB", maxPrompt>>20), "")
	}
	if len(parts) == 0 {
		nothing := *t
		nothing.each, nothing.name = nil, strings.TrimSpace(plainly(t.name, "")+" (nothing to do)")
		nothing.prompt, nothing.file, nothing.run = work{}, work{}, work{at: t.key, text: ":"}
		nothing.writes, nothing.verify, nothing.verifies = nil, nil, true
		nothing.isolation, nothing.setup = scheduler.IsolationNone, &scheduler.Setup{}
		parts = append(parts, nothing)
	}
	return parts
}

func plainly(text, item string) string { return strings.ReplaceAll(text, itemWord, item) }

// inShell puts an item into a command, as one word whatever is in it.
func inShell(text, item string) string {
	return strings.ReplaceAll(text, itemWord, "'"+strings.ReplaceAll(item, "'", `'\''`)+"'")
}

// partID is the id of a list's task: what is left of the item behind the list's own, numbered where it is taken.
func partID(id, item string, taken map[string]bool) string {
	var b strings.Builder
	for _, r := range strings.ToLower(item) {
		switch {
		case r < 0x80 && isLetter(byte(r)), r == '_', r == '.' && b.Len() > 0 && !strings.HasSuffix(b.String(), "."):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	room := maxID - len(id) - 1 - len("-1000")
	word := b.String()
	word = strings.Trim(word[:min(len(word), room)], ".-")
	if word == "" {
		word = "item"
	}
	if before, ok := strings.CutSuffix(word, ".lock"); ok {
		word = before + "-lock"
	}
	name := id + "." + word
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s.%s-%d", id, word, n)
	}
	taken[name] = true
	return name
}
