package process_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orchestrator/internal/process"
)

func init() {
	roles["run"] = runOnce
	roles["own"] = own
	roles["reuse"] = reuseNumber
}

func levelNamed(word string) process.Level {
	for l := process.LevelAuto; l <= process.LevelGroup; l++ {
		if l.String() == word {
			return l
		}
	}
	panic("level " + word)
}

// runOnce is an owner that runs one script: LEVEL SCRIPT.
func runOnce(args []string) int {
	ctx := context.Background()
	s, err := process.Start(ctx, process.Options{Level: levelNamed(args[0]), Stderr: os.Stderr})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	c, err := s.Launch(ctx, process.Spec{ID: "a", Argv: []string{"sh", "-c", args[1]}, Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	e, err := c.Wait(ctx)
	if err = errors.Join(err, s.Close(ctx)); err != nil {
		fmt.Println(err)
		return 1
	}
	return e.Code
}

// own is an owner that starts scripts and waits to be killed: LEVEL FOLDER MARK SCRIPT... It prints
// its supervisor's process number.
func own(args []string) int {
	ctx := context.Background()
	s, err := process.Start(ctx, process.Options{
		Level: levelNamed(args[0]), Journal: filepath.Join(args[1], "exits"), Lock: filepath.Join(args[1], "lock"), Mark: args[2],
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for i, script := range args[3:] {
		if _, err := s.Launch(ctx, process.Spec{ID: fmt.Sprintf("t%d", i), Argv: []string{"sh", "-c", script}, Env: os.Environ()}); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println(s.PID())
	<-s.Done()
	return 1
}

type owner struct {
	cmd        *exec.Cmd
	dir, mark  string
	supervisor int
}

// startOwner starts another process that owns a supervisor and commands.
func startOwner(t *testing.T, level process.Level, scripts ...string) *owner {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := &owner{dir: t.TempDir(), mark: mark(t)}
	o.cmd = exec.Command(exe, append([]string{"own", level.String(), o.dir, o.mark}, scripts...)...)
	o.cmd.Stderr = os.Stderr
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.die(t) })
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, serr := fmt.Sscan(line, &o.supervisor); err != nil || serr != nil {
		t.Fatalf("owner said %q (%v)", line, err)
	}
	return o
}

func (o *owner) die(t *testing.T) {
	t.Helper()
	if o.cmd.ProcessState != nil {
		return
	}
	if err := o.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var ee *exec.ExitError
	if err := o.cmd.Wait(); !errors.As(err, &ee) {
		t.Fatalf("owner: %v", err)
	}
}

func (o *owner) waitLock(t *testing.T) {
	t.Helper()
	if err := process.WaitLock(testContext(t), filepath.Join(o.dir, "lock")); err != nil {
		t.Fatal(err)
	}
}

func (o *owner) journal(t *testing.T) map[string]process.Exit {
	t.Helper()
	exits, err := process.ReadJournal(filepath.Join(o.dir, "exits"))
	if err != nil {
		t.Fatal(err)
	}
	return exits
}

// holding are the levels that promise to hold everything.
func holding(t *testing.T) []process.Level {
	t.Helper()
	var firm []process.Level
	for _, l := range levels(t) {
		if l != process.LevelGroup {
			firm = append(firm, l)
		}
	}
	if len(firm) == 0 {
		t.Skip("no such level here")
	}
	return firm
}

func rounds() int {
	if testing.Short() {
		return 1
	}
	return 4
}

func TestNothingSurvivesTheOwner(t *testing.T) {
	for _, level := range holding(t) {
		t.Run(level.String(), func(t *testing.T) {
			for range rounds() {
				tok := token()
				o := startOwner(t, level, agent(tok, true, "wait"), agent(tok, true, "exec sleep 99."+tok), "exit 0", "exec sleep 99."+tok)
				eventually(t, "the trees are up", func() bool { return len(alive(t, tok)) >= 2*(len(kin)+3)+1 })
				o.die(t)
				o.waitLock(t)
				noneAlive(t, tok)
			}
		})
	}
}

func TestNothingSurvivesAnOwnerThatDiesWhileItStartsThings(t *testing.T) {
	for _, level := range holding(t) {
		t.Run(level.String(), func(t *testing.T) {
			for range rounds() {
				tok := token()
				o := startOwner(t, level, agent(tok, true, "wait"))
				o.die(t) // at whatever moment that is for the tree
				o.waitLock(t)
				noneAlive(t, tok)
			}
		})
	}
}

func TestNothingSurvivesOwnerAndSupervisorKilledTogether(t *testing.T) {
	for _, level := range holding(t) {
		t.Run(level.String(), func(t *testing.T) {
			tok := token()
			o := startOwner(t, level, agent(tok, level == process.LevelNamespace, "wait"), "exec sleep 99."+tok)
			eventually(t, "the tree is up", func() bool { return len(alive(t, tok)) >= len(kin)+2 })
			if err := syscall.Kill(o.supervisor, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			o.die(t)
			o.waitLock(t)
			if level != process.LevelNamespace {
				// The leaders die with the supervisor, the rest carries the mark, but for what cleaned
				// its environment, which only a namespace holds.
				if _, err := process.Sweep(testContext(t), o.mark); err != nil {
					t.Fatal(err)
				}
				for _, left := range alive(t, tok) {
					if !strings.HasPrefix(left, "sleep 99.") {
						t.Errorf("survivor %q", left)
					}
				}
				endAll(t, tok)
				return
			}
			noneAlive(t, tok)
		})
	}
}

// endAll tidies up what a test lets survive on purpose.
func endAll(t *testing.T, tok string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || string(b) != "sleep\x0099."+tok+"\x00" {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/", &pid); err == nil {
			if target, ok := process.Record(pid); ok {
				process.SignalRecorded(target, syscall.SIGKILL)
			}
		}
	}
}

func TestLostSupervisorEndsItsCommands(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		dir, tok := t.TempDir(), token()
		s, err := process.Start(testContext(t), process.Options{Level: level, Journal: dir + "/exits", Lock: dir + "/lock", Mark: mark(t)})
		if err != nil {
			t.Fatal(err)
		}
		wait(t, launch(t, s, sh(t, "before", "exit 9").spec))
		script := "exec sleep 99." + tok
		if level == process.LevelNamespace {
			script = agent(tok, true, "wait")
		}
		c := launch(t, s, sh(t, "during", script).spec)
		eventually(t, "it is up", func() bool { return len(alive(t, tok)) > 0 })
		if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		e, err := c.Wait(testContext(t))
		if !errors.Is(err, process.ErrSupervisorLost) || !e.Lost {
			t.Errorf("wait: %+v, %v", e, err)
		}
		<-s.Done()
		if level == process.LevelNamespace {
			noneAlive(t, tok)
		} else {
			eventually(t, "the leader is gone", func() bool { return len(alive(t, tok)) == 0 })
		}
		if _, err := s.Launch(testContext(t), sh(t, "after", "true").spec); !errors.Is(err, process.ErrSupervisorLost) {
			t.Errorf("launch: %v", err)
		}
		if _, err := c.Stop(testContext(t), 0); !errors.Is(err, process.ErrSupervisorLost) {
			t.Errorf("stop: %v", err)
		}
		if err := s.Close(testContext(t)); err != nil {
			t.Errorf("close: %v", err)
		}
		exits, err := process.ReadJournal(dir + "/exits")
		if err != nil || exits["before"].Code != 9 {
			t.Errorf("journal %+v, %v", exits, err)
		}
		if _, ok := exits["during"]; ok {
			t.Error("the journal knows an exit that nobody saw")
		}
		if err := process.WaitLock(testContext(t), dir+"/lock"); err != nil {
			t.Error(err)
		}
	})
}

func TestJournalHasTheExitsThatTheOwnerNeverSaw(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		fifo := filepath.Join(t.TempDir(), "fifo")
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		o := startOwner(t, level, "read x <"+fifo+"; exit 6", "exec sleep 99")
		if err := o.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fifo, []byte("go\n"), 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the exit is in the journal", func() bool { return o.journal(t)["t0"].Code == 6 })
		o.die(t)
		o.waitLock(t)
		exits := o.journal(t)
		if e := exits["t0"]; e.Code != 6 || e.Lost || e.Ended.IsZero() {
			t.Errorf("t0: %+v", e)
		}
		if e := exits["t1"]; !e.Lost || e.Signal != "SIGKILL" {
			t.Errorf("t1: %+v", e)
		}
	})
}

func TestCloseEndsWhatIsLeft(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s, err := process.Start(testContext(t), process.Options{Level: level, Mark: mark(t)})
		if err != nil {
			t.Fatal(err)
		}
		tok := token()
		c := launch(t, s, sh(t, "a", agent(tok, level != process.LevelGroup, "wait")).spec)
		eventually(t, "it is up", func() bool { return len(alive(t, tok)) >= len(kin)+2 })
		if err := s.Close(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if e, err := c.Wait(testContext(t)); err != nil || !e.Lost || e.Signal != "SIGKILL" {
			t.Errorf("exit %+v, %v", e, err)
		}
		if level != process.LevelGroup {
			noneAlive(t, tok)
		} else {
			endAll(t, tok)
		}
		if _, err := s.Launch(testContext(t), sh(t, "b", "true").spec); !errors.Is(err, process.ErrClosed) {
			t.Errorf("launch: %v", err)
		}
		if err := s.Close(testContext(t)); err != nil {
			t.Errorf("second close: %v", err)
		}
	})
}

func TestLockTellsWhoHoldsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := process.Hold(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = process.Hold(path)
	var held *process.HeldError
	if !errors.Is(err, process.ErrHeld) || !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("second hold: %v", err)
	}
	_, err = process.Start(testContext(t), process.Options{Lock: path})
	if !errors.Is(err, process.ErrHeld) {
		t.Errorf("start: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := process.WaitLock(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("wait: %v", err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if l, err = process.Hold(path); err != nil {
		t.Fatalf("hold after release: %v", err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if err := process.WaitLock(testContext(t), filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("wait for no file: %v", err)
	}
}

func TestJournalToleratesACutOffLine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "exits")
	if exits, err := process.ReadJournal(path); err != nil || len(exits) != 0 {
		t.Errorf("no journal: %v, %v", exits, err)
	}
	s := start(t, process.Options{Journal: path})
	wait(t, launch(t, s, sh(t, "a", "exit 1").spec))
	if err := s.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(f, `{"id":"b","co`)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	s = start(t, process.Options{Journal: path})
	wait(t, launch(t, s, sh(t, "c", "exit 3").spec))
	if err := s.Close(testContext(t)); err != nil { // the end is told first and written down then
		t.Fatal(err)
	}
	exits, err := process.ReadJournal(path)
	if err != nil || len(exits) != 2 || exits["a"].Code != 1 || exits["c"].Code != 3 {
		t.Errorf("journal %+v, %v", exits, err)
	}
}
