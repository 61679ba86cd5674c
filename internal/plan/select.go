package plan

import (
	"fmt"
	"strings"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/scheduler"
)

// UnknownTasksError says which ids of a selection the plan does not have.
type UnknownTasksError struct {
	IDs  []string
	Hint string // what was probably meant, or what there is
}

func (e *UnknownTasksError) Error() string {
	if len(e.IDs) == 1 {
		return "no task " + diagnostic.Quote(e.IDs[0]) + " in this plan"
	}
	quoted := make([]string, len(e.IDs))
	for i, id := range e.IDs {
		quoted[i] = diagnostic.Quote(id)
	}
	return "no tasks " + strings.Join(quoted, ", ") + " in this plan"
}

// Select returns a part of the plan's tasks, in file order: those named by only, of whose needs the ones outside are
// dropped, and those named by until with everything that they need. Both empty select all. The error is an
// *UnknownTasksError when ids are not in the plan.
func (p *Plan) Select(only, until []string) ([]*scheduler.Task, error) {
	if len(only) == 0 && len(until) == 0 {
		return p.Tasks(), nil
	}
	chosen := make([]bool, len(p.tasks))
	unknown := &UnknownTasksError{}
	for _, id := range p.spreadOut(only) {
		if i, ok := p.find(id, unknown); ok {
			chosen[i] = true
		}
	}
	var open []int32
	for _, id := range p.spreadOut(until) {
		if i, ok := p.find(id, unknown); ok {
			open = append(open, i)
		}
	}
	if len(unknown.IDs) > 0 {
		return nil, unknown
	}
	reached := make([]bool, len(p.tasks))
	for len(open) > 0 {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		if reached[i] {
			continue
		}
		reached[i], chosen[i] = true, true
		open = append(open, p.tasks[i].deps...)
	}
	var tasks []*scheduler.Task
	for i := range p.tasks {
		if !chosen[i] {
			continue
		}
		t := p.compile(&p.tasks[i])
		t.DependsOn, t.Status = nil, scheduler.TaskEligible
		for _, d := range p.tasks[i].deps {
			if chosen[d] {
				t.DependsOn = append(t.DependsOn, scheduler.TaskID(p.tasks[d].id))
				t.Status = scheduler.TaskPending
			}
		}
		tasks = append(tasks, t)
	}
	return tasks, nil
}

func (p *Plan) find(id string, unknown *UnknownTasksError) (int32, bool) {
	i, ok := p.index[strings.TrimSpace(id)]
	if !ok {
		if len(unknown.IDs) == 0 {
			unknown.Hint = suggest(id, p.ids())
		} else if near := diagnostic.Nearest(id, p.ids()); near != "" {
			unknown.Hint += fmt.Sprintf("; for `%s`: `%s`?", id, near)
		}
		unknown.IDs = append(unknown.IDs, id)
	}
	return i, ok
}

// spreadOut names the tasks of a list instead of the list, beside the one that makes it.
func (p *Plan) spreadOut(ids []string) []string {
	var all []string
	for _, id := range ids {
		made := p.made[strings.TrimSpace(id)]
		if _, own := p.index[strings.TrimSpace(id)]; own || made == nil {
			all = append(all, id)
		}
		all = append(all, made...)
	}
	return all
}
