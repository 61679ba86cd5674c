package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

const (
	// fileKey names the variable that makes this program the process to be killed, and tells it its file.
	fileKey = "KILLSTORE_FILE"
	run     = scheduler.RunID("aa")
	writers = 4
)

func taskOf(writer int) scheduler.TaskID { return scheduler.TaskID(fmt.Sprint("w", writer)) }

// create makes the run that all writers work on.
func create(ctx context.Context, s persistence.Store) error {
	var tasks []*scheduler.Task
	for w := range writers {
		tasks = append(tasks, &scheduler.Task{ID: taskOf(w), Status: scheduler.TaskEligible})
	}
	return s.CreateRun(ctx, persistence.Run{ID: run, State: scheduler.RunRunning}, tasks)
}

// write lets all writers write until one fails, or rather until the process is killed. Each acknowledged number is
// printed at once as "WRITER NUMBER".
func write(ctx context.Context, file string, out io.Writer) error {
	s, err := persistence.NewSQLiteStore(ctx, file)
	if err != nil {
		return err
	}
	now := time.Now()
	generation, err := s.AcquireLease(ctx, persistence.Lease{Run: run, Owner: "writer", ExpiresAt: now}, now, true)
	if err != nil {
		return err
	}
	failed := make(chan error, writers)
	var printing sync.Mutex
	for w := range writers {
		go func() {
			failed <- writeNumbers(ctx, s, generation, w, func(n int) error {
				printing.Lock()
				defer printing.Unlock()
				_, err := fmt.Fprintf(out, "%d %d\n", w, n)
				return err
			})
		}()
	}
	return <-failed
}

// writeNumbers makes one transaction after another, each of which leaves the same number in all the places that read
// looks at.
func writeNumbers(ctx context.Context, s persistence.Store, generation int64, w int, acknowledged func(n int) error) error {
	n, err := read(ctx, s, w)
	if err != nil {
		return err
	}
	task := taskOf(w)
	for {
		n++
		text := fmt.Sprint(n)
		filler := strings.Repeat("x", fillerSize(n))
		_, err := s.Apply(ctx, persistence.Transition{
			Run: run, Generation: generation, Now: time.Now(),
			Tasks:    []persistence.TaskChange{{Task: task, From: statusAt(n - 1), To: statusAt(n), Error: text}},
			Attempts: []persistence.Attempt{{Task: task, Number: 1, Phase: scheduler.PhaseWorking, Error: text}},
			Sessions: []persistence.Session{{Task: task, Attempt: 1, Provider: "p", SessionID: text}},
			Turns: []persistence.TaskTurn{
				{Task: task, ConversationTurn: persistence.ConversationTurn{Role: "user", Content: text}},
				{Task: task, ConversationTurn: persistence.ConversationTurn{Role: "tool", Content: filler}},
			},
			Events: []event.Event{{Kind: event.Notice, Task: string(task), Detail: event.Detail{Message: text}}},
		})
		if err != nil {
			return err
		}
		if err := acknowledged(n); err != nil {
			return err
		}
	}
}

// fillerSize is the size of a turn: a few bytes, or now and then up to fifty pages, so that kills meet checkpoints
// and long commits too.
func fillerSize(n int) int {
	if n%9 == 0 {
		return n * 7919 % 200_000
	}
	return n * 31 % 500
}

func statusAt(n int) scheduler.TaskStatus {
	if n%2 == 0 {
		return scheduler.TaskEligible
	}
	return scheduler.TaskRunning
}

// errTorn says that a transaction is there in part.
var errTorn = errors.New("half a transaction is stored")

// read returns the number that a writer's last stored transaction left, which must be the same everywhere.
func read(ctx context.Context, s persistence.Store, w int) (n int, err error) {
	task, err := s.GetTask(ctx, run, taskOf(w))
	if err != nil {
		return 0, err
	}
	attempts, err := s.ListAttempts(ctx, run, task.ID)
	if err != nil {
		return 0, err
	}
	turns, err := s.GetHistory(ctx, run, task.ID)
	if err != nil {
		return 0, err
	}
	all, err := s.Events(ctx, run, 0, 0)
	if err != nil {
		return 0, err
	}
	var events []string
	for _, e := range all {
		if e.Task == string(task.ID) {
			events = append(events, e.Message)
		}
	}
	session, err := s.GetSession(ctx, run, task.ID)
	if task.Error == "" {
		if !errors.Is(err, persistence.ErrNotFound) || len(attempts)+len(turns)+len(events) > 0 {
			return 0, fmt.Errorf("writer %d: %w: the task says nothing, but %d attempts, %d turns, %d events", w, errTorn, len(attempts), len(turns), len(events))
		}
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(task.Error, &n); err != nil {
		return 0, fmt.Errorf("task %s says %q: %w", task.ID, task.Error, err)
	}
	if task.Status != statusAt(n) || len(attempts) != 1 || len(turns) != 2*n || len(events) != n {
		return 0, fmt.Errorf("writer %d: %w: number %d, %s, %d attempts, %d turns, %d events", w, errTorn, n, task.Status, len(attempts), len(turns), len(events))
	}
	for i, place := range []string{attempts[0].Error, session.SessionID, turns[2*n-2].Content, events[n-1]} {
		if place != task.Error {
			return 0, fmt.Errorf("writer %d: %w: the task says %s, place %d %s", w, errTorn, task.Error, i, place)
		}
	}
	return n, nil
}
