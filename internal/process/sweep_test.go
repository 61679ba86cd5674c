package process_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/internal/process"
)

// sleeper starts a process of the test's own, outside any supervisor.
func sleeper(t *testing.T, script string, vars ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = env(t, vars...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd
}

func TestSweepEndsTheMarkedAndNobodyElse(t *testing.T) {
	m, tok, safe := mark(t), token(), token()
	sleeper(t, agent(tok, false, "wait"), process.MarkVariable+"="+m+".task.1")
	plain := sleeper(t, "exec sleep 99."+tok, process.MarkVariable+"="+m)
	for _, vars := range [][]string{
		{},
		{process.MarkVariable + "=" + m + "x.task.1"},
		{process.MarkVariable + "=x" + m},
		{"X" + process.MarkVariable + "=" + m},
		{"OTHER=" + process.MarkVariable + "=" + m},
	} {
		sleeper(t, "exec sleep 99."+safe, vars...)
	}
	eventually(t, "all are up", func() bool { return len(alive(t, tok)) >= len(kin)+2 && len(alive(t, safe)) == 5 })
	n, err := process.Sweep(testContext(t), m)
	if err != nil || n < len(kin)+1 {
		t.Errorf("swept %d, %v", n, err)
	}
	if left := withEnviron(t, process.MarkVariable+"="+m+".task.1"); len(left) > 0 {
		t.Errorf("marked survivors %v", left)
	}
	if n := len(alive(t, safe)); n != 5 {
		t.Errorf("%d of 5 unmarked are left", n)
	}
	if err := plain.Wait(); err == nil {
		t.Error("the process with the bare mark ended by itself")
	}
	endAll(t, tok)
	if n, err := process.Sweep(testContext(t), m); n != 0 || err != nil {
		t.Errorf("second sweep: %d, %v", n, err)
	}
	if _, err := process.Sweep(testContext(t), ""); err == nil {
		t.Error("empty mark: no error")
	}
}

func TestSweepSparesTheSweeperAndItsAncestors(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := mark(t)
	cmd := exec.Command("sh", "-c", `"$0" sweep "$1"; echo still here`, exe, m)
	cmd.Env = env(t, process.MarkVariable+"="+m+".outer")
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "swept 0\nstill here\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func init() {
	roles["sweep"] = func(args []string) int {
		n, err := process.Sweep(context.Background(), args[0])
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("swept", n)
		return 0
	}
}

func TestReusedProcessNumberIsNotHit(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("forcing a process number needs root")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, process.Options{Level: process.LevelNamespace})
	c := sh(t, "a", `"$EXE" reuse`, "EXE="+exe)
	if e := wait(t, launch(t, s, c.spec)); e.Code != 0 {
		t.Errorf("exit %+v: %s", e, c.output(t))
	}
}

// reuseNumber runs in a PID namespace of its own, where it can choose numbers.
func reuseNumber([]string) int {
	die := func(step string, err error) int {
		fmt.Println(step, err)
		return 1
	}
	first := exec.Command("sleep", "99")
	if err := first.Start(); err != nil {
		return die("start", err)
	}
	target, ok := process.Record(first.Process.Pid)
	if !ok {
		return die("record", nil)
	}
	if err := first.Process.Kill(); err != nil {
		return die("kill", err)
	}
	_ = first.Wait() // killed, as it says
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(first.Process.Pid-1)), 0); err != nil {
			return die("choose number", err)
		}
		stranger := exec.Command("sleep", "99")
		if err := stranger.Start(); err != nil {
			return die("start stranger", err)
		}
		again, ok := process.Record(stranger.Process.Pid)
		if !ok {
			return die("record stranger", nil)
		}
		reused := stranger.Process.Pid == first.Process.Pid && again.Start() != target.Start()
		hit := reused && process.SignalRecorded(target, syscall.SIGKILL)
		unharmed := stranger.Process.Signal(syscall.Signal(0)) == nil
		ours := process.SignalRecorded(again, syscall.SIGTERM)
		err := stranger.Wait()
		switch {
		case !reused:
			continue
		case hit || !unharmed || !ours || !strings.Contains(fmt.Sprint(err), "terminated"):
			return die("hit the stranger", err)
		}
		return 0
	}
	return die("the number did not come back", nil)
}
