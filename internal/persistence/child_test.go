package persistence_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// childRole makes this test binary play another process.
const childRole = "ORC_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		if err := playChild(role, os.Args[1]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child prepares this binary as another process that works on the database at path.
func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], path)
	c.Env = []string{childRole + "=" + role, "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	c.Stderr = os.Stderr
	return c
}

func playChild(role, path string) error {
	ctx := context.Background()
	switch role {
	case "open":
		// All start together, when their input ends.
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err == nil {
			return errors.New("unexpected input")
		}
		s, err := persistence.NewSQLiteStore(ctx, path)
		if err != nil {
			return err
		}
		return s.Close()
	case "write":
		return writeForEver(ctx, path)
	case "commit":
		return commitOnDemand(ctx, path)
	case "consume":
		return consumeForEver(ctx, path)
	case "nobody":
		return asNobody(ctx, path)
	case "limited":
		return withFileLimit(ctx, path)
	}
	return fmt.Errorf("unknown role %q", role)
}

// writeForEver applies transitions, each of which leaves the same number in five places, and prints the number
// after it was acknowledged.
func writeForEver(ctx context.Context, path string) error {
	s, err := persistence.NewSQLiteStore(ctx, path)
	if err != nil {
		return err
	}
	now := time.Now()
	generation, err := s.AcquireLease(ctx, persistence.Lease{Run: "aa", Owner: fmt.Sprint(os.Getpid()), ExpiresAt: now}, now, true)
	if err != nil {
		return err
	}
	tasks, err := s.ListTasks(ctx, "aa")
	if err != nil {
		return err
	}
	is := tasks[0].Status
	n := 0
	if tasks[0].Error != "" {
		if _, err := fmt.Sscan(tasks[0].Error, &n); err != nil {
			return err
		}
	}
	for {
		n++
		next := scheduler.TaskRunning
		if is == next {
			next = scheduler.TaskEligible
		}
		text := fmt.Sprint(n)
		_, err := s.Apply(ctx, persistence.Transition{
			Run: "aa", Generation: generation, Now: now, State: scheduler.RunRunning, Error: text,
			Tasks:    []persistence.TaskChange{{Task: "a", From: is, To: next, Error: text}},
			Attempts: []persistence.Attempt{{Task: "a", Number: 1, Phase: scheduler.PhaseWorking, Error: text}},
			Turns:    []persistence.TaskTurn{{Task: "a", ConversationTurn: persistence.ConversationTurn{Role: "user", Content: text}}},
			Events:   []event.Event{{Kind: event.Notice, Detail: event.Detail{Message: text}}},
		})
		if err != nil {
			return err
		}
		is = next
		if _, err := fmt.Println(text); err != nil {
			return err
		}
	}
}

// asNobody opens the database as a user without rights, and says how that failed.
func asNobody(ctx context.Context, path string) error {
	if os.Getuid() == 0 {
		if err := errors.Join(syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
			return fmt.Errorf("skip: %w", err)
		}
	}
	s, err := persistence.NewSQLiteStore(ctx, path)
	if err == nil {
		return errors.Join(errors.New("it opened"), s.Close())
	}
	return describe(err)
}

// describe turns the error that is wanted into output.
func describe(err error) error {
	var e *persistence.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("not an Error: %w", err)
	}
	for name, kind := range map[string]error{"readonly": persistence.ErrReadOnly, "full": persistence.ErrFull} {
		if errors.Is(err, kind) {
			fmt.Printf("%s\n%v\nhint: %s\n", name, err, e.Hint)
			return nil
		}
	}
	return fmt.Errorf("of no kind: %w", err)
}

// withFileLimit writes until a limit on file sizes stops it, then checks that what was acknowledged is there.
func withFileLimit(ctx context.Context, path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return fmt.Errorf("skip: %w", err)
	}
	s, err := persistence.NewSQLiteStore(ctx, path)
	if err != nil {
		return err
	}
	full, err := fill(ctx, s)
	if err != nil {
		return err
	}
	if err := errors.Join(s.Check(ctx), s.Close()); err != nil {
		return err
	}
	return describe(full)
}

// fill writes turns until that fails, and checks that exactly those acknowledged can be read.
func fill(ctx context.Context, s *persistence.SQLiteStore) (full, err error) {
	run := persistence.Run{ID: "aa", State: scheduler.RunRunning}
	if err := s.CreateRun(ctx, run, []*scheduler.Task{{ID: "a"}}); err != nil {
		return nil, err
	}
	turn := persistence.ConversationTurn{Role: "user", Content: strings.Repeat("x", 10_000)}
	stored := 0
	for stored < 1000 {
		if full = s.SaveMessage(ctx, "aa", "a", turn, turn); full != nil {
			break
		}
		stored += 2
	}
	if full == nil {
		return nil, errors.New("nothing stopped it")
	}
	turns, err := s.GetHistory(ctx, "aa", "a")
	if err == nil && len(turns) != stored {
		err = fmt.Errorf("%d turns are there, %d were acknowledged", len(turns), stored)
	}
	return full, err
}
