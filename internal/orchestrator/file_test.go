package orchestrator_test

import (
	"os"
	"syscall"
	"testing"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// killSupervisor ends the present supervisor as a crash would.
func (r *rig) killSupervisor() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := syscall.Kill(r.sup.PID(), syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
}
