package stream

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"orchestrator/internal/provider"
)

// Get is the value of a variable; the last entry counts.
func Get(env []string, name string) string {
	value := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// With adds those entries, each name=value, whose variable the environment does not have.
func With(env []string, entries ...string) []string {
	have := make(map[string]bool, len(env))
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		have[name] = true
	}
	out := append([]string(nil), env...)
	for _, e := range entries {
		if name, _, _ := strings.Cut(e, "="); !have[name] {
			out = append(out, e)
		}
	}
	return out
}

// Home is the folder in which a program with this environment keeps its own: that which the variable names, else
// the given one in HOME. It is empty when neither is set.
func Home(env []string, variable, inHome string) string {
	if dir := Get(env, variable); variable != "" && dir != "" {
		return dir
	}
	home := Get(env, "HOME")
	if home == "" {
		return ""
	}
	return filepath.Join(home, inHome)
}

// Find looks for a program in PATH of the environment; a name with a slash is taken as it is. Empty = not found.
func Find(program string, env []string) string {
	if strings.ContainsRune(program, '/') {
		if runs(program) {
			return program
		}
		return ""
	}
	for _, dir := range filepath.SplitList(Get(env, "PATH")) {
		if path := filepath.Join(dir, program); filepath.IsAbs(path) && runs(path) {
			return path
		}
	}
	return ""
}

func runs(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}

// askPatience is what the slowest of the programs needs to start on a machine that is busy.
const askPatience = 2 * time.Minute

// askLimit bounds what such an answer may hold, in bytes. The longest are lists of sessions.
const askLimit = 16 << 20

// Why a program that is asked something is killed before it ends by itself.
var (
	errNoAnswer   = fmt.Errorf("no answer within %s", askPatience)
	errLongAnswer = fmt.Errorf("it prints more than %d MiB", askLimit>>20)
)

// Ask runs a short command of an agent's program that starts no turn, and returns what it printed. It gets no
// input, and its whole group is killed when it takes longer than two minutes or prints without end.
func Ask(ctx context.Context, dir string, env []string, argv ...string) (string, error) {
	ctx, done := context.WithTimeoutCause(ctx, askPatience, errNoAnswer)
	defer done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	over := func() { cancel(errLongAnswer) }
	out, complaints := bounded{most: askLimit, over: over}, bounded{most: askLimit, over: over}
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Dir, c.Stdout, c.Stderr = dir, &out, &complaints
	c.Env = append([]string{}, env...) // nil would be our own environment
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		err = fmt.Errorf("ask %s: %w", filepath.Base(argv[0]), err)
		if last := LastLine(complaints.text.String()); last != "" {
			err = fmt.Errorf("%w: %s", err, last)
		}
		return out.text.String(), err
	}
	return out.text.String(), nil
}

// bounded keeps what is written to it up to a limit, and then calls over.
type bounded struct {
	text strings.Builder
	most int
	over func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.most - b.text.Len(); len(p) > room {
		b.text.Write(p[:room])
		b.over()
		return len(p), nil // the program goes on until it is killed
	}
	return b.text.Write(p)
}

// Probe is Ask in a turn's folder, in its sandbox if it has one.
func Probe(ctx context.Context, t provider.Turn, env []string, argv ...string) (string, error) {
	if t.Wrap != nil {
		var err error
		if argv, env, err = t.Wrap(argv, t.Dir, env); err != nil {
			return "", fmt.Errorf("ask %s: %w", filepath.Base(argv[0]), err)
		}
	}
	return Ask(ctx, t.Dir, env, argv...)
}

// SameFolder says whether two paths name one folder.
func SameFolder(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}
