package command_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/command"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == process.DefaultArg {
		os.Exit(process.Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func supervisor(t *testing.T) *process.Supervisor {
	t.Helper()
	s, err := process.Start(t.Context(), process.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func turn(t *testing.T, script string) provider.Turn {
	t.Helper()
	dir := t.TempDir()
	return provider.Turn{
		ID: "a.1", Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH")}, Command: script, Log: filepath.Join(dir, "log"),
		Grace: 100 * time.Millisecond,
	}
}

func TestExitCodesAndOutput(t *testing.T) {
	s := supervisor(t)
	for script, want := range map[string]provider.Result{
		"echo hello":                    {Output: "hello\n", Summary: "hello"},
		"echo bad >&2; exit 7":          {Kind: provider.KindFailed, Error: "exit 7", Output: "bad\n", Summary: "bad"},
		"kill -SEGV $$":                 {Kind: provider.KindCrashed, Error: "ended by signal SIGSEGV"},
		"exec no-such-program 2>&-":     {Kind: provider.KindFailed, Error: "exit 127 (command not found)"},
		"printf 'a\\n\\n\\nlast\\n\\n'": {Output: "a\n\n\nlast\n\n", Summary: "a\n\n\nlast"},
	} {
		r, err := command.Command{}.Turn(t.Context(), s, turn(t, script))
		if err != nil {
			t.Errorf("%s: %v", script, err)
			continue
		}
		if r.Kind != want.Kind || r.Error != want.Error || r.Output != want.Output || r.Summary != want.Summary {
			t.Errorf("%s: got %+v, want %+v", script, r, want)
		}
	}
}

func TestPromptComesOnStandardInput(t *testing.T) {
	tr := turn(t, "wc -c | tr -d ' '")
	tr.PromptFile = filepath.Join(tr.Dir, "prompt")
	if err := os.WriteFile(tr.PromptFile, []byte("-"+strings.Repeat("p", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := command.Command{}.Turn(t.Context(), supervisor(t), tr)
	if err != nil || r.Summary != "1048577" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestCanceledTurnReturnsItsCauseWhenTheTreeIsGone(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	tr := turn(t, "trap '' TERM; (exec >alive; touch begun; sleep 300; sleep 300) & sleep 300")
	alive := openPipe(t, filepath.Join(tr.Dir, "alive"))
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(tr.Dir, "begun")); err == nil {
				cancel(cause)
				return
			}
			select {
			case <-t.Context().Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	if _, err := (command.Command{}).Turn(ctx, supervisor(t), tr); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if err := alive.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n, err := alive.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("somebody still writes: %d, %v", n, err)
	}
}

// openPipe makes a named pipe whose reading ends when all who write to it are gone.
func openPipe(t *testing.T, path string) *os.File {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestTimeoutIsTheCauseOfTheEnd(t *testing.T) {
	late := errors.New("timed out")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, late)
	defer cancel()
	if _, err := (command.Command{}).Turn(ctx, supervisor(t), turn(t, "sleep 300")); !errors.Is(err, late) {
		t.Errorf("got %v", err)
	}
}

// What agents' programs write goes for commands too: whatever it is, it is taken, and says nothing about success.
func TestOutputOfAnyKindIsTaken(t *testing.T) {
	s := supervisor(t)
	for name, c := range map[string]struct{ script, kept string }{
		"a line of 10 MB":               {"head -c 10485760 /dev/zero | tr '\\0' x; echo end", "xxxend"},
		"invalid UTF-8":                 {`printf 'bro\377\376ken\n'`, "bro\uFFFDken"},
		"a last line that is cut off":   {`printf 'one\ntwo'`, "one\ntwo"},
		"quota text":                    {"echo 'error: usage limit reached (429), log in again'", "usage limit reached"},
		"an agent's event":              {`echo '{"type":"result","is_error":true}'`, "is_error"},
		"escape sequences":              {`printf '\033]0;title\007red'`, "red"},
		"a command that begins with -x": {`printf '%s' -x`, "-x"},
	} {
		r, err := command.Command{}.Turn(t.Context(), s, turn(t, c.script))
		if err != nil || r.Kind != "" || !strings.Contains(r.Output, c.kept) || !utf8.ValidString(r.Output+r.Summary) {
			t.Errorf("%s: %q (%.80q … %d bytes), %v", name, r.Kind, r.Output, len(r.Output), err)
		}
	}
}

func TestEnvironmentIsTheTurns(t *testing.T) {
	t.Setenv("LEAKED_SECRET", "of the orchestrator")
	tr := turn(t, "env; pwd")
	tr.Env = append(tr.Env, "OWN=1")
	r, err := command.Command{}.Turn(t.Context(), supervisor(t), tr)
	if err != nil || strings.Contains(r.Output, "LEAKED_SECRET") || !strings.Contains(r.Output, "OWN=1\n") || !strings.Contains(r.Output, tr.Dir) {
		t.Errorf("%q, %v", r.Output, err)
	}
}

func TestFinishReadsAnExitThatNobodyWatched(t *testing.T) {
	tr := turn(t, "unused")
	if err := os.WriteFile(tr.Log, []byte("worked\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := command.Command{}.Finish(tr, process.Exit{Code: 2})
	if err != nil || r.Kind != provider.KindFailed || r.ExitCode == nil || *r.ExitCode != 2 || r.Summary != "worked" {
		t.Errorf("%+v, %v", r, err)
	}
}
