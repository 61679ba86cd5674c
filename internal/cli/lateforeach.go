package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"orchestrator/internal/config"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/scheduler"
)

// listsOf are the lists that tasks of a plan make. What was made by the same command before is known.
func listsOf(p *plan.Plan, before map[scheduler.TaskID]persistence.List) map[scheduler.TaskID]persistence.List {
	var lists map[scheduler.TaskID]persistence.List
	for _, e := range p.Each() {
		if !e.Ready {
			continue
		}
		if lists == nil {
			lists = map[scheduler.TaskID]persistence.List{}
		}
		l := persistence.List{Run: e.Run, Prompt: e.Prompt}
		if was := before[scheduler.TaskID(e.Task)]; was.Run == e.Run {
			l.Made, l.Items = was.Made, was.Items
		}
		lists[scheduler.TaskID(e.Task)] = l
	}
	return lists
}

// within leaves out what belongs to no task of a run.
func within[T any](m map[scheduler.TaskID]T, tasks []*scheduler.Task) map[scheduler.TaskID]T {
	maps.DeleteFunc(m, func(id scheduler.TaskID, _ T) bool {
		return !slices.ContainsFunc(tasks, func(t *scheduler.Task) bool { return t.ID == id })
	})
	return m
}

// withTemplates are tasks of a run, and those that stand for what their lists will make.
func withTemplates(p *plan.Plan, tasks []*scheduler.Task) []*scheduler.Task {
	all := slices.Clone(tasks)
	for _, late := range p.Templates() {
		if slices.ContainsFunc(tasks, func(t *scheduler.Task) bool { return t.ID == late.ID }) {
			all = append(all, late)
		}
	}
	return all
}

// expand makes a list that a task of a run has made into the run's plan with its tasks.
func (a *App) expand(cfg *config.Config) func(orchestrator.Expansion) (orchestrator.EditRequest, error) {
	return func(x orchestrator.Expansion) (orchestrator.EditRequest, error) {
		list := x.Run.Options.Lists[x.List]
		list.Made, list.Items = true, listItems(x.Text)
		o := planOptions(cfg)
		o.Agents = append(o.Agents, slices.Collect(maps.Keys(x.Run.Options.Agents))...)
		o.Items, o.Prompts = map[string][]string{string(x.List): list.Items}, map[string]string{string(x.List): list.Prompt}
		p, found := plan.Parse(x.Run.PlanPath, []byte(x.Run.Plan), o)
		if found.HasErrors() {
			return orchestrator.EditRequest{}, errors.New(found.Errors()[0].Message)
		}
		return expanded(x, p, list)
	}
}

// expanded puts the tasks of a list behind the one that has made it, in place of those that it had. The other tasks stay
// as they are stored, but that what needs the list needs its tasks.
func expanded(x orchestrator.Expansion, p *plan.Plan, list persistence.List) (orchestrator.EditRequest, error) {
	options, stored := &x.Run.Options, map[scheduler.TaskID]*scheduler.Task{}
	old := map[scheduler.TaskID]bool{x.List: true}
	for _, t := range x.Tasks {
		stored[t.ID] = t
		if _, part := options.Items[t.ID]; part && slices.Equal(t.DependsOn, []scheduler.TaskID{x.List}) {
			old[t.ID] = true
		}
	}
	items, after := p.Items(), []scheduler.TaskID{}
	var parts []*scheduler.Task
	for _, t := range p.Tasks() {
		if !slices.Contains(p.Made(string(x.List)), string(t.ID)) {
			continue
		}
		was := stored[t.ID]
		switch {
		case was != nil && !old[t.ID]:
			return orchestrator.EditRequest{}, fmt.Errorf("its item %s would make the task %s, which there is already", items[t.ID], t.ID)
		case was != nil && options.Items[t.ID] == items[t.ID]:
			t = was
		case t.Isolation == "":
			t.Isolation = stored[x.List].Isolation
		}
		parts, after = append(parts, t), append(after, t.ID)
	}
	if len(after) == 0 {
		after = append(after, x.List)
	}
	r := orchestrator.EditRequest{
		Name: x.Run.Name, Description: x.Run.Description, PlanPath: x.Run.PlanPath, Plan: x.Run.Plan, Context: x.Run.Context,
		Options: optionsWith(x, p, old, parts, list),
	}
	for _, t := range x.Tasks {
		switch {
		case t.ID == x.List:
			r.Tasks = append(append(r.Tasks, t), parts...)
		case !old[t.ID]:
			r.Tasks = append(r.Tasks, needing(t, old, after))
		}
	}
	return r, nil
}

// needing is a task that needs other tasks in place of old ones.
func needing(t *scheduler.Task, old map[scheduler.TaskID]bool, after []scheduler.TaskID) *scheduler.Task {
	i := slices.IndexFunc(t.DependsOn, func(id scheduler.TaskID) bool { return old[id] })
	if i < 0 {
		return t
	}
	c := *t
	c.DependsOn = append(slices.Clone(t.DependsOn[:i]), after...)
	for _, id := range t.DependsOn[i:] {
		if !old[id] {
			c.DependsOn = append(c.DependsOn, id)
		}
	}
	return &c
}

// optionsWith are the options of a run with the tasks of a list.
func optionsWith(x orchestrator.Expansion, p *plan.Plan, old map[scheduler.TaskID]bool, parts []*scheduler.Task, list persistence.List) persistence.RunOptions {
	o := x.Run.Options
	_, workflows := p.Workflows()
	var ids []scheduler.TaskID
	for _, t := range parts {
		ids = append(ids, t.ID)
	}
	old = maps.Clone(old)
	delete(old, x.List) // what is said of the maker itself stays
	o.Lists = maps.Clone(o.Lists)
	o.Lists[x.List] = list
	o.Items = exchange(o.Items, old, p.Items(), ids)
	o.Setups = exchange(o.Setups, old, setups(p, parts), ids)
	o.QuestionsOf = exchange(o.QuestionsOf, old, p.QuestionsOf(), ids)
	o.ApproveOf = exchange(o.ApproveOf, old, p.ApproveOf(), ids)
	o.WorkflowOf = exchange(o.WorkflowOf, old, workflows, ids)
	o.BudgetOf = exchange(nil, old, p.BudgetOf(), ids)
	o.StrictWrites = exchangeIDs(o.StrictWrites, old, p.StrictWrites(), ids)
	o.FreshSessions = exchangeIDs(o.FreshSessions, old, p.FreshSessions(), ids)
	return o
}

// exchange is what is said of tasks, with what said says of the tasks ids in place of what was said of old ones.
func exchange[T any](was map[scheduler.TaskID]T, old map[scheduler.TaskID]bool, said map[scheduler.TaskID]T, ids []scheduler.TaskID) map[scheduler.TaskID]T {
	m := map[scheduler.TaskID]T{}
	for id, v := range was {
		if !old[id] {
			m[id] = v
		}
	}
	for _, id := range ids {
		if v, ok := said[id]; ok {
			m[id] = v
		}
	}
	return m
}

// exchangeIDs is the same of those that something is said of.
func exchangeIDs(was []scheduler.TaskID, old map[scheduler.TaskID]bool, said, ids []scheduler.TaskID) []scheduler.TaskID {
	list := slices.DeleteFunc(slices.Clone(was), func(id scheduler.TaskID) bool { return old[id] })
	for _, id := range ids {
		if slices.Contains(said, id) {
			list = append(list, id)
		}
	}
	return list
}
