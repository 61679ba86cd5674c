//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// The pages whose blocks are run, from the top of the repository, on a terminal, where every question of orc is answered
// with yes. Each is in a folder of its own: a repository with the plan of testdata/manual, or for the first steps nothing.
//
// A block in sh is run. The comment above a block says what else is meant:
//
//	<!-- file: NAME -->       it is written to this file
//	<!-- exit: N -->          the last command ends with this code (0)
//	<!-- agent -->            it needs an agent: testdata/manual/agent.sh plays it
//	<!-- agent, once it asks -->, <!-- agent, once it is done -->
//	<!-- prints -->           each line of it is in what was printed since the last such block
//	<!-- not run: WHY -->
var pages = []string{"README.md", firstPage, "docs/faq.md", "docs/ci.md", "docs/recovery.md", "docs/agents.md", "docs/cli.md"}

// firstPage begins with nothing.
const firstPage = "docs/start.md"

// pageTime is how long the blocks of one page may take.
const pageTime = 3 * time.Minute

func TestPagesDoWhatTheySay(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			p := readPage(t, filepath.Join("..", "..", page))
			if p.run == 0 {
				t.Fatalf("%s has no block that is run", page)
			}
			p.check(t, playPage(t, p.script, page != firstPage))
		})
	}
}

// page is what a page has to be run, and what has to come of it.
type page struct {
	script string
	run    int
	prints []printed
}

// printed are lines that have to be printed by the blocks from one to another.
type printed struct {
	from, to, line int
	lines          []string
}

var fenced = regexp.MustCompile("(?ms)^(?:<!-- ([^\n]*?) -->\n)?```([a-z]*)\n(.*?)^```$")

func readPage(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	prelude, err := os.ReadFile(filepath.Join("testdata", "manual", "prelude.sh"))
	if err != nil {
		t.Fatal(err)
	}
	p := page{script: string(prelude)}
	shown := 0
	for _, m := range fenced.FindAllSubmatchIndex(text, -1) {
		word := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return string(text[m[2*i]:m[2*i+1]])
		}
		note, lang, body := word(1), word(2), word(3)
		line := 1 + bytes.Count(text[:m[0]], []byte("\n"))
		name, isFile := strings.CutPrefix(note, "file: ")
		switch {
		case note == "prints":
			p.prints = append(p.prints, printed{shown, p.run, line, strings.Split(strings.TrimSpace(body), "\n")})
			shown = p.run
		case isFile:
			p.script += fmt.Sprintf("cat > %s <<'END OF FILE'\n%sEND OF FILE\n", name, body)
		case lang == "sh" && !strings.HasPrefix(note, "not run: "):
			code := block(t, p.run+1, note, body)
			p.script, p.run = p.script+code, p.run+1
		case lang != "sh" && note != "":
			t.Fatalf("%s:%d: what does %q mean?", path, line, note)
		}
	}
	return p
}

// block is the shell's part of a block.
func block(t *testing.T, n int, note, body string) string {
	t.Helper()
	code := "0"
	head := fmt.Sprintf("block %d\n", n)
	switch rest, isExit := strings.CutPrefix(note, "exit: "); {
	case isExit:
		code = rest
	case note == "agent, once it asks":
		head += "asks\n"
	case note == "agent, once it is done":
		head += "done_\n"
	case note != "" && note != "agent":
		t.Fatalf("what does %q mean?", note)
	}
	if code == "0" {
		return head + body
	}
	return fmt.Sprintf("%sset +e\n%scode=$?\nset -e\nwants $code %s\n", head, body, code)
}

// check looks for what has to be printed.
func (p page) check(t *testing.T, out string) {
	t.Helper()
	at := func(n int) int {
		if n == 0 {
			return 0
		}
		i := strings.Index(out, fmt.Sprintf("\n@@ %d\n", n))
		if i < 0 {
			t.Fatalf("block %d was not reached:\n%s", n, out)
		}
		return i
	}
	for _, want := range p.prints {
		end := len(out)
		if want.to < p.run {
			end = at(want.to + 1)
		}
		part := spaces(out[at(want.from):end])
		for _, line := range want.lines {
			if !strings.Contains(part, spaces(line)) {
				t.Errorf("line %d: not printed: %q\n%s", want.line, line, part)
			}
		}
	}
}

func spaces(s string) string { return strings.Join(strings.Fields(s), " ") }

var sequences = regexp.MustCompile("\x1b\\[[0-9;:?<=>]*[A-Za-z]|\x1b\\][^\a\x1b]*(?:\a|\x1b\\\\)|\x1b[=>PM_78]")

// playPage runs a page's script on a terminal and returns what was printed.
func playPage(t *testing.T, script string, repository bool) string {
	t.Helper()
	home, dir := t.TempDir(), t.TempDir()
	env := pageEnv(t, home)
	if repository {
		script = "git init -q -b main\ngit add -A\ngit commit -q -m start\n" + script
		plan, err := os.ReadFile(filepath.Join("testdata", "manual", "plan.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "plan.yaml"), plan, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), pageTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script)
	cmd.Dir, cmd.Env = dir, env
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 160, Rows: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	out := answerYes(tty)
	err = cmd.Wait()
	awaitOwners(t, ctx, home)
	text := strings.ReplaceAll(sequences.ReplaceAllString(out, ""), "\r", "")
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return text
}

// answerYes reads a terminal to its end and says yes to every question.
func answerYes(tty *os.File) string {
	var all bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := tty.Read(buf)
		all.Write(buf[:n])
		for _, question := range []string{"[y/N] ", "[Y/n] "} {
			if n > 0 && bytes.HasSuffix(all.Bytes(), []byte(question)) {
				if _, err := io.WriteString(tty, "y\r"); err != nil {
					return all.String() + err.Error()
				}
			}
		}
		if err != nil { // the terminal's end is an error on Linux
			return all.String()
		}
	}
}

// pageEnv is an environment in which the only agent is the manual's.
func pageEnv(t *testing.T, home string) []string {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "manual", "agent.sh"))
	if err != nil {
		t.Fatal(err)
	}
	var settings strings.Builder
	fmt.Fprintf(&settings, "providers:\n  claude: {driver: fake, command: %q}\n", script)
	for _, other := range []string{"codex", "goose", "opencode", "gemini"} {
		fmt.Fprintf(&settings, "  %s: {command: /nowhere/%s}\n", other, other)
	}
	folder := filepath.Join(home, ".config", "orc")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "config.yaml"), []byte(settings.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "TERM=xterm-256color", "LANG=C.UTF-8",
		"GORACE=" + os.Getenv("GORACE"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "EDITOR=true",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com",
	}
}

// awaitOwners waits for the processes in the background, which may still write to the home that is about to go.
func awaitOwners(t *testing.T, ctx context.Context, home string) {
	t.Helper()
	locks, err := filepath.Glob(filepath.Join(home, ".local", "share", "orc", "runs", "*", "owner.lock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range locks {
		var owner struct {
			PID int `json:"pid"`
		}
		body, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(body, &owner)
		}
		if err != nil {
			t.Fatal(err)
		}
		tick := time.NewTicker(10 * time.Millisecond)
		for syscall.Kill(owner.PID, 0) == nil && ctx.Err() == nil {
			<-tick.C
		}
		tick.Stop()
	}
}
