package process_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/process"
)

func TestCommandThatFillsAPipeThatNobodyReadsIsStopped(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level, Mark: mark(t)})
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		tok := token()
		spec := sh(t, "a", `trap "" TERM; yes `+tok).spec
		spec.Stdout = w
		child := launch(t, s, spec)
		if err := w.Close(); err != nil { // the command's is the only other end
			t.Fatal(err)
		}
		eventually(t, "the pipe is full", func() bool {
			states := processStates(t, tok)
			return len(states) > 0 && states[len(states)-1] == 'S'
		})
		e, err := child.Stop(testContext(t), 50*time.Millisecond)
		if err != nil || e.Signal == "" {
			t.Errorf("exit %+v, %v", e, err)
		}
		noneAlive(t, tok)
		if _, err := io.Copy(io.Discard, r); err != nil { // ends only when no process holds the other end
			t.Error(err)
		}
	})
}

func TestExitIsReportedAlthoughADescendantKeepsThePipeOpen(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level, Mark: mark(t)})
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		tok := token()
		spec := sh(t, "a", `setsid sh -c 'trap "" TERM HUP; while :; do sleep 99; done' x `+tok+` & echo done; exit 4`).spec
		spec.Stdout = w
		child := launch(t, s, spec)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if e := wait(t, child); e.Code != 4 || e.Strays == 0 {
			t.Errorf("exit %+v", e)
		}
		noneAlive(t, tok)
		if said, err := io.ReadAll(r); err != nil || string(said) != "done\n" {
			t.Errorf("it said %q, %v", said, err)
		}
	})
}

// processStates are the states of the processes with the token among their arguments, as the kernel names them.
func processStates(t *testing.T, token string) []byte {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var states []byte
	for _, e := range entries {
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err != nil || !strings.HasPrefix(string(line), "yes") || !strings.Contains(string(line), token) {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		if _, rest, ok := strings.Cut(string(stat), ") "); ok {
			states = append(states, rest[0])
		}
	}
	return states
}
