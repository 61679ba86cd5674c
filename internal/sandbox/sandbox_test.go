package sandbox

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"orchestrator/internal/process"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == DefaultArg {
		os.Exit(Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// each runs a test at every level that this machine has, and says which ones it has not.
func each(t *testing.T, f func(t *testing.T, s *Sandbox)) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range []Level{LevelBubblewrap, LevelLandlock} {
		t.Run(string(level), func(t *testing.T) {
			s, err := FindLevel(t.Context(), Options{Executable: self, Env: os.Environ()}, level)
			if err != nil {
				t.Skipf("this machine cannot show it: %v", err)
			}
			if s.Level() != level {
				t.Fatalf("found %s", s.Level())
			}
			f(t, s)
		})
	}
}

// site is a home with a project, a workspace and a secret, in a folder that is not below /tmp.
type site struct {
	t                                    *testing.T
	home, project, work, secret, scratch string
}

func newSite(t *testing.T) site {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := site{t: t, home: home}
	for path, to := range map[string]*string{
		"project": &s.project, "data/ws": &s.work, ".ssh": &s.secret, "scratch": &s.scratch,
	} {
		*to = filepath.Join(home, path)
		if err := os.MkdirAll(*to, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{
		"project/file": "mine\n", ".ssh/id": "private\n", "data/ws/given": "given\n", "data/orc.db": "rows\n", "plain": "seen\n",
	} {
		if err := os.WriteFile(filepath.Join(home, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// policy lets everything in the home be written but for the project, the database and the secret.
func (s site) policy() Policy {
	return Policy{
		Write: []string{s.home, s.work}, ReadOnly: []string{s.project, filepath.Join(s.home, "data")},
		Hide: []string{s.secret, filepath.Join(s.home, "data/orc.db"), filepath.Join(s.home, "is/not/there")},
	}
}

// run runs a shell command in a sandbox; code is its exit code.
func (s site) run(box *Sandbox, p Policy, command string) (out string, code int) {
	s.t.Helper()
	spec, err := box.Wrap(process.Spec{
		ID: "t", Argv: []string{"sh", "-c", command}, Dir: s.work, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home},
	}, p)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), spec.Argv[0], spec.Argv[1:]...)
	cmd.Dir, cmd.Env = spec.Dir, spec.Env
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

func TestCommandWritesOnlyWhereItMay(t *testing.T) {
	each(t, func(t *testing.T, box *Sandbox) {
		for _, c := range []struct {
			name, command string
			want          bool
		}{
			{"writes in its workspace", `echo x > new && mkdir d && mv new d/moved && rm d/moved && echo y >> given`, true},
			{"is in its folder", `test "$(pwd)" = "` + "$PWD" + `" && cat given`, true},
			{"links in its workspace", `ln given hard && ln -s given soft && cat hard soft`, true},
			{"writes to devices", `echo x > /dev/null && head -c 8 /dev/urandom > random`, true},
			{"reads what is not hidden", `cat ../../project/file`, true},
			{"starts programs", `ls / > list && grep -q . list`, true},
			{"does not change the project", `echo x > ../../project/file`, false},
			{"does not add to the project", `echo x > ../../project/new`, false},
			{"does not delete from the project", `rm -f ../../project/file`, false},
			{"does not truncate", `truncate -s 0 ../../project/file`, false},
			{"does not move the project away", `mv ../../project ../../elsewhere`, false},
			{"does not go by a link", `ln -s ../../project out && echo x > out/file`, false},
			{"does not go by a hard link", `ln ../../project/file in && echo x > in`, false},
			{"does not go by /proc", `echo x > /proc/self/root` + "$HOME" + `/project/file`, false},
			{"does not get out by children", `sh -c "sh -c 'echo x > ../../project/file'"`, false},
			{"does not replace the database", `echo x > ../orc.db2 && mv ../orc.db2 ../orc.db`, false},
			{"does not write in the system", `echo x > /etc/orc-test`, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				s := newSite(t)
				command := strings.ReplaceAll(strings.ReplaceAll(c.command, "$PWD", s.work), "$HOME", s.home)
				out, code := s.run(box, s.policy(), command)
				if (code == 0) != c.want {
					t.Errorf("exit %d: %s", code, out)
				}
				if b, err := os.ReadFile(filepath.Join(s.project, "file")); err != nil || string(b) != "mine\n" {
					t.Errorf("the project's file is %q, %v", b, err)
				}
				if b, err := os.ReadFile(filepath.Join(s.home, "data/orc.db")); err != nil || string(b) != "rows\n" {
					t.Errorf("the database is %q, %v", b, err)
				}
				if _, err := os.Stat("/etc/orc-test"); err == nil {
					t.Error("a file of the system was written")
				}
			})
		}
	})
}

func TestHiddenIsNotRead(t *testing.T) {
	each(t, func(t *testing.T, box *Sandbox) {
		s := newSite(t)
		for _, path := range []string{".ssh/id", "data/orc.db"} {
			out, _ := s.run(box, s.policy(), "cat "+filepath.Join(s.home, path))
			if strings.Contains(out, "private") || strings.Contains(out, "rows") {
				t.Errorf("%s was read: %s", path, out)
			}
		}
		if out, code := s.run(box, s.policy(), "cat "+filepath.Join(s.home, "plain")); code != 0 || out != "seen\n" {
			t.Errorf("exit %d: %s", code, out)
		}
		// What lies in a hidden folder and is named by itself is there all the same.
		p := s.policy()
		p.Hide = append(p.Hide, filepath.Join(s.home, "data"))
		if out, code := s.run(box, p, "cat given && echo x > new && ! cat ../orc.db"); code != 0 || !strings.HasPrefix(out, "given\n") {
			t.Errorf("exit %d: %s", code, out)
		}
	})
}

func TestProcessesOutsideAreOutOfReach(t *testing.T) {
	each(t, func(t *testing.T, box *Sandbox) {
		s := newSite(t)
		victim := exec.CommandContext(t.Context(), "sleep", "600")
		victim.Env = []string{"SECRET=planted"}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = victim.Process.Kill()
			_ = victim.Wait()
		}()
		pid := strconv.Itoa(victim.Process.Pid)
		if out, code := s.run(box, s.policy(), "kill -9 "+pid); code == 0 {
			if version, err := landlockVersion(); err == nil && box.Level() == LevelLandlock && version < 6 {
				t.Skipf("Landlock %d of this kernel does not know signals", version)
			}
			t.Errorf("a process outside was killed: %s", out)
		}
		if err := victim.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("the process outside is gone: %v", err)
		}
		if out, _ := s.run(box, s.policy(), "cat /proc/"+pid+"/environ"); box.Level() == LevelBubblewrap && strings.Contains(out, "planted") {
			t.Error("the environment of a process outside was read")
		}
	})
}

func TestExitCodesAndArgumentsPass(t *testing.T) {
	each(t, func(t *testing.T, box *Sandbox) {
		s := newSite(t)
		if out, code := s.run(box, s.policy(), "printf '%s|' \"$0\" -- '--bind' \"\"; exit 7"); code != 7 || !strings.HasSuffix(out, "/sh|--|--bind||") {
			t.Errorf("exit %d: %q", code, out)
		}
		_, err := box.Wrap(process.Spec{ID: "t", Argv: []string{"no-such-program"}, Dir: s.work, Env: []string{"PATH=/bin"}}, s.policy())
		var launch *process.LaunchError
		if !errors.As(err, &launch) || !errors.Is(launch.Err, syscall.ENOENT) {
			t.Errorf("a program that is not there: %v", err)
		}
	})
}

func TestGitWorksInAClone(t *testing.T) {
	each(t, func(t *testing.T, box *Sandbox) {
		s := newSite(t)
		git := func(args ...string) string {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), "git", args...)
			cmd.Dir = s.project
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
				"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("git %q: %v: %s", args, err, out)
			}
			return strings.TrimSpace(string(out))
		}
		git("init", "-q", "-b", "main")
		git("add", "file")
		git("commit", "-q", "-m", "first")
		head := git("rev-parse", "HEAD")
		clone := filepath.Join(s.work, "clone")
		git("clone", "-q", "--shared", s.project, clone)
		out, code := s.run(box, s.policy(), `cd clone && export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
			echo more >> file && git add -A && git commit -q -m second && git log --oneline && git gc -q && git stash list && git switch -q -c other
			git push -q origin other && echo pushed; git -C ../../../project update-ref refs/heads/evil HEAD && echo evil; exit 0`)
		if code != 0 || !strings.Contains(out, "second") || strings.Contains(out, "pushed") || strings.Contains(out, "evil\n") {
			t.Errorf("exit %d: %s", code, out)
		}
		if now := git("rev-parse", "HEAD"); now != head {
			t.Errorf("the project's HEAD moved from %s to %s", head, now)
		}
		if refs := git("for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
			t.Errorf("the project has refs %s", refs)
		}
		git("fsck", "--strict")
	})
}

func TestInnerPathsWin(t *testing.T) {
	s := newSite(t)
	l := s.policy().resolve()
	for path, want := range map[string]access{
		s.home: readWrite, s.project: readOnly, filepath.Join(s.project, "deep/er"): readOnly, s.work: readWrite, filepath.Join(s.home, "data/x"): readOnly,
		filepath.Join(s.home, "data/orc.db"): hidden, s.secret: hidden, "/etc": readOnly, filepath.Join(s.home, "projector"): readWrite,
	} {
		if got := l.of(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if !slices.IsSortedFunc(l, func(a, b rule) int { return strings.Compare(a.Path, b.Path) }) {
		t.Error("the rules are not sorted")
	}
	p := s.policy()
	if p.Writable(s.home) || !p.Writable(s.work) || p.Writable(s.project) || p.Writable(filepath.Join(s.home, "nowhere")) {
		t.Error("what can be written as a whole is told wrongly")
	}
}

func TestNothingIsFoundWhereThereIsNothing(t *testing.T) {
	f := Find(t.Context(), Options{Executable: "/bin/false", Env: []string{"PATH=/nowhere"}})
	if f.Best != nil || f.Best.Level() != LevelNone || len(f.Reasons) != 2 || !strings.Contains(f.String(), "none (bubblewrap: bwrap is not installed; landlock: ") {
		t.Errorf("found %s", f)
	}
	spec := process.Spec{ID: "t", Argv: []string{"x"}}
	if got, err := f.Best.Wrap(spec, Policy{}); err != nil || !slices.Equal(got.Argv, spec.Argv) {
		t.Errorf("no sandbox made %q, %v", got.Argv, err)
	}
}

func TestConfineIsNotForPeople(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"[]"}, {"not json", "--", "/bin/true"}, {"[]", "--", "/no/such"}} {
		out, err := exec.CommandContext(t.Context(), self, append([]string{DefaultArg}, args...)...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 126 || !strings.HasPrefix(string(out), "confine: ") {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
}
