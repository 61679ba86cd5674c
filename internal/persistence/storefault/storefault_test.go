package storefault_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/persistence/storefault"
	"orchestrator/internal/persistence/storetest"
	"orchestrator/internal/scheduler"
)

func memory(t *testing.T) (*storefault.Store, *persistence.SQLiteStore) {
	t.Helper()
	below, err := persistence.NewMemoryStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := below.Close(); err != nil {
			t.Error(err)
		}
	})
	run := persistence.Run{ID: "aa", State: scheduler.RunRunning}
	if err := below.CreateRun(t.Context(), run, []*scheduler.Task{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	return storefault.New(below), below
}

func say(s persistence.Store, text string) error {
	return s.UpdateTaskStatus(context.Background(), "aa", "a", scheduler.TaskRunning, nil, text)
}

func wantSaid(t *testing.T, below persistence.Store, want string) {
	t.Helper()
	task, err := below.GetTask(t.Context(), "aa", "a")
	if err != nil {
		t.Fatal(err)
	}
	if task.Error != want {
		t.Errorf("stored is %q, want %q", task.Error, want)
	}
}

func TestWithoutFaultsItIsTheStoreBelow(t *testing.T) {
	storetest.Run(t, func(t *testing.T) persistence.Store {
		below, err := persistence.NewMemoryStore(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return storefault.New(below)
	})
}

// methods calls do with every method of the port but Close, and how to call it with empty arguments.
func methods(t *testing.T, s persistence.Store, do func(name string, call func() error)) {
	t.Helper()
	port := reflect.TypeFor[persistence.Store]()
	for method := range port.Methods() {
		name := method.Name
		if name == "Close" {
			continue
		}
		do(name, func() error {
			method := reflect.ValueOf(s).MethodByName(name)
			var args []reflect.Value
			for k := range method.Type().NumIn() {
				in := method.Type().In(k)
				switch {
				case k == 0:
					args = append(args, reflect.ValueOf(t.Context()))
				case method.Type().IsVariadic() && k == method.Type().NumIn()-1:
				case in == reflect.TypeFor[*scheduler.Task]():
					args = append(args, reflect.ValueOf(&scheduler.Task{}))
				default:
					args = append(args, reflect.Zero(in))
				}
			}
			results := method.Call(args)
			err, _ := results[len(results)-1].Interface().(error)
			return err
		})
	}
}

func TestEveryMethodCanFail(t *testing.T) {
	s, _ := memory(t)
	methods(t, s, func(name string, call func() error) {
		s.Arm(storefault.Fault{Method: name})
		if err := call(); !errors.Is(err, storefault.ErrInjected) {
			t.Errorf("%s: %v", name, err)
		}
		s.Disarm()
		if err := call(); errors.Is(err, storefault.ErrInjected) {
			t.Errorf("%s fails without a fault", name)
		}
	})
	s.Arm(storefault.Fault{Method: "Close", Point: storefault.After})
	if err := s.Close(); !errors.Is(err, storefault.ErrInjected) {
		t.Errorf("Close: %v", err)
	}
}

func TestAFaultWithoutAMethodHitsTheWrites(t *testing.T) {
	s, _ := memory(t)
	s.Arm(storefault.Fault{})
	var writes []string
	methods(t, s, func(name string, call func() error) {
		if errors.Is(call(), storefault.ErrInjected) {
			writes = append(writes, name)
		}
	})
	slices.Sort(writes)
	want := "[AcquireLease AddRequest Apply CreateRun DeleteRun DeleteTask ReleaseLease RenewLease SaveMessage SaveSession SaveTask UpdateTaskStatus]"
	if got := fmt.Sprint(writes); got != want {
		t.Errorf("writes are %s, want %s", got, want)
	}
	if s.Writes() != len(writes) {
		t.Errorf("%d writes were counted, %d made", s.Writes(), len(writes))
	}
}

func TestBeforeStoresNothingAndAfterAllOfIt(t *testing.T) {
	s, below := memory(t)
	full := &persistence.Error{Op: "write", Kind: persistence.ErrFull, Hint: "free some space"}
	s.Arm(storefault.Fault{Method: "UpdateTaskStatus", Call: 2, Err: full})
	s.Arm(storefault.Fault{Method: "UpdateTaskStatus", Call: 4, Point: storefault.After, Err: full})
	for i, c := range []struct {
		fails  bool
		stored string
	}{{false, "0"}, {true, "0"}, {false, "2"}, {false, "3"}, {true, "4"}, {false, "5"}} {
		err := say(s, fmt.Sprint(i))
		if errors.Is(err, persistence.ErrFull) != c.fails || (err != nil) != c.fails {
			t.Errorf("call %d: %v", i, err)
		}
		wantSaid(t, below, c.stored)
	}
}

func TestAFailureOfTheStoreItselfIsNotReplaced(t *testing.T) {
	s, _ := memory(t)
	s.Arm(storefault.Fault{Point: storefault.After})
	if err := s.DeleteTask(t.Context(), "aa", "ghost"); !errors.Is(err, persistence.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestACrashIsTheEndOfAllCalls(t *testing.T) {
	for point, stored := range map[storefault.Point]string{storefault.Before: "one", storefault.After: "two"} {
		s, below := memory(t)
		s.Arm(storefault.Fault{Call: 2, Point: point, Crash: true})
		if err := say(s, "one"); err != nil {
			t.Fatal(err)
		}
		if err := say(s, "two"); !errors.Is(err, storefault.ErrDead) {
			t.Errorf("the crash: %v", err)
		}
		s.Disarm()
		if err := say(s, "three"); !errors.Is(err, storefault.ErrDead) {
			t.Errorf("after the crash: %v", err)
		}
		if _, err := s.GetTask(t.Context(), "aa", "a"); !errors.Is(err, storefault.ErrDead) {
			t.Errorf("reading after the crash: %v", err)
		}
		wantSaid(t, below, stored)
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if _, err := below.GetRun(t.Context(), "aa"); !errors.Is(err, persistence.ErrClosed) {
			t.Errorf("the store below is open: %v", err)
		}
	}
}

func TestADelayHoldsTheCallUpAndEndsWithItsContext(t *testing.T) {
	s, below := memory(t)
	reached, free := make(chan struct{}), make(chan struct{})
	s.Arm(storefault.Fault{Method: "UpdateTaskStatus", Point: storefault.After, Delay: func(ctx context.Context) error {
		close(reached)
		select {
		case <-free:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}})
	done := make(chan error)
	go func() { done <- say(s, "late") }()
	<-reached
	wantSaid(t, below, "late") // it is stored, and its caller does not know yet
	close(free)
	if err := <-done; err != nil {
		t.Errorf("a delay alone: %v", err)
	}
	s.Disarm()
	s.Arm(storefault.Fault{Method: "GetTask", Delay: func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}})
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("enough"))
	defer cancel()
	if _, err := s.GetTask(ctx, "aa", "a"); err == nil || err.Error() != "enough" {
		t.Errorf("got %v", err)
	}
}
