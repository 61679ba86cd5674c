package process_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orchestrator/internal/process"
)

const nobody = 65534

// TestEverythingHoldsForAnOrdinaryUser runs the other tests again without root's rights, which is the
// way through the user namespace.
func TestEverythingHoldsForAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is the ordinary user")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Test folders are their owner's alone, so the program needs a place that nobody can reach.
	place, err := os.MkdirTemp("", "orc-process")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(place); err != nil {
			t.Error(err)
		}
	})
	home := filepath.Join(place, "home")
	program := filepath.Join(place, "process.test")
	if err := errors.Join(os.Chmod(place, 0o755), copyFile(program, exe), os.Mkdir(home, 0o700), os.Chown(home, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.short", "-test.v", "-test.timeout=8m")
	cmd.Dir = home
	cmd.Env = env(t, "HOME="+home, "TMPDIR="+home)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: TestCommandsHaveNoCapabilities") {
		t.Errorf("no user namespace for ordinary users on this machine?\n%s", out)
	}
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func TestCommandsHaveNoCapabilities(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root's commands are root's")
	}
	s, err := process.Start(testContext(t), process.Options{Level: process.LevelNamespace, Stderr: os.Stderr})
	if err != nil {
		t.Skip("no user namespace here:", err)
	}
	t.Cleanup(func() {
		if err := s.Close(testContext(t)); err != nil {
			t.Error(err)
		}
	})
	c := sh(t, "a", `id -u; id -g; grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | grep -cv 0000000000000000; ls /proc | grep -c '^[0-9]'`)
	wait(t, launch(t, s, c.spec))
	// The supervisor, sh, ls and grep: nothing outside shows.
	if got := c.output(t); got != "65534\n65534\n0\n4\n" && os.Geteuid() == nobody {
		t.Errorf("output %q", got)
	}
}
