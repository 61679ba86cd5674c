package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Command is one git command that was run, for a command log.
type Command struct {
	Args     []string // without the program and without values of the environment
	Dir      string
	Task     string // that it was run for, as ForTask says; empty = for no single one
	Began    time.Time
	Duration time.Duration
	CPU      time.Duration // that it and its children used
	Exit     int           // -1 = killed or never started
}

type taskKey struct{}

// ForTask marks the git commands that are run with the context as those of a task; it is only told to Options.Observe.
func ForTask(ctx context.Context, task string) context.Context {
	return context.WithValue(ctx, taskKey{}, task)
}

const (
	outputCap  = 1 << 30  // bytes of one command's output held in memory
	stderrCap  = 64 << 10 // bytes of one command's errors kept: the last ones
	stopPeriod = 5 * time.Second
)

var errOutputCap = errors.New("more output than can be held")

// kept are the variables that say where the user's own git and its settings are. Every other GIT_ variable could
// redirect a command to another repository (a hook that starts us sets GIT_DIR, for example).
var kept = []string{
	"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH", "GIT_SSH", "GIT_SSH_COMMAND",
	"GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_LFS_SKIP_SMUDGE",
}

// pinned is configuration that no file may override. What people rely on (identity, filters, line ends, excludes)
// is deliberately not among it.
var pinned = [][2]string{
	{"core.hooksPath", "/dev/null"},
	{"core.fsmonitor", "false"},
	{"core.quotePath", "false"},
	{"core.pager", "cat"},
	{"core.editor", "false"},
	{"core.askPass", ""},
	{"core.filesRefLockTimeout", "2000"},
	{"core.packedRefsTimeout", "5000"},
	{"gc.auto", "0"},
	{"maintenance.auto", "false"},
	{"protocol.ext.allow", "never"},
	{"submodule.recurse", "false"},
	{"fetch.recurseSubmodules", "false"},
	{"diff.ignoreSubmodules", "none"},
	{"commit.gpgSign", "false"},
	{"tag.gpgSign", "false"},
	{"merge.verifySignatures", "false"},
	{"log.showSignature", "false"},
	{"color.ui", "false"},
	{"advice.detachedHead", "false"},
	{"advice.addEmbeddedRepo", "false"},
	{"advice.objectNameWarning", "false"},
	{"safe.bareRepository", "explicit"},
}

// private is for commands that work with an index of ours: it holds every file, in a form that we can read.
var private = [][2]string{
	{"core.untrackedCache", "false"},
	{"core.splitIndex", "false"},
	{"core.sparseCheckout", "false"},
	{"core.trustctime", "true"},
	{"core.checkStat", "default"},
	{"index.version", "2"},
	{"index.sparse", "false"},
}

// durable makes what a command writes survive a power cut. Batched: one flush per command instead of one per object.
var durable = [][2]string{
	{"core.fsync", "committed,loose-object,reference"},
	{"core.fsyncMethod", "batch"},
}

// git is the one way to the git program: fixed arguments, no shell, a clean environment.
type git struct {
	program string
	env     []string
	observe func(Command)
}

func newGit(program string, environ []string, observe func(Command)) (*git, error) {
	if program == "" {
		program = "git"
	}
	path, err := exec.LookPath(program)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return nil, &Error{
			Op: "find git", Kind: ErrGitMissing, Err: err, Hint: "install git 2.38 or newer and put it on PATH",
		}
	}
	if environ == nil {
		environ = os.Environ()
	}
	g := &git{program: path, observe: observe}
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if name == "LANGUAGE" || strings.HasPrefix(name, "LC_") {
			continue
		}
		if strings.HasPrefix(name, "GIT_") && !slices.Contains(kept, name) {
			continue
		}
		g.env = append(g.env, kv)
	}
	g.env = append(g.env,
		"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_OPTIONAL_LOCKS=0", "GIT_PAGER=cat",
		"GIT_EDITOR=false", "GIT_NO_REPLACE_OBJECTS=1", "GIT_LITERAL_PATHSPECS=1", "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh",
	)
	return g, nil
}

// call is one git command.
type call struct {
	args     []string
	dir      string   // where it runs
	gitDir   string   // GIT_DIR; empty = discovery from dir
	workTree string   // GIT_WORK_TREE
	index    string   // GIT_INDEX_FILE
	env      []string // further variables
	config   [][2]string
	writes   bool // what it writes has to survive a power cut
	stdin    io.Reader
	stdout   io.Writer // nil = returned
	ceiling  string    // GIT_CEILING_DIRECTORIES
	warnings *string   // receives what was said on standard error
}

func (g *git) environ(c *call) []string {
	env := slices.Clone(g.env)
	set := func(name, value string) {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	set("GIT_DIR", c.gitDir)
	set("GIT_WORK_TREE", c.workTree)
	set("GIT_INDEX_FILE", c.index)
	set("GIT_CEILING_DIRECTORIES", c.ceiling)
	config := slices.Clone(pinned)
	if c.index != "" {
		config = append(config, private...)
	}
	if c.writes {
		config = append(config, durable...)
	}
	config = append(config, c.config...)
	env = append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(config)))
	for i, kv := range config {
		n := strconv.Itoa(i)
		env = append(env, "GIT_CONFIG_KEY_"+n+"="+kv[0], "GIT_CONFIG_VALUE_"+n+"="+kv[1])
	}
	return append(env, c.env...)
}

// run runs one command to its end and gives its standard output.
func (g *git) run(ctx context.Context, c call) ([]byte, error) {
	cmd := exec.CommandContext(ctx, g.program, c.args...)
	cmd.Dir, cmd.Env, cmd.Stdin = c.dir, g.environ(&c), c.stdin
	cmd.SysProcAttr = childAttributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(terminate) } // lets git remove its lock files
	cmd.WaitDelay = stopPeriod
	var out capped
	stderr := tail{limit: stderrCap}
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if c.stdout != nil {
		cmd.Stdout = c.stdout
	}
	began := time.Now()
	err := waitOnOneThread(cmd)
	code, used := -1, time.Duration(0)
	if cmd.ProcessState != nil {
		code = cmd.ProcessState.ExitCode()
		used = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if g.observe != nil {
		task, _ := ctx.Value(taskKey{}).(string)
		g.observe(Command{Args: c.args, Dir: c.dir, Task: task, Began: began, Duration: time.Since(began), CPU: used, Exit: code})
	}
	if c.warnings != nil {
		*c.warnings = string(stderr.b)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return out.Bytes(), &CommandError{Args: c.args, Code: code, Stderr: stderr.String(), Err: err}
	}
	return out.Bytes(), nil
}

// waitOnOneThread keeps the goroutine on one thread while the command lives: the death signal that the kernel sends to
// an orphaned child is bound to the thread that started it, not to the process.
func waitOnOneThread(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}

// capped holds output up to outputCap. Its ReadFrom does not grow without end either, because it has none.
type capped struct{ b bytes.Buffer }

func (w *capped) Write(p []byte) (int, error) {
	if w.b.Len()+len(p) > outputCap {
		return 0, errOutputCap
	}
	return w.b.Write(p)
}

func (w *capped) Bytes() []byte { return w.b.Bytes() }

// tail keeps the last limit bytes.
type tail struct {
	limit int
	b     []byte
}

func (w *tail) Write(p []byte) (int, error) {
	n := len(p)
	if n > w.limit {
		p = p[n-w.limit:]
	}
	if over := len(w.b) + len(p) - w.limit; over > 0 {
		w.b = append(w.b[:0], w.b[over:]...)
	}
	w.b = append(w.b, p...)
	return n, nil
}

func (w *tail) String() string { return strings.ToValidUTF8(string(w.b), "�") }

// fields splits output that ends each record with a NUL.
func fields(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// line is one line of output without its end.
func line(b []byte) string { return strings.TrimSuffix(string(b), "\n") }

// checkID says whether s is a full object id. Nothing else is passed to git as a revision, apart from what a person
// gave to Resolve.
func checkID(s string) error {
	if len(s) != 40 && len(s) != 64 {
		return fmt.Errorf("%q is not a full object id", s)
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("%q is not a full object id", s)
		}
	}
	return nil
}
