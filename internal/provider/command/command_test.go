package command_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	tr := turn(t, "trap '' TERM; touch begun; sleep 300 & sleep 300")
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
