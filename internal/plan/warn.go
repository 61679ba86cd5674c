package plan

import (
	"fmt"

	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

const (
	warningsPerCode = 20         // the rest is counted
	searchSteps     = 20_000_000 // for finding out who waits for whom
	impliedNeeds    = 64         // tasks with more needs are not looked through for implied ones
)

// warnings collects what is worth saying once and tiresome a thousand times.
type warnings struct {
	c    *checker
	code string
	list []warning
	more int
	open bool // there may be still more: the search was given up
}

type warning struct {
	at            *document.Node
	message, help string
}

func (w *warnings) add(at *document.Node, message, help string) {
	if len(w.list) == warningsPerCode {
		w.more++
		return
	}
	w.list = append(w.list, warning{at: at, message: message, help: help})
}

func (w *warnings) flush() {
	for i, one := range w.list {
		if i == len(w.list)-1 {
			switch {
			case w.open:
				one.help += fmt.Sprintf(" (and at least %d more of these)", w.more)
			case w.more > 0:
				one.help += fmt.Sprintf(" (and %d more of these)", w.more)
			}
		}
		w.c.Warn(one.at, w.code, one.message, one.help)
	}
}

// warn looks for what is allowed and probably not meant. The plan has no errors.
func (c *checker) warn() {
	o := newOrder(c.draft.edges())
	a := newAncestry(o, searchSteps)
	c.warnChain(o)
	c.warnTasks()
	c.warnImplied(a)
	c.warnOverlaps(a)
}

// warnChain is about plans in which nothing can run in parallel.
func (c *checker) warnChain(o *order) {
	const least = 3
	if n := len(o.deps); n >= least && len(o.widths()) == n {
		c.Warn(c.draft.tasksAt, "single-chain", "the tasks are a single chain: nothing can run in parallel",
			"remove `needs` that only tell an order")
	}
}

// warnTasks is about single tasks.
func (c *checker) warnTasks() {
	unverified := warnings{c: c, code: "no-verify"}
	unsaved := warnings{c: c, code: "no-isolation"}
	for i := range c.draft.tasks {
		t := &c.draft.tasks[i]
		verify := c.draft.defaults.verify
		if t.verifies {
			verify = t.verify
		}
		if t.run.at == nil && len(verify) == 0 {
			unverified.add(t.key, fmt.Sprintf("task `%s` has no `verify`: what its agent says is taken for true", t.id),
				"add a command that must succeed, such as `verify: make test`")
		}
		isolation := first(t.isolation, c.draft.defaults.isolation, c.o.DefaultIsolation)
		if isolation == scheduler.IsolationNone && len(t.writes) > 0 {
			unsaved.add(t.key, fmt.Sprintf("task `%s` has `isolation: none`: what it writes is neither saved nor merged", t.id),
				"use `isolation: clone`, or remove `writes` if it writes nothing that counts")
		}
	}
	unverified.flush()
	unsaved.flush()
}

// warnImplied is about needs that another need waits for already.
func (c *checker) warnImplied(a *ancestry) {
	implied := warnings{c: c, code: "implied-need"}
	for i := range c.draft.tasks {
		t := &c.draft.tasks[i]
		if len(t.deps) < 2 || len(t.deps) > impliedNeeds {
			continue
		}
		for j, dep := range t.deps {
			for _, other := range t.deps {
				if yes, _ := a.waits(other, dep); yes {
					implied.add(t.depAt[j], fmt.Sprintf("task `%s` need not name `%s`: `%s` waits for it already",
						t.id, c.draft.tasks[dep].id, c.draft.tasks[other].id), "remove it unless its result matters to the prompt")
					break
				}
			}
		}
	}
	implied.flush()
}
