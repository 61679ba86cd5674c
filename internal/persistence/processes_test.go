package persistence_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// takeOver makes this process the owner of run aa.
func takeOver(ctx context.Context, s persistence.Store) (generation int64, err error) {
	now := time.Now()
	return s.AcquireLease(ctx, persistence.Lease{Run: "aa", Owner: fmt.Sprint(os.Getpid()), ExpiresAt: now}, now, true)
}

// commitOnDemand stores an event for each line of its input and says so after each.
func commitOnDemand(ctx context.Context, path string) error {
	s, err := persistence.NewSQLiteStore(ctx, path)
	if err != nil {
		return err
	}
	generation, err := takeOver(ctx, s)
	if err != nil {
		return err
	}
	if _, err := fmt.Println("ready"); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		_, err := s.Apply(ctx, persistence.Transition{
			Run: "aa", Generation: generation, Now: time.Now(),
			Events: []event.Event{{Kind: event.Notice, Detail: event.Detail{Message: lines.Text()}}},
		})
		if err != nil {
			return err
		}
		if _, err := fmt.Println("stored"); err != nil {
			return err
		}
	}
	return s.Close()
}

// consumeForEver takes requests as an owner does, each with an event that names it, and prints the name afterwards.
func consumeForEver(ctx context.Context, path string) error {
	s, err := persistence.NewSQLiteStore(ctx, path)
	if err != nil {
		return err
	}
	generation, err := takeOver(ctx, s)
	if err != nil {
		return err
	}
	for {
		pending, err := s.PendingRequests(ctx, "aa")
		if err != nil {
			return err
		}
		for _, r := range pending {
			if err := consume(ctx, s, generation, r); err != nil {
				return err
			}
			if _, err := fmt.Println(r.Kind); err != nil {
				return err
			}
		}
	}
}

func consume(ctx context.Context, s persistence.Store, generation int64, r persistence.Request) error {
	_, err := s.Apply(ctx, persistence.Transition{
		Run: "aa", Generation: generation, Now: time.Now(),
		Requests: []persistence.RequestDone{{ID: r.ID}},
		Events:   []event.Event{{Kind: event.Notice, Detail: event.Detail{Message: r.Kind}}},
	})
	return err
}

// oneRun is a store in a file with the run aa.
func oneRun(t *testing.T) (s *persistence.SQLiteStore, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "orc.db")
	s = openStore(t, path)
	if err := s.CreateRun(t.Context(), persistence.Run{ID: "aa", State: scheduler.RunRunning}, []*scheduler.Task{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	return s, path
}

// TestAnotherProcessWakesATailByTheDataVersion follows events that another process stores, looking only at the data
// version until that changes.
func TestAnotherProcessWakesATailByTheDataVersion(t *testing.T) {
	s, path := oneRun(t)
	c := child(t, "commit", path)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	if !said.Scan() || said.Text() != "ready" {
		t.Fatalf("the other process says %q", said.Text())
	}
	version, last := dataVersion(t, s), int64(0)
	for n := range 20 {
		for range 3 {
			if again := dataVersion(t, s); again != version {
				t.Fatalf("the data version went from %d to %d by itself", version, again)
			}
		}
		text := fmt.Sprint("event ", n)
		if _, err := io.WriteString(in, text+"\n"); err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 && !said.Scan() { // the other half of the time it is not known when it commits
			t.Fatal("the other process ended")
		}
		for version == dataVersion(t, s) {
			time.Sleep(time.Millisecond)
		}
		version = dataVersion(t, s)
		events, err := s.Events(t.Context(), "aa", last, 0)
		if err != nil || len(events) != 1 || events[0].Message != text || events[0].Seq != last+1 {
			t.Fatalf("after event %d: %+v, %v", last, events, err)
		}
		last = events[0].Seq
		if n%2 == 1 && !said.Scan() {
			t.Fatal("the other process ended")
		}
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
}

func dataVersion(t *testing.T, s persistence.Store) int64 {
	t.Helper()
	v, err := s.DataVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRequestsAreTakenInOrderOnceThoughTheirOwnersAreKilled adds requests while one owner after the other takes some and
// is killed.
func TestRequestsAreTakenInOrderOnceThoughTheirOwnersAreKilled(t *testing.T) {
	s, path := oneRun(t)
	owners, each := 12, 15
	if testing.Short() {
		owners = 4
	}
	var want []string
	for range owners {
		for range each {
			kind := fmt.Sprint("request ", len(want))
			if _, err := s.AddRequest(t.Context(), persistence.Request{Run: "aa", Kind: kind, Payload: "{}"}); err != nil {
				t.Fatal(err)
			}
			want = append(want, kind)
		}
		killOwner(t, path, 1+rand.IntN(each))
	}
	generation, err := takeOver(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	pending, err := s.PendingRequests(t.Context(), "aa")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range pending {
		if err := consume(t.Context(), s, generation, r); err != nil {
			t.Fatal(err)
		}
	}
	events, err := s.Events(t.Context(), "aa", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != len(want) {
		t.Errorf("%d requests were taken, %d were made", len(events), len(want))
	}
	for i, e := range events {
		if i < len(want) && e.Message != want[i] {
			t.Fatalf("%q was taken when %q was due", e.Message, want[i])
		}
	}
}

// killOwner lets a process take requests, one at least, and kills it when it has said so a number of times or has no
// more to say.
func killOwner(t *testing.T, path string, requests int) {
	t.Helper()
	c := child(t, "consume", path)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range requests {
		if !lines.Scan() {
			t.Fatal("the owner ended by itself")
		}
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil {
		t.Fatal("the owner ended by itself")
	}
}
