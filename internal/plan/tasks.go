package plan

import (
	"fmt"
	"slices"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
)

const (
	maxEdges  = 4_000_000 // needs and writes of all tasks; aliases can make many out of few lines
	maxPrompt = 256 << 20 // bytes of all prompts and commands
)

func (c *checker) setTasks(d *draft, f document.Field) {
	d.tasksAt = f.Key
	switch {
	case document.IsNull(f.Value):
		c.Error(f.Key, "no-tasks", "the plan has no tasks", "add at least one task below `tasks:`")
		return
	case document.IsList(f.Value):
		c.Error(f.Key, "bad-type", "`tasks` wants a map of ids to tasks, got a list", "write each task as `id:` with its keys below it, not as `- `")
		return
	}
	fields, ok := c.Fields(f.Value, "`tasks`")
	if !ok {
		return
	}
	if len(fields) == 0 {
		c.Error(f.Key, "no-tasks", "the plan has no tasks", "add at least one task below `tasks:`")
	}
	d.tasks = make([]task, 0, len(fields))
	d.index = make(map[string]int32, len(fields))
	for _, t := range fields {
		if message, help := checkID("task", t.Name); message != "" {
			c.Error(t.Key, "bad-id", message, help)
		}
		d.index[t.Name] = int32(len(d.tasks))
		d.tasks = append(d.tasks, c.task(t))
	}
}

// task reads one task.
func (c *checker) task(f document.Field) task {
	t := task{id: f.Name, key: f.Key}
	what := "task " + diagnostic.Quote(t.id)
	c.misspelt = false
	if !document.IsNull(f.Value) && !read(c, f.Value, what, taskKeys, laterTaskKeys, &t) {
		return t
	}
	c.checkWork(&t, what)
	c.checkWrites(&t)
	c.edges += len(t.needs) + len(t.writes)
	if c.edges > maxEdges {
		c.Error(f.Key, "too-large", fmt.Sprintf("the tasks have more than %d `needs` and `writes`", maxEdges), "")
		t.needs, t.writes = nil, nil
	}
	before := c.prompts
	c.prompts += len(t.prompt.text) + len(t.run.text)
	if before <= maxPrompt && c.prompts > maxPrompt {
		c.Error(f.Key, "too-large", fmt.Sprintf("the prompts together have more than %d MiB", maxPrompt>>20), "")
	}
	return t
}

// checkWork keeps the rule of exactly one of prompt, prompt_file and run.
func (c *checker) checkWork(t *task, what string) {
	var given []*document.Node
	for _, w := range []work{t.prompt, t.file, t.run} {
		if w.at != nil {
			given = append(given, w.at)
		}
	}
	switch len(given) {
	case 0:
		if c.misspelt {
			return
		}
		c.Error(t.key, "no-work", what+" has nothing to do", "give it exactly one of: prompt, prompt_file, run")
		return
	case 1:
	default:
		for i, at := range given {
			if at.Line < given[0].Line || at.Line == given[0].Line && at.Column < given[0].Column {
				given[0], given[i] = given[i], given[0]
			}
		}
		for _, at := range given[1:] {
			c.Error(at, "conflicting-keys", fmt.Sprintf("%s has both `%s` and `%s`", what, given[0].Value, at.Value),
				"keep exactly one of: prompt, prompt_file, run")
		}
		return
	}
	if t.file.at != nil {
		t.prompt.text = t.file.text
	}
}

func (c *checker) setWrites(t *task, f document.Field) { t.writes = c.List(f.Value, "`writes`") }

// checkWrites leaves out globs that cannot be. Those of a list are looked at again with its items.
func (c *checker) checkWrites(t *task) {
	t.writes = slices.DeleteFunc(t.writes, func(w document.Item) bool {
		text := w.Text
		if t.each != nil {
			text = plainly(text, "item")
		}
		message, help := checkGlob(text)
		if message != "" {
			c.Error(w.Node, "bad-glob", message, help)
		}
		return message != ""
	})
}
