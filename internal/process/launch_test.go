package process_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"orchestrator/internal/process"
)

func TestExitsAreReportedAsTheyWere(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level})
		if got := s.Level(); got != level {
			t.Fatalf("level = %s", got)
		}
		for i, tc := range []struct {
			script string
			code   int
			signal string
		}{
			{"exit 0", 0, ""},
			{"exit 7", 7, ""},
			{"exit 255", 255, ""},
			{"kill -TERM $$", 143, "SIGTERM"},
			{"kill -KILL $$", 137, "SIGKILL"},
			{"kill -USR1 $$", 138, "SIGUSR1"},
			{"kill -PIPE $$", 141, "SIGPIPE"},
		} {
			e := wait(t, launch(t, s, sh(t, fmt.Sprint("t", i), tc.script).spec))
			if e.Code != tc.code || e.Signal != tc.signal || e.Lost || e.Strays != 0 {
				t.Errorf("%q: exit %+v, want code %d signal %q", tc.script, e, tc.code, tc.signal)
			}
			if e.Ended.Before(e.Started) || e.MaxRSS < 64<<10 {
				t.Errorf("%q: implausible %+v", tc.script, e)
			}
		}
	})
}

func TestCommandGetsItsEnvironmentDirectoryAndFiles(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level, Mark: "m4rk"})
		c := sh(t, "task.1", `pwd; echo "$A|$ORC_TASK_MARK|$HOME"; cat; echo err >&2; ls -1 /proc/self/fd | wc -l`,
			"A=a b", "ORC_TASK_MARK=another")
		in := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(in, []byte("from stdin\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(in)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c.spec.Stdin = f
		if e := wait(t, launch(t, s, c.spec)); e.Code != 0 {
			t.Fatalf("exit %+v: %s", e, c.output(t))
		}
		// ls has 0, 1, 2 and the directory that it reads.
		want := c.spec.Dir + "\na b|m4rk.task.1|\nfrom stdin\nerr\n4\n"
		if got := c.output(t); got != want {
			t.Errorf("output %q, want %q", got, want)
		}
	})
}

func TestFilesThatAreNotGivenAreTheNullDevice(t *testing.T) {
	s := start(t, process.Options{})
	e := wait(t, launch(t, s, process.Spec{ID: "a", Env: env(t), Argv: []string{
		"sh", "-c",
		`read x && exit 1; echo out; echo err >&2; [ /dev/null -ef /proc/self/fd/0 ] && [ /dev/null -ef /proc/self/fd/1 ]`,
	}}))
	if e.Code != 0 {
		t.Errorf("exit %+v", e)
	}
}

func TestLaunchSaysWhatWasWrong(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level})
		dir := t.TempDir()
		write := func(name, text string, mode os.FileMode) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), mode); err != nil {
				t.Fatal(err)
			}
			return path
		}
		plain := write("plain", "#!/bin/sh\n", 0o600)
		orphan := write("orphan", "#!/no/such/interpreter\n", 0o700)
		for _, tc := range []struct {
			name, program, dir, text string
			is                       error
		}{
			{"unknown name", "no-such-program", dir, `find program "no-such-program"`, fs.ErrNotExist},
			{"unknown path", dir + "/nothing", dir, `find program "` + dir + `/nothing"`, fs.ErrNotExist},
			{"unknown directory", "sh", dir + "/nowhere", `enter directory "` + dir + `/nowhere"`, fs.ErrNotExist},
			{"directory is a file", "sh", plain, `enter directory "` + plain + `"`, nil},
			{"not executable", plain, dir, `run program "` + plain + `"`, fs.ErrPermission},
			{"no interpreter", orphan, dir, `find interpreter of "` + orphan + `"`, fs.ErrNotExist},
			{"program is a directory", dir, dir, `run program "` + dir + `"`, fs.ErrPermission},
		} {
			_, err := s.Launch(testContext(t), process.Spec{ID: "x", Argv: []string{tc.program}, Dir: tc.dir, Env: env(t)})
			var le *process.LaunchError
			if !errors.As(err, &le) || !strings.Contains(err.Error(), tc.text) || (tc.is != nil && !errors.Is(err, tc.is)) {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
		for name, spec := range map[string]process.Spec{
			"no ID":      {Argv: []string{"true"}},
			"no program": {ID: "a"},
			"NUL":        {ID: "a", Argv: []string{"true", "a\x00b"}},
		} {
			if _, err := s.Launch(testContext(t), spec); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if e := wait(t, launch(t, s, sh(t, "x", "exit 3").spec)); e.Code != 3 {
			t.Errorf("after the errors: %+v", e)
		}
	})
}

func TestEnvironmentOfAMegabyteArrives(t *testing.T) {
	s := start(t, process.Options{})
	var extra []string
	for i := range 16 {
		extra = append(extra, fmt.Sprintf("V%d=%s", i, strings.Repeat("x", 64<<10)))
	}
	c := sh(t, "big", `env | wc -c`, extra...)
	if e := wait(t, launch(t, s, c.spec)); e.Code != 0 {
		t.Fatalf("exit %+v: %s", e, c.output(t))
	}
	var n int
	if _, err := fmt.Sscan(c.output(t), &n); err != nil || n < 1<<20 {
		t.Errorf("environment had %d bytes (%v)", n, err)
	}
}

func TestManyCommandsAtOnceKeepTheirExitsApart(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level})
		var wg sync.WaitGroup
		for worker := range 16 {
			wg.Go(func() {
				for round := range 8 {
					code := (worker*8 + round) % 200
					c, err := s.Launch(testContext(t), process.Spec{
						ID: fmt.Sprintf("w%d.%d", worker, round), Env: env(t), Argv: []string{"sh", "-c", fmt.Sprint("exit ", code)},
					})
					if err != nil {
						t.Error(err)
						return
					}
					if e, err := c.Wait(testContext(t)); err != nil || e.Code != code {
						t.Errorf("exit %+v, %v; want code %d", e, err, code)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestRunningIDCannotBeTakenTwice(t *testing.T) {
	s := start(t, process.Options{})
	first := launch(t, s, sh(t, "a", "exec sleep 1000").spec)
	if _, err := s.Launch(testContext(t), sh(t, "a", "true").spec); err == nil {
		t.Error("second launch of a running ID: no error")
	}
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	wait(t, first)
	wait(t, launch(t, s, sh(t, "a", "true").spec))
}

func TestDescriptorsAreNotLeaked(t *testing.T) {
	s := start(t, process.Options{})
	count := func(pid string) int {
		names, err := os.ReadDir("/proc/" + pid + "/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	once := func(i int) {
		in, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		wait(t, launch(t, s, process.Spec{ID: fmt.Sprint(i), Env: env(t), Argv: []string{"true"}, Stdin: in, Stdout: in, Stderr: in}))
		if _, err := s.Launch(testContext(t), process.Spec{ID: "bad", Argv: []string{"/none"}, Stdin: in}); err == nil {
			t.Fatal("no error")
		}
	}
	once(0)
	ours, theirs := count("self"), count(fmt.Sprint(s.PID()))
	for i := range 50 {
		once(i)
	}
	if now := count("self"); now > ours {
		t.Errorf("owner had %d descriptors, has %d", ours, now)
	}
	if now := count(fmt.Sprint(s.PID())); now > theirs {
		t.Errorf("supervisor had %d descriptors, has %d", theirs, now)
	}
}

func TestPIDIsTheOwnersViewOfTheLeader(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level})
		c := launch(t, s, sh(t, "a", "exec sleep 1234").spec)
		eventually(t, "the leader is sleep", func() bool {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.PID()))
			return err == nil && bytes.Equal(b, []byte("sleep\x001234\x00"))
		})
	})
}

func TestLaunchThatIsNotWaitedForTellsByItsEnd(t *testing.T) {
	eachLevel(t, func(t *testing.T, level process.Level) {
		s := start(t, process.Options{Level: level})
		c := sh(t, "good", "exit 7")
		c.spec.Unawaited = true
		if e := wait(t, launch(t, s, c.spec)); e.Code != 7 || e.Lost {
			t.Errorf("exit %+v", e)
		}
		bad := process.Spec{ID: "bad", Argv: []string{"no-such-program"}, Env: env(t), Unawaited: true}
		for range 2 { // its ID is free again
			child, err := s.Launch(t.Context(), bad)
			if err != nil {
				t.Fatal(err)
			}
			_, err = child.Wait(t.Context())
			var fault *process.LaunchError
			if !errors.As(err, &fault) || fault.ID != "bad" || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Wait: %v", err)
			}
			if err := child.Kill(); err != nil {
				t.Errorf("killing what never ran: %v", err)
			}
		}
	})
}
