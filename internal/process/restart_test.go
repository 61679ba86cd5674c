package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"orchestrator/internal/process"
)

// now gives up at once.
func now(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestLockOfAnEarlierBootIsFree(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads the boot's id as Linux gives it")
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	stranger := sleeper(t, "exec sleep 99")
	target, ok := process.Record(stranger.Process.Pid)
	if !ok {
		t.Fatal("it is not there")
	}
	for _, tc := range []struct {
		name  string
		boot  string
		start uint64
		free  bool
	}{
		{"the process that wrote itself into it", strings.TrimSpace(string(boot)), target.Start(), false},
		{"another process that got its number", strings.TrimSpace(string(boot)), target.Start() + 1, true},
		{"a process of the boot before", "00000000-0000-4000-8000-000000000000", target.Start(), true},
	} {
		path := filepath.Join(t.TempDir(), "lock")
		text, err := json.Marshal(map[string]any{"pid": stranger.Process.Pid, "start": tc.start, "boot": tc.boot})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := process.WaitLock(now(t), path); (err == nil) != tc.free {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger: %v", err)
	}
}

func TestStoppedSupervisorKeepsTheLockUntilItsMarkIsSwept(t *testing.T) {
	for _, level := range holding(t) {
		t.Run(level.String(), func(t *testing.T) {
			tok := token()
			o := startOwner(t, level, "exec sleep 99."+tok, agent(tok, level == process.LevelNamespace, "wait"))
			eventually(t, "the trees are up", func() bool { return len(alive(t, tok)) >= len(kin)+2 })
			if err := syscall.Kill(o.supervisor, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			o.die(t)
			if err := process.WaitLock(now(t), filepath.Join(o.dir, "lock")); !errors.Is(err, context.Canceled) {
				t.Errorf("the lock counts as free while what it stands for lives: %v", err)
			}
			if len(alive(t, tok)) == 0 {
				t.Error("nothing outlived the owner: a stopped supervisor ends nothing")
			}
			if n, err := process.Sweep(testContext(t), o.mark); err != nil || n == 0 {
				t.Errorf("swept %d, %v", n, err)
			}
			o.waitLock(t)
			noneAlive(t, tok)
		})
	}
}

func TestTheLastExitOfAnIDCounts(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "exits")
	for _, script := range []string{"exit 1", "exit 2"} { // each by an owner of its own, the second after a crash
		s := start(t, process.Options{Journal: journal})
		wait(t, launch(t, s, sh(t, "a", script).spec))
		if err := s.Close(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	exits, err := process.ReadJournal(journal)
	if err != nil || len(exits) != 1 || exits["a"].Code != 2 {
		t.Errorf("journal %+v, %v", exits, err)
	}
}
