package process_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"orchestrator/internal/process"
)

var tokens atomic.Int64

// token is a part of an argument that nobody else on the machine has; digits, so that sleep takes it.
func token() string {
	return "7" + strconv.Itoa(os.Getpid()) + "0" + strconv.FormatInt(tokens.Add(1), 10) + strconv.FormatInt(time.Now().UnixNano()%1e6, 10)
}

// alive lists the processes that are not zombies and have the token among their arguments.
func alive(t testing.TB, token string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		b, err := os.ReadFile(file) // empty for zombies
		if err == nil && strings.Contains(string(b), token) {
			found = append(found, strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return found
}

func noneAlive(t testing.TB, token string) {
	t.Helper()
	if left := alive(t, token); len(left) > 0 {
		t.Errorf("%d survivors: %q", len(left), left)
	}
}

// kin is what an agent leaves around: each line starts one more process, or a tree, with the token.
var kin = map[string]string{
	"plain":     `sleep 99.TOK &`,
	"setsid":    `setsid sleep 99.TOK &`,
	"daemon":    `(setsid sh -c 'sleep 99.TOK & sleep 99.TOK &' x TOK &)`,
	"ignoring":  `sh -c 'trap "" TERM HUP INT; while :; do sleep 99; done' x TOK &`,
	"respawner": `setsid sh -c 'while :; do setsid sh -c "sleep 0.3" x TOK & sleep 0.1; done' x TOK &`,
	"new group": `perl -e 'setpgrp; exec "sleep", "99.TOK"' &`,
}

// hostile can be attributed to nothing.
const hostile = `(env -i PATH="$PATH" setsid sh -c 'exec 0<&- 1>&- 2>&-; (setsid sleep 99.TOK &) ' &)`

func agent(tok string, withHostile bool, then string) string {
	var b strings.Builder
	for _, line := range kin {
		b.WriteString(line + "\n")
	}
	if withHostile {
		b.WriteString(hostile + "\n")
	}
	b.WriteString(then)
	return strings.ReplaceAll(b.String(), "TOK", tok)
}

func TestWhatALeaderLeavesBehindIsEndedBeforeItsExitIsReported(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level, Mark: mark(t)})
		lines := maps.Clone(kin)
		if level != process.LevelGroup { // it promises less
			lines["hostile"] = hostile
		}
		for name, line := range lines {
			tok := token()
			c := launch(t, s, sh(t, "a", strings.ReplaceAll(line, "TOK", tok)+"\nsleep 0.1; exit 5").spec)
			e := wait(t, c)
			if left := alive(t, tok); len(left) > 0 {
				t.Errorf("%s: survivors %q", name, left)
			}
			if e.Code != 5 || e.Signal != "" || e.Strays == 0 {
				t.Errorf("%s: exit %+v", name, e)
			}
		}
	})
}

func TestHostileDaemonEndsWithTheLastCommand(t *testing.T) {
	for _, level := range levels(t) {
		if level == process.LevelGroup {
			continue
		}
		t.Run(level.String(), func(t *testing.T) {
			s := start(t, process.Options{Level: level, Mark: mark(t)})
			tok := token()
			neighbour := launch(t, s, sh(t, "neighbour", "exec sleep 99").spec)
			wait(t, launch(t, s, sh(t, "a", strings.ReplaceAll(hostile, "TOK", tok)+"\nsleep 0.1").spec))
			if err := neighbour.Kill(); err != nil {
				t.Fatal(err)
			}
			wait(t, neighbour)
			noneAlive(t, tok)
		})
	}
}

func TestKillEndsTheTreeAndNotTheNeighbours(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level, Mark: mark(t)})
		victims, others := token(), token()
		a := launch(t, s, sh(t, "a", agent(victims, false, "wait")).spec)
		b := launch(t, s, sh(t, "b", agent(others, false, "wait")).spec)
		eventually(t, "both trees are up", func() bool {
			return len(alive(t, victims)) >= len(kin)+2 && len(alive(t, others)) >= len(kin)+2
		})
		if err := a.Kill(); err != nil {
			t.Fatal(err)
		}
		if e := wait(t, a); e.Signal != "SIGKILL" || e.Code != 137 || e.Lost {
			t.Errorf("exit %+v", e)
		}
		if level != process.LevelGroup {
			noneAlive(t, victims)
		}
		if n := len(alive(t, others)); n < len(kin)+2 {
			t.Errorf("only %d of the neighbour's processes are left", n)
		}
		if err := a.Kill(); err != nil {
			t.Errorf("kill what has ended: %v", err)
		}
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		wait(t, b)
		if level == process.LevelGroup {
			return
		}
		noneAlive(t, others)
	})
}

func TestStopLetsTheTreeEndInPeace(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level, Mark: mark(t)})
		// The leader dies of SIGTERM at once; its child needs a moment to save.
		c := sh(t, "a", `sh -c 'trap "sleep 0.2; echo saved; exit" TERM; echo up; while :; do sleep 0.02; done' & wait`)
		child := launch(t, s, c.spec)
		eventually(t, "the child listens", func() bool { return strings.Contains(c.output(t), "up") })
		e, err := child.Stop(testContext(t), patience)
		if err != nil {
			t.Fatal(err)
		}
		if e.Signal != "SIGTERM" || e.Strays != 0 || e.Lost || !e.Stopped {
			t.Errorf("exit %+v", e)
		}
		if got := c.output(t); !strings.Contains(got, "saved") {
			t.Errorf("output %q", got)
		}
	})
}

func TestStopEscalates(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level, Mark: mark(t)})
		for _, script := range []string{
			`trap "" TERM; echo up; while :; do sleep 0.05; done`,
			`sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done' TOK & wait`,
			`echo up; kill -STOP $$`,
		} {
			tok := token()
			c := sh(t, "a", strings.ReplaceAll(script, "TOK", tok))
			child := launch(t, s, c.spec)
			eventually(t, "it is up", func() bool { return strings.Contains(c.output(t), "up") })
			e, err := child.Stop(testContext(t), 50*time.Millisecond)
			if err != nil || e.Signal == "" {
				t.Errorf("%q: exit %+v, %v", script, e, err)
			}
			noneAlive(t, tok)
			if again, err := child.Stop(testContext(t), time.Second); err != nil || again != e {
				t.Errorf("second Stop: %+v, %v", again, err)
			}
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	s := start(t, process.Options{})
	c := launch(t, s, sh(t, "a", "exec sleep 99").spec)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := c.Wait(ctx); !errors.Is(err, cause) {
		t.Errorf("wait: %v", err)
	}
	if _, err := s.Launch(ctx, sh(t, "b", "true").spec); !errors.Is(err, cause) {
		t.Errorf("launch: %v", err)
	}
}

func TestSupervisorIgnoresWhatTheTerminalSends(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level})
		c := launch(t, s, sh(t, "a", "sleep 0.2; exit 4").spec)
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP} {
			if err := syscall.Kill(s.PID(), sig); err != nil {
				t.Fatal(err)
			}
		}
		if e := wait(t, c); e.Code != 4 {
			t.Errorf("exit %+v", e)
		}
	})
}

func TestCommandsStartWithDefaultSignals(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range levels(t) {
		// The owner itself was started with signals ignored, as by nohup.
		out, err := exec.Command("sh", "-c", `trap "" HUP INT TERM QUIT TSTP TTIN TTOU USR1 PIPE CHLD; exec "$0" run `+level.String()+
			` 'grep -E "^Sig(Ign|Blk)" /proc/self/status'`, exe).CombinedOutput()
		want := "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
		if err != nil || string(out) != want {
			t.Errorf("%s: %q, %v", level, out, err)
		}
	}
}

func TestJournalTellsAnAskedEndFromTheCommandsOwn(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "exits")
	s := start(t, process.Options{Mark: mark(t), Journal: journal})
	asked := sh(t, "asked", `trap "exit 0" TERM; echo up; while :; do sleep 0.02; done`)
	child := launch(t, s, asked.spec)
	eventually(t, "it listens", func() bool { return strings.Contains(asked.output(t), "up") })
	if _, err := child.Stop(testContext(t), patience); err != nil {
		t.Fatal(err)
	}
	wait(t, launch(t, s, sh(t, "own", "exit 0").spec))
	if err := s.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	exits, err := process.ReadJournal(journal)
	if own, there := exits["own"]; err != nil || !exits["asked"].Stopped || !there || own.Stopped {
		t.Errorf("journal %+v, %v", exits, err)
	}
}
