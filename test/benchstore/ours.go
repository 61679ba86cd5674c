package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

const (
	run     = "aa"
	many    = 1000    // tasks that the writing works go round
	crowd   = 100_000 // tasks that the loading works read
	writers = 8       // concurrent callers
	batch   = 100     // turns in one message
)

var (
	prompt  = strings.Repeat("p", 200)
	content = strings.Repeat("c", 2000)
)

func taskName(i int) scheduler.TaskID { return scheduler.TaskID(fmt.Sprintf("task-%06d", i)) }

// graph is n tasks, with three dependencies each where there are so many before it.
func graph(n int) []*scheduler.Task {
	tasks := make([]*scheduler.Task, n)
	for i := range tasks {
		tasks[i] = &scheduler.Task{
			ID: taskName(i), Command: "true", Attempts: 1, Status: scheduler.TaskEligible, Prompt: prompt,
			WritesFiles: []string{"cmd/**"}, Verify: []string{},
		}
		for d := 1; d <= 3 && i-d*7 >= 0; d++ {
			tasks[i].DependsOn = append(tasks[i].DependsOn, taskName(i-d*7))
		}
	}
	return tasks
}

// seed makes a database with one run of n tasks.
func seed(ctx context.Context, file string, n int) error {
	s, err := persistence.NewSQLiteStore(ctx, file)
	if err != nil {
		return err
	}
	r := persistence.Run{ID: run, State: scheduler.RunRunning, CreatedAt: time.Now()}
	return errors.Join(s.CreateRun(ctx, r, graph(n)), s.Close())
}

// byStore opens the store with the durability of the environment, and measures ops operations on it.
func byStore(ctx context.Context, file string, ops int, do func(s persistence.Store) error) (sample, error) {
	s, err := persistence.OpenSQLite(ctx, file, persistence.Options{Durability: os.Getenv(durabilityKey)})
	if err != nil {
		return sample{}, err
	}
	result, err := measured(ops, func() error { return do(s) })
	return result, errors.Join(err, s.Close())
}

// twoStatuses are what a status is set to, in turn.
var twoStatuses = [2]scheduler.TaskStatus{scheduler.TaskRunning, scheduler.TaskFailed}

func statusByStore(ctx context.Context, file string, count int) (sample, error) {
	tasks := graph(many)
	return byStore(ctx, file, count, func(s persistence.Store) error {
		for i := range count {
			if err := s.UpdateTaskStatus(ctx, run, tasks[i%many].ID, twoStatuses[i%2], nil, ""); err != nil {
				return err
			}
		}
		return nil
	})
}

func saveByStore(ctx context.Context, file string, count int) (sample, error) {
	tasks := graph(many)
	return byStore(ctx, file, count, func(s persistence.Store) error {
		for i := range count {
			if err := s.SaveTask(ctx, run, tasks[i%many]); err != nil {
				return err
			}
		}
		return nil
	})
}

// turnsByStore adds turns, so many in a message.
func turnsByStore(size int) work {
	return func(ctx context.Context, file string, count int) (sample, error) {
		turns := make([]persistence.ConversationTurn, size)
		for i := range turns {
			turns[i] = persistence.ConversationTurn{Role: "assistant", Content: content, Timestamp: time.Now(), Attempt: 1}
		}
		return byStore(ctx, file, count/size*size, func(s persistence.Store) error {
			for range count / size {
				if err := s.SaveMessage(ctx, run, taskName(0), turns...); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// loadByStore lists all tasks once.
func loadByStore(ctx context.Context, file string, count int) (sample, error) {
	return byStore(ctx, file, count, func(s persistence.Store) error {
		list, err := s.ListTasks(ctx, run)
		return complete(list, count, err)
	})
}

// complete checks that a load found everything.
func complete(list []*scheduler.Task, count int, err error) error {
	if err != nil {
		return err
	}
	if len(list) != count {
		return fmt.Errorf("%d tasks were loaded, not %d", len(list), count)
	}
	last := list[count-1]
	if last.ID != taskName(count-1) || len(last.DependsOn) != 3 {
		return fmt.Errorf("the last task is %s with %d dependencies", last.ID, len(last.DependsOn))
	}
	return nil
}

func writersByStore(ctx context.Context, file string, count int) (sample, error) {
	return byStore(ctx, file, count, func(s persistence.Store) error {
		return together(count, func(i int) error {
			return s.UpdateTaskStatus(ctx, run, taskName(i%many), twoStatuses[i%2], nil, "")
		})
	})
}

// together does operations 0 to count-1 by so many writers at a time.
func together(count int, do func(i int) error) error {
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			var err error
			for i := w; i < count && err == nil; i += writers {
				err = do(i)
			}
			done <- err
		}()
	}
	var errs []error
	for range writers {
		errs = append(errs, <-done)
	}
	return errors.Join(errs...)
}
