package persistence

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"

	"orchestrator/internal/scheduler"
)

var (
	selectEdges = declare(`SELECT depends_on_id FROM task_dependencies WHERE run = ? AND task_id = ? ORDER BY position`)
	deleteEdges = declare(`DELETE FROM task_dependencies WHERE run = ? AND task_id = ?`)
	// insertEdge changes no row when the task depended upon does not exist.
	insertEdge = declare(`INSERT INTO task_dependencies (run, task_id, position, depends_on_id)
		SELECT run, ?, ?, id FROM tasks WHERE run = ? AND id = ?`)
	// The other direction of the edges has no index of its own: it would cost each write, and this is rare.
	deleteDependents = declare(`DELETE FROM task_dependencies WHERE run = ? AND depends_on_id = ?`)
)

// setEdges makes a task depend on exactly these, in this order. Most tasks that are saved again need the same as
// before: then nothing is written.
func (tx *transaction) setEdges(run scheduler.RunID, id scheduler.TaskID, wanted []scheduler.TaskID) error {
	stored, err := tx.edges(run, id)
	if err != nil || slices.Equal(stored, wanted) {
		return err
	}
	if len(stored) > 0 {
		if _, err := tx.exec(deleteEdges, string(run), string(id)); err != nil {
			return err
		}
	}
	return tx.addEdges(run, id, wanted)
}

func (tx *transaction) edges(run scheduler.RunID, id scheduler.TaskID) (list []scheduler.TaskID, err error) {
	err = tx.rows(selectEdges, func(v []driver.Value) error {
		list = append(list, scheduler.TaskID(v[0].(string)))
		return nil
	}, string(run), string(id))
	return list, err
}

func (tx *transaction) addEdges(run scheduler.RunID, id scheduler.TaskID, needs []scheduler.TaskID) error {
	for i, need := range needs {
		n, err := tx.exec(insertEdge, string(id), int64(i), string(run), string(need))
		if err != nil {
			return err
		}
		if n == 0 {
			return &Error{
				Op: "add dependency", Kind: ErrNotFound,
				Err:  fmt.Errorf("task %s depends on %s, which is not a task of run %s", id, need, run),
				Hint: "save " + string(need) + " first, or correct the name",
			}
		}
	}
	return nil
}

// edgeText is one text for a list of needs, and no other list has the same: each with its length in bytes before it.
func edgeText(needs []scheduler.TaskID) string {
	var text []byte
	for _, need := range needs {
		text = strconv.AppendInt(text, int64(len(need)), 10)
		text = append(text, ':')
		text = append(text, need...)
	}
	return string(text)
}

func withoutDuplicates(ids []scheduler.TaskID) []scheduler.TaskID {
	list := make([]scheduler.TaskID, 0, len(ids))
	if len(ids) <= 8 { // the usual case, for which a map costs more than it saves
		for _, id := range ids {
			if !slices.Contains(list, id) {
				list = append(list, id)
			}
		}
		return list
	}
	seen := make(map[scheduler.TaskID]bool, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	return list
}
