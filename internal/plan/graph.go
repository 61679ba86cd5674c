package plan

import (
	"fmt"
	"slices"
	"strings"

	"orchestrator/internal/diagnostic"
)

// suggestions is how many unknown needs get a did-you-mean, which looks at every id.
const suggestions = 100

// resolve turns the names in `needs` into tasks.
func (c *checker) resolve() {
	d := &c.draft
	var ids []string
	suggested := 0
	for i := range d.tasks {
		t := &d.tasks[i]
		for _, need := range t.needs {
			j, known := d.index[need.Text]
			switch {
			case need.Text == t.id:
				c.Error(need.Node, "self-need", fmt.Sprintf("task `%s` needs itself", t.id), "remove it from `needs`")
			case !known:
				help := ""
				if suggested++; suggested <= suggestions {
					if ids == nil {
						ids = d.ids()
					}
					help = suggest(need.Text, ids)
				}
				c.Error(need.Node, "unknown-task",
					fmt.Sprintf("task `%s` needs %s, which is not in this plan", t.id, diagnostic.Quote(need.Text)), help)
			case contains(t.deps, j):
				c.Warn(need.Node, "duplicate-need", fmt.Sprintf("task `%s` names `%s` twice in `needs`", t.id, need.Text), "remove one")
			default:
				t.deps = append(t.deps, j)
				t.depAt = append(t.depAt, need.Node)
			}
		}
	}
}

// contains looks through short lists directly; long ones come out of generated plans and have no duplicates to speak
// of, but must not be quadratic: past the limit a duplicate only costs a second edge.
func contains(deps []int32, j int32) bool {
	const look = 256
	return slices.Contains(deps[max(0, len(deps)-look):], j)
}

func (p *Plan) ids() []string {
	ids := make([]string, len(p.tasks))
	for i := range p.tasks {
		ids[i] = p.tasks[i].id
	}
	return ids
}

func suggest(word string, ids []string) string {
	if near := diagnostic.Nearest(word, ids); near != "" {
		return "did you mean `" + near + "`?"
	}
	return "tasks here: " + few(ids)
}

// cycleReports is how many cycles are reported.
const cycleReports = 20

// findCycles reports cycles, each once, beginning with its smallest id. The need that closes a reported cycle counts
// as removed from then on, so that what is reported next is another mistake.
func (c *checker) findCycles() {
	d := &c.draft
	removed := make(map[[2]int32]bool)
	for groups := strong(d.tasks, removed); len(groups) > 0; groups = strong(d.tasks, removed) {
		for _, group := range groups {
			if len(removed) == cycleReports {
				return
			}
			cycle := d.cycle(group, removed)
			removed[[2]int32{cycle[len(cycle)-1], cycle[0]}] = true
			c.reportCycle(cycle)
		}
	}
}

func (c *checker) reportCycle(cycle []int32) {
	const shown = 12
	tasks := c.draft.tasks
	words := make([]string, 0, len(cycle)+1)
	for i, t := range cycle {
		if len(cycle) > shown && i == shown-1 {
			words = append(words, fmt.Sprintf("… (%d more)", len(cycle)-shown), tasks[cycle[len(cycle)-1]].id)
			break
		}
		words = append(words, tasks[t].id)
	}
	words = append(words, tasks[cycle[0]].id)
	from := &tasks[cycle[0]]
	at := from.key
	for i, dep := range from.deps {
		if len(cycle) > 1 && dep == cycle[1] {
			at = from.depAt[i]
		}
	}
	c.Error(at, "cycle", "tasks wait for each other: "+strings.Join(words, " → "), "remove one of these `needs`")
}

// cycle returns a shortest cycle through the smallest id of a group.
func (p *Plan) cycle(group []int32, removed map[[2]int32]bool) []int32 {
	inside := make(map[int32]bool, len(group))
	start := group[0]
	for _, t := range group {
		inside[t] = true
		if p.tasks[t].id < p.tasks[start].id {
			start = t
		}
	}
	cameFrom := map[int32]int32{}
	queue := []int32{start}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, dep := range p.tasks[at].deps {
			if !inside[dep] || removed[[2]int32{at, dep}] {
				continue
			}
			if dep == start {
				return trail(cameFrom, start, at)
			}
			if _, seen := cameFrom[dep]; !seen {
				cameFrom[dep] = at
				queue = append(queue, dep)
			}
		}
	}
	return []int32{start}
}

// trail walks back from the last task of a cycle to its first.
func trail(cameFrom map[int32]int32, start, last int32) []int32 {
	path := []int32{}
	for at := last; at != start; at = cameFrom[at] {
		path = append(path, at)
	}
	path = append(path, start)
	slices.Reverse(path)
	return path
}
