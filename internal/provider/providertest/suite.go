// Package providertest is what every driver of an agent must do. It starts real child processes, which play captures
// of the agents' programs, so that launching, standard input, following, stopping and judging are the real ones.
//
// The subtests that begin with "rule" each hold one of the facts that all these programs share: their exit codes
// lie, errors in their stream are often overcome, they wait for ever, their tools leave the process group, their
// counters count twice, their lines are long, their sessions have one writer, belong to a folder, and their
// environment is not ours.
package providertest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

// Suite is a driver with its captures. A capture NAME is NAME.out and, where there is any, NAME.err and NAME.code
// (the exit code, "kill" for SIGKILL or "hang") in the folder testdata. Each driver has
//
//	first     a turn that begins a session, says something, calls a tool that changes Edited, and ends well
//	second    a turn that goes on with the session
//	killed    a turn that SIGKILL ends while a tool runs
//	unknown   a turn that was to go on with a session that does not exist
//	quota     a turn that ends well and in whose text a usage limit is spoken of
//
//	connection  a turn whose model nobody serves; fake has no model
//
// and one for each entry of Kinds.
type Suite struct {
	Agent   provider.Agent
	Edited  string // what "first" changes
	Said    string // what is in the last words of "first"
	Session string // id of the session in "first", "second" and "killed"
	First   provider.Usage
	Second  provider.Usage // of "second" alone, after "first"
	Kinds   map[string]provider.Kind
	Resets  map[string]time.Time // when the limit of a capture of Kinds ends; absent = it does not say
	Say     func(text string) string
	Trouble []string // lines by which the agent tells of errors that it then overcomes

	// Plant makes a session exist for a program with that HOME and folder.
	Plant    func(t *testing.T, home, dir, session string)
	CWDBound bool // sessions can be gone on with in their own folder only

	Talk   string                         // see Script.Talk
	Prompt func(stdin string) string      // finds the prompt in what the program was told; nil = all of it
	Tune   func(t *testing.T, tr *Turned) // last changes to every turn
	Model  string                         // given with every turn, where the driver wants one
	Skip   map[string]string              // subtests that do not apply, and why

	launcher *process.Supervisor
}

// Turned is a turn that can be played.
type Turned struct {
	provider.Turn
	Script Script
	Events []provider.Event
	Given  Given
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	s.launcher = supervisor(t)
	for name, test := range map[string]func(*testing.T, Suite){
		"first turn":                              testFirst,
		"events arrive while it runs":             testStreaming,
		"second turn in the same session":         testSecond,
		"kinds of failure":                        testKinds,
		"quota text inside an ordinary message":   testQuotaText,
		"resume of a session that does not exist": testUnknownSession,
		"cancel":                                    testCancel,
		"invalid UTF-8":                             testInvalidText,
		"cut-off last line":                         testCutOff,
		"prompt of 1 MiB":                           testLongPrompt,
		"unknown events":                            testUnknownEvents,
		"finish reads the log alone":                testFinish,
		"finish goes on where the events ended":     testFinishFrom,
		"a sink that refuses ends the turn":         testSinkRefuses,
		"a program that is not there":               testMissingProgram,
		"output limit":                              testOutputLimit,
		"sessions are found":                        testHasSession,
		"the installed program":                     testInspect,
		"rule 1: the exit code proves nothing":      testRuleExit,
		"rule 2: an error in the stream is no end":  testRuleTrouble,
		"rule 3: a clock of ours":                   testRuleClock,
		"rule 4: the whole tree is stopped":         testRuleTree,
		"rule 5: resume after SIGKILL":              testRuleKilled,
		"rule 6: usage is not counted twice":        testRuleUsage,
		"rule 7: the prompt is no argument":         testRulePrompt,
		"rule 8: lines of 10 MB":                    testRuleLongLine,
		"rule 9: one writer for each session":       testRuleOneWriter,
		"rule 10: sessions belong to their folders": testRuleFolder,
		"rule 11: litter is no work":                testRuleLitter,
		"rule 12: the environment is the turn's":    testRuleEnvironment,
	} {
		t.Run(name, func(t *testing.T) {
			if why, ok := s.Skip[name]; ok {
				t.Skip(why)
			}
			test(t, s)
		})
	}
}

const patience = 60 * time.Second

func supervisor(t *testing.T) *process.Supervisor {
	t.Helper()
	s, err := process.Start(context.WithoutCancel(t.Context()), process.Options{Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Capture reads a capture of testdata.
func Capture(t testing.TB, name string) Script {
	t.Helper()
	read := func(suffix string) string {
		b, err := os.ReadFile(filepath.Join("testdata", name+suffix))
		if err != nil && (suffix == ".out" || !os.IsNotExist(err)) {
			t.Fatal(err)
		}
		return string(b)
	}
	s := Script{Out: read(".out"), Err: read(".err")}
	switch code := strings.TrimSpace(read(".code")); code {
	case "":
	case "kill":
		s.Kill = true
	case "hang":
		s.Hang = true
	default:
		n, err := strconv.Atoi(code)
		if err != nil {
			t.Fatal(err)
		}
		s.Code = n
	}
	return s
}

// New makes a turn of a capture ready to be played, with a home and a working folder of its own.
func (s Suite) New(t *testing.T, capture string) *Turned {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"home", "work", "state", "play"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tr := &Turned{Script: Capture(t, capture)}
	tr.Script.Dir, tr.Script.Talk = filepath.Join(root, "play"), s.Talk
	tr.Turn = provider.Turn{
		ID: "a.1", Dir: filepath.Join(root, "work"), Log: filepath.Join(root, "log"), Grace: 100 * time.Millisecond,
		Env: []string{
			"HOME=" + filepath.Join(root, "home"), "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "TERM=dumb",
			playVariable + "=" + filepath.Join(root, "play", "script"),
		},
		Prompt: "do it", PromptFile: filepath.Join(root, "prompt"), Program: exe, Model: s.Model,
		State: filepath.Join(root, "state"), Session: s.Agent.NewSession(),
	}
	tr.Sink = func(e provider.Event) error { tr.Events = append(tr.Events, e); return nil }
	if s.Tune != nil {
		s.Tune(t, tr)
	}
	return tr
}

// resume makes it a turn that goes on with the session.
func (tr *Turned) resume(session string) *Turned {
	tr.Session, tr.Resume = session, true
	return tr
}

// prepare writes the files that the program and the driver read.
func (tr *Turned) prepare(t *testing.T) {
	t.Helper()
	b, err := json.Marshal(tr.Script)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tr.Script.Dir, "script"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tr.PromptFile, []byte(tr.Turn.Prompt), 0o600); err != nil {
		t.Fatal(err)
	}
}

// play runs the turn, which must be possible.
func (s Suite) play(t *testing.T, tr *Turned) provider.Result {
	t.Helper()
	r, err := s.try(t, t.Context(), tr)
	if err != nil {
		t.Fatalf("the turn could not be run: %v", err)
	}
	return r
}

func (s Suite) try(t *testing.T, ctx context.Context, tr *Turned) (provider.Result, error) {
	t.Helper()
	tr.prepare(t)
	if tr.Resume && tr.Session == s.Session {
		s.Plant(t, stream.Get(tr.Env, "HOME"), tr.Dir, tr.Session)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := s.Agent.Turn(ctx, s.launcher, tr.Turn)
	b, rerr := os.ReadFile(filepath.Join(tr.Script.Dir, "given"))
	if rerr == nil {
		if err := json.Unmarshal(b, &tr.Given); err != nil {
			t.Fatal(err)
		}
	} else if !os.IsNotExist(rerr) {
		t.Fatal(rerr)
	}
	return r, err
}

// of are the events of a kind.
func (tr *Turned) of(kind provider.EventKind) []provider.Event {
	var found []provider.Event
	for _, e := range tr.Events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// insert puts lines before the last line of what the program prints.
func (tr *Turned) insert(lines ...string) {
	out := strings.TrimSuffix(tr.Script.Out, "\n")
	at := strings.LastIndexByte(out, '\n') + 1
	tr.Script.Out = out[:at] + strings.Join(lines, "\n") + "\n" + out[at:] + "\n"
}

func wantWell(t *testing.T, r provider.Result) {
	t.Helper()
	if r.Kind != "" || r.Error != "" {
		t.Fatalf("got %q (%s), want success", r.Kind, r.Error)
	}
}

func wantKind(t *testing.T, r provider.Result, kind provider.Kind) {
	t.Helper()
	if r.Kind != kind || r.Error == "" {
		t.Fatalf("got %q (%s), want %q and words for people", r.Kind, r.Error, kind)
	}
}
