package process_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/internal/process"
)

// roles are what the test binary can be when it is started again.
var roles = map[string]func([]string) int{
	process.DefaultArg: process.Main,
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			os.Exit(role(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

const patience = 90 * time.Second

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

var probed = sync.OnceValue(func() []process.LevelReport {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return process.Probe(ctx)
})

// levels are those that work where the test runs.
func levels(t testing.TB) []process.Level {
	t.Helper()
	var ok []process.Level
	for _, r := range probed() {
		if r.Err != nil {
			t.Logf("%s does not work here: %v", r.Level, r.Err)
			continue
		}
		ok = append(ok, r.Level)
	}
	return ok
}

func eachLevel(t *testing.T, f func(t *testing.T, level process.Level)) {
	t.Helper()
	for _, level := range levels(t) {
		t.Run(level.String(), func(t *testing.T) { f(t, level) })
	}
}

func start(t testing.TB, o process.Options) *process.Supervisor {
	t.Helper()
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	s, err := process.Start(testContext(t), o)
	if err != nil {
		t.Fatalf("start supervisor: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close supervisor: %v", err)
		}
	})
	return s
}

func env(t testing.TB, extra ...string) []string {
	t.Helper()
	return append([]string{"PATH=" + os.Getenv("PATH")}, extra...)
}

// shell is a spec for sh -c with its output in a file.
type shell struct {
	spec process.Spec
	out  string
}

func sh(t testing.TB, id, script string, extra ...string) shell {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return shell{out: out, spec: process.Spec{
		ID: id, Argv: []string{"sh", "-c", script}, Dir: filepath.Dir(out), Env: env(t, extra...), Stdout: f, Stderr: f,
	}}
}

func (s shell) output(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(s.out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func launch(t testing.TB, s *process.Supervisor, spec process.Spec) *process.Child {
	t.Helper()
	c, err := s.Launch(testContext(t), spec)
	if err != nil {
		t.Fatalf("launch: %v", err)
	}
	return c
}

func wait(t testing.TB, c *process.Child) process.Exit {
	t.Helper()
	e, err := c.Wait(testContext(t))
	if err != nil {
		t.Fatalf("wait: %v", err)
	}
	return e
}

// eventually polls a condition that only other processes can make true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		<-tick.C
	}
}

// withEnviron lists the processes whose environment holds the entry.
func withEnviron(t testing.TB, entry string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err == nil && bytes.Contains(append([]byte{0}, b...), []byte("\x00"+entry)) {
			found = append(found, strings.Split(file, "/")[2])
		}
	}
	return found
}

func mark(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("test%d-%d", os.Getpid(), time.Now().UnixNano())
}
