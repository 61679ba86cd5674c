package plan

import (
	"strings"

	"orchestrator/internal/scheduler"
)

// Node is one task of a graph that is to be drawn: its id, and the indices of what it needs in the same list.
type Node struct {
	ID    string
	Needs []int
}

// Row is one line of a lane graph.
type Row struct {
	Node  int    // index of the task on this row; -1 = only lanes
	Lane  int    // the lane of the task
	Lanes string // the picture: one character per lane and one between them
}

// Marker is what stands for a task in Row.Lanes; displays put the glyph of the task's state there.
const Marker = '○'

// Lanes draws a graph as lanes, top to bottom: every task has its own row, after all that it needs, and below it the
// rows where its lane forks to dependents or where lanes join in a dependent. Nodes must not wait for one another.
// The same graph gives the same picture. ok is false when it would take more than most lanes side by side.
func Lanes(nodes []Node, most int) (rows []Row, ok bool) {
	l := lanes{nodes: nodes, most: most}
	return l.draw()
}

// PlainLanes turns the lines of a picture into plain characters.
func PlainLanes(lanes string) string { return asciiLanes.Replace(lanes) }

var asciiLanes = strings.NewReplacer(string(Marker), "o", "│", "|", "├", "|", "─", "-", "╮", ".", "╯", "'", "┬", "+", "┴", "+", "┼", "+")

// Nodes returns tasks as nodes for Lanes. Needs that are not among the tasks are left out.
func Nodes(tasks []*scheduler.Task) []Node {
	at := make(map[scheduler.TaskID]int, len(tasks))
	for i, t := range tasks {
		at[t.ID] = i
	}
	nodes := make([]Node, len(tasks))
	for i, t := range tasks {
		nodes[i].ID = string(t.ID)
		for _, need := range t.DependsOn {
			if j, ok := at[need]; ok {
				nodes[i].Needs = append(nodes[i].Needs, j)
			}
		}
	}
	return nodes
}

// lanes is the state of a drawing: what each lane waits for.
type lanes struct {
	nodes  []Node
	users  [][]int
	open   []int // needs that are not drawn yet
	slots  []int // the task that a lane leads to; -1 = free
	most   int
	widest int
	rows   []Row
}

func (l *lanes) draw() (rows []Row, ok bool) {
	n := len(l.nodes)
	l.users = make([][]int, n)
	l.open = make([]int, n)
	for i := range l.nodes {
		for _, d := range l.nodes[i].Needs {
			l.users[d] = append(l.users[d], i)
			l.open[i]++
		}
	}
	// Depth first, so that a chain stays together: what became possible last is drawn next.
	var ready []int
	for i := n - 1; i >= 0; i-- {
		if l.open[i] == 0 {
			ready = append(ready, i)
		}
	}
	for len(ready) > 0 {
		i := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		l.place(i)
		if l.widest > l.most {
			return nil, false
		}
		for j := len(l.users[i]) - 1; j >= 0; j-- {
			u := l.users[i][j]
			if l.open[u]--; l.open[u] == 0 {
				ready = append(ready, u)
			}
		}
	}
	return l.rows, true
}

// place draws one task: the join of its lanes, its own row, the fork to its dependents.
func (l *lanes) place(i int) {
	var mine []int
	for lane, target := range l.slots {
		if target == i {
			mine = append(mine, lane)
		}
	}
	var lane int
	switch {
	case len(mine) == 0:
		lane = l.free(0)
		l.separate(lane)
	default:
		lane = mine[0]
		if len(mine) > 1 {
			l.connect(lane, mine[1:], '╯', '┴')
		}
		for _, other := range mine[1:] {
			l.slots[other] = -1
		}
	}
	l.slots[lane] = i
	l.rows = append(l.rows, Row{Node: i, Lane: lane, Lanes: l.picture(lane)})
	l.fork(i, lane)
	l.widest = max(l.widest, len(l.slots))
	for len(l.slots) > 0 && l.slots[len(l.slots)-1] < 0 {
		l.slots = l.slots[:len(l.slots)-1]
	}
}

// separate puts a row between the last task of a lane and one that has nothing to do with it.
func (l *lanes) separate(lane int) {
	if len(l.rows) == 0 {
		return
	}
	if above := l.rows[len(l.rows)-1]; above.Node >= 0 && above.Lane == lane {
		l.rows = append(l.rows, Row{Node: -1, Lane: lane, Lanes: l.picture(-1)})
	}
}

// fork gives every dependent a lane; the first goes on in the task's own.
func (l *lanes) fork(i, lane int) {
	users := l.users[i]
	if len(users) > l.most {
		users = users[:l.most+1] // enough to be too many
	}
	if len(users) == 0 {
		l.slots[lane] = -1
		return
	}
	l.slots[lane] = users[0]
	var others []int
	for _, u := range users[1:] {
		at := l.free(lane + 1)
		l.slots[at] = u
		others = append(others, at)
	}
	if len(others) > 0 {
		l.connect(lane, others, '╮', '┬')
	}
}

// free returns the first free lane from one on.
func (l *lanes) free(from int) int {
	for lane := from; lane < len(l.slots); lane++ {
		if l.slots[lane] < 0 {
			l.slots[lane] = freshly
			return lane
		}
	}
	for len(l.slots) < from {
		l.slots = append(l.slots, -1)
	}
	l.slots = append(l.slots, freshly)
	return len(l.slots) - 1
}

// freshly marks a lane that is about to be used.
const freshly = -2

// picture is the row of a task: the marker in its lane, lines in the others. Lane -1 is a row without a task.
func (l *lanes) picture(lane int) string {
	var b strings.Builder
	for i := range l.slots {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch {
		case i == lane:
			b.WriteRune(Marker)
		case l.slots[i] >= 0:
			b.WriteRune('│')
		default:
			b.WriteByte(' ')
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// connect draws the row between a lane and others to its right: a fork or a join. Lanes that are passed are crossed.
func (l *lanes) connect(lane int, others []int, end, middle rune) {
	last := others[len(others)-1]
	joined := make(map[int]bool, len(others))
	for _, o := range others {
		joined[o] = true
	}
	var b strings.Builder
	for i := range l.slots {
		between := i > lane && i <= last
		if i > 0 {
			if between {
				b.WriteRune('─')
			} else {
				b.WriteByte(' ')
			}
		}
		switch {
		case i == lane:
			b.WriteRune('├')
		case i == last:
			b.WriteRune(end)
		case joined[i]:
			b.WriteRune(middle)
		case between && l.slots[i] >= 0:
			b.WriteRune('┼')
		case between:
			b.WriteRune('─')
		case l.slots[i] >= 0:
			b.WriteRune('│')
		default:
			b.WriteByte(' ')
		}
	}
	l.rows = append(l.rows, Row{Node: -1, Lane: lane, Lanes: strings.TrimRight(b.String(), " ")})
}
