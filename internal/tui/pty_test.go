//go:build unix

package tui

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

const childEnv = "ORC_TEST_TUI_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
	case "demo":
		os.Exit(playDemo())
	default:
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// piped is a source that reads arrays of events, one a line.
type piped struct{ lines chan string }

func newPiped(r io.Reader) *piped {
	p := &piped{make(chan string)}
	go func() {
		lines := bufio.NewReader(r)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				close(p.lines)
				return
			}
			p.lines <- line
		}
	}()
	return p
}

func (p *piped) Next(ctx context.Context) ([]event.Event, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case line, ok := <-p.lines:
		if !ok {
			return nil, io.EOF
		}
		var events []event.Event
		err := json.Unmarshal([]byte(line), &events)
		return events, err
	}
}

// child is the program under test: it reads events from descriptor 3 and writes to descriptor 4 what it is asked.
func child() int {
	asked := os.NewFile(4, "asked")
	fmt.Println("$ orc run")
	result, err := Run(context.Background(), Options{
		In: os.Stdin, Out: os.Stdout, Run: view.New(seed()), Source: newPiped(os.NewFile(3, "events")),
		Stop:    func(force bool) error { _, err := fmt.Fprintln(asked, "stop", force); return err },
		Tail:    func(task string) string { return "last line of " + task },
		Unicode: true, Motion: os.Getenv(childEnv) == "motion", Color: true,
	})
	fmt.Printf("$ ended %+v %v\n", result, err)
	return 0
}

// session is a child on a terminal.
type session struct {
	t      *testing.T
	screen *terminal
	tty    *os.File
	events *os.File
	asked  *bufio.Reader
	seq    int64
	ended  chan error
}

func open(t *testing.T, mode string, width, height int) *session {
	t.Helper()
	eventsR, eventsW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	askedR, askedW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{childEnv + "=" + mode, "TERM=xterm-256color", "HOME=" + t.TempDir(), "LANG=C.UTF-8"}
	cmd.ExtraFiles = []*os.File{eventsR, askedW}
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)})
	if err != nil {
		t.Fatal(err)
	}
	eventsR.Close()
	askedW.Close()
	s := &session{t: t, screen: newTerminal(width, height), tty: tty, events: eventsW, asked: bufio.NewReader(askedR), ended: make(chan error, 1)}
	go func() {
		_, _ = io.Copy(s.screen, tty) // ends with an error when the child does
		s.ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		tty.Close()
		eventsW.Close()
		askedR.Close()
	})
	return s
}

// give hands events to the child.
func (s *session) give(events ...event.Event) {
	s.t.Helper()
	for i := range events {
		s.seq++
		events[i].Seq, events[i].Run = s.seq, "7f3c"
	}
	line, err := json.Marshal(events)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.events.Write(append(line, '\n')); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) press(keys string) {
	s.t.Helper()
	if _, err := io.WriteString(s.tty, keys); err != nil {
		s.t.Fatal(err)
	}
}

// until waits until the screen is as wanted.
func (s *session) until(what string, is func(screen string) bool) string {
	s.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		screen := s.screen.Screen()
		if is(screen) {
			return screen
		}
		select {
		case <-s.screen.changed:
		case <-deadline:
			s.t.Fatalf("the screen never showed %s:\n%s", what, screen)
		}
	}
}

func (s *session) shows(text string) string {
	s.t.Helper()
	return s.until(text, func(screen string) bool { return strings.Contains(screen, text) })
}

// end waits for the child and returns all that is to be seen.
func (s *session) end() string {
	s.t.Helper()
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Fatalf("child: %v", err)
		}
	case <-time.After(30 * time.Second):
		s.t.Fatalf("the child did not end:\n%s", s.screen.Screen())
	}
	if len(s.screen.unknown) > 0 {
		s.t.Errorf("unknown sequences: %q", s.screen.unknown)
	}
	if s.screen.hidden {
		s.t.Error("the cursor is hidden")
	}
	return s.screen.All()
}

func TestFinishedLinesStayAndTheRegionVanishes(t *testing.T) {
	for _, mode := range []string{"motion", "still"} {
		t.Run(mode, func(t *testing.T) {
			s := open(t, mode, 80, 24)
			s.give(begun(), started("schema", 1))
			s.shows("last line of schema")
			s.give(completed("schema"), started("oauth-client", 1), started("docs", 1))
			s.shows("✓ schema")
			s.shows("last line of docs")
			s.give(failed("docs"), skipped("publish-docs", "docs"))
			s.shows("✗ docs")
			s.give(completed("oauth-client"), finished("failed"))
			want := `$ orc run
add-oauth · run 7f3c · 6 tasks · branch orc/7f3c from main@1c9e2ab
✓ schema        codex    2m12s  +184 −2   4 files   verify ok
✗ docs          gemini   1m00s  verify failed: make docs-lint (exit 2) → publi…
✓ oauth-client  claude   2m12s  +184 −2   4 files   verify ok
$ ended {Left:false Stops:0} <nil>`
			if got := s.end(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestManyFinishedLinesKeepTheirOrderOnASmallTerminal(t *testing.T) {
	s := open(t, "still", 60, 12)
	s.give(begun(), started("schema", 1), started("docs", 1))
	s.shows("last line of schema")
	var want []string
	for i := range 18 {
		id := fmt.Sprintf("t%02d", i)
		s.give(started(id, 1), completed(id))
		want = append(want, id)
	}
	s.shows("✓ t17")
	for i := 18; i < 60; i++ {
		id := fmt.Sprintf("t%02d", i)
		s.give(started(id, 1), completed(id))
		s.shows("✓ " + id)
		want = append(want, id)
	}
	s.give(completed("schema"), completed("docs"), finished("completed"))
	all := s.end()
	var got []string
	for line := range strings.SplitSeq(all, "\n") {
		if id, ok := strings.CutPrefix(line, "✓ t"); ok {
			got = append(got, "t"+id[:2])
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("lines: %v\n%s", got, all)
	}
	if strings.Contains(all, "───") || strings.Contains(all, "last line") {
		t.Errorf("something of the region is left:\n%s", all)
	}
}

func TestQLeavesTheRunAlone(t *testing.T) {
	s := open(t, "motion", 80, 24)
	s.give(begun(), started("schema", 1))
	s.shows("q leave it running")
	s.press("q")
	if got := s.end(); !strings.HasSuffix(got, "6 tasks · branch orc/7f3c from main@1c9e2ab\n$ ended {Left:true Stops:0} <nil>") {
		t.Errorf("got\n%s", got)
	}
}

func TestCtrlCStopsThenForcesThenLeaves(t *testing.T) {
	s := open(t, "still", 100, 30)
	s.give(begun(), started("schema", 1))
	s.shows("ctrl-c stop and save")
	s.press("\x03")
	s.shows("stopping once what runs")
	if got, err := s.asked.ReadString('\n'); got != "stop false\n" || err != nil {
		t.Errorf("asked %q, %v", got, err)
	}
	s.press("\x03")
	s.shows("ending what runs")
	if got, err := s.asked.ReadString('\n'); got != "stop true\n" || err != nil {
		t.Errorf("asked %q, %v", got, err)
	}
	s.press("\x03")
	if got := s.end(); !strings.HasSuffix(got, "$ ended {Left:true Stops:3} <nil>") {
		t.Errorf("got\n%s", got)
	}
}

func TestAPauseEndsTheView(t *testing.T) {
	s := open(t, "still", 80, 24)
	s.give(begun(), started("schema", 1))
	s.shows("ctrl-c stop and save")
	s.press("\x03")
	s.shows("stopping once what runs")
	s.give(event.Event{Time: at(5, 0), Kind: event.RunPaused})
	if got := s.end(); !strings.HasSuffix(got, "$ ended {Left:false Stops:1} <nil>") {
		t.Errorf("got\n%s", got)
	}
}

func TestTheRegionFollowsTheTerminalsSize(t *testing.T) {
	s := open(t, "still", 80, 24)
	s.give(begun(), started("schema", 1))
	s.shows(strings.Repeat("─", 79))
	s.screen.mu.Lock()
	s.screen.width = 50
	for i := range s.screen.rows {
		s.screen.rows[i] = s.screen.rows[i][:50]
	}
	s.screen.mu.Unlock()
	if err := pty.Setsize(s.tty, &pty.Winsize{Cols: 50, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	s.until("a narrower rule", func(screen string) bool {
		for line := range strings.SplitSeq(screen, "\n") {
			if line == strings.Repeat("─", 49) {
				return true
			}
		}
		return false
	})
	s.press("q")
	s.end()
}
