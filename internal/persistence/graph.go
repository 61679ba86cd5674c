package persistence

import (
	"database/sql/driver"
	"fmt"
	"time"

	"orchestrator/internal/scheduler"
)

// selectNeeds asks for edges; those of one task must come one after another, in the order of their positions.
const selectNeeds = "SELECT task_id, depends_on_id FROM task_dependencies WHERE run = ?"

// graph is what two scans, of tasks and of edges, are gathered into. A large one is tens of megabytes in hundreds of
// thousands of pieces, so tasks and edges are laid out in blocks.
type graph struct {
	tasks []*scheduler.Task
	byID  map[scheduler.TaskID]*scheduler.Task // made with the first edge
	block []scheduler.Task                     // where the next tasks go
	needs []scheduler.TaskID                   // where the next edges go
	last  *scheduler.Task                      // the task of the edge before
}

// graphBlock is how many tasks or edges are laid out together.
const graphBlock = 256

// addTask takes a row of id and taskColumns.
func (g *graph) addTask(v []driver.Value) error {
	if len(g.block) == 0 {
		// The first block is for one task, which may be all.
		g.block = make([]scheduler.Task, min(graphBlock, 1+len(g.tasks)))
	}
	t := &g.block[0]
	g.block = g.block[1:]
	r := rowReader{v: v}
	t.ID, t.Status = scheduler.TaskID(r.text()), scheduler.TaskStatus(r.text())
	t.Name, t.AgentRole = r.text(), r.text()
	t.FailureMode, t.Isolation = scheduler.FailureMode(r.text()), scheduler.Isolation(r.text())
	t.Attempts, t.Timeout = int(r.number()), time.Duration(r.number())
	t.WritesFiles, t.Verify = r.list(), r.list()
	t.Error, t.Result = r.text(), r.optional()
	t.Command, t.Prompt = r.text(), r.text()
	if r.err != nil {
		return fmt.Errorf("task %s: %w", t.ID, r.err)
	}
	g.tasks = append(g.tasks, t)
	return nil
}

// addEdge takes a row of the names of a task and of one that it depends on.
func (g *graph) addEdge(v []driver.Value) error {
	r := rowReader{v: v}
	id, need := scheduler.TaskID(r.text()), scheduler.TaskID(r.text())
	if r.err != nil {
		return r.err
	}
	if g.last == nil || g.last.ID != id {
		if g.last = g.find(id); g.last == nil {
			return damaged(fmt.Errorf("task %s has dependencies but is not there", id))
		}
	}
	if len(g.needs) == cap(g.needs) {
		// What this task has so far moves along.
		g.needs = append(make([]scheduler.TaskID, 0, len(g.last.DependsOn)+min(graphBlock, 4*len(g.tasks))), g.last.DependsOn...)
	}
	first := len(g.needs) - len(g.last.DependsOn)
	g.needs = append(g.needs, need)
	// Without room behind: whoever appends to the list later must not write into that of the next task.
	g.last.DependsOn = g.needs[first:len(g.needs):len(g.needs)]
	return nil
}

func (g *graph) find(id scheduler.TaskID) *scheduler.Task {
	if g.byID == nil {
		g.byID = make(map[scheduler.TaskID]*scheduler.Task, len(g.tasks))
		for _, t := range g.tasks {
			g.byID[t.ID] = t
		}
	}
	return g.byID[id]
}

// rowReader takes the values of a row one after another. The tables are STRICT, so only in a damaged file can they be
// of another kind than their column.
type rowReader struct {
	v   []driver.Value
	at  int
	err error // the first
}

func (r *rowReader) next() driver.Value {
	r.at++
	return r.v[r.at-1]
}

func (r *rowReader) unexpected(v driver.Value) {
	if r.err == nil {
		r.err = damaged(fmt.Errorf("column %d holds %T", r.at, v))
	}
}

func (r *rowReader) text() string {
	v := r.next()
	text, ok := v.(string)
	if !ok {
		r.unexpected(v)
	}
	return text
}

func (r *rowReader) number() int64 {
	v := r.next()
	n, ok := v.(int64)
	if !ok {
		r.unexpected(v)
	}
	return n
}

// optional is nil for NULL.
func (r *rowReader) optional() *string {
	if r.v[r.at] == nil {
		r.at++
		return nil
	}
	text := r.text()
	return &text
}

// list is nil for NULL.
func (r *rowReader) list() []string {
	if r.v[r.at] == nil {
		r.at++
		return nil
	}
	stored := r.text()
	if r.err != nil {
		return nil
	}
	list, err := listOf(stored)
	if err != nil {
		r.err = damaged(fmt.Errorf("column %d: %w", r.at, err))
	}
	return list
}

// damaged is an error about content that cannot have been stored.
func damaged(err error) error {
	return &Error{Op: "read a row", Kind: ErrCorrupt, Err: err, Hint: "orc db check says what else is wrong; restore a backup"}
}
