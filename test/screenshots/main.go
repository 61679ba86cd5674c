// Command screenshots makes the pictures of the manual: it has orc work through a plan with agents that play scripts, on a
// terminal, and writes what is on the screen as SVG. What differs from run to run (ids, times) is replaced.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"orchestrator/test/rig"
	"orchestrator/test/screen"
)

//go:embed scene
var scene embed.FS

// patience is how long all pictures may take.
const patience = time.Minute

func main() {
	orc := flag.String("orc", "bin/orc", "the program to show")
	out := flag.String("out", "docs/screens", "folder of the pictures")
	flag.Parse()
	if err := run(*orc, *out); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(orc, out string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	root, err := os.MkdirTemp("", "orc-screens-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	s, err := newStage(ctx, orc, root, out)
	if err != nil {
		return err
	}
	return s.play(ctx)
}

// stage is where the scene is played.
type stage struct {
	*rig.Site
	gates string // a file there lets an agent go on
	out   string
	run   string // its id, once it is known
	tasks []rig.Task
}

func newStage(ctx context.Context, orc, root, out string) (*stage, error) {
	site, err := rig.NewSite(ctx, orc, root)
	if err != nil {
		return nil, err
	}
	s := &stage{Site: site, gates: filepath.Join(root, "gates"), out: out}
	if err := os.Mkdir(s.gates, 0o700); err != nil {
		return nil, err
	}
	s.Env = append(s.Env, "TERM=xterm-256color", "ORC_REDUCED_MOTION=1", "ORC_ENV=GATES", "GATES="+s.gates, "PATH="+filepath.Dir(site.Orc)+":"+os.Getenv("PATH"))
	for _, name := range []string{"plan.yaml", "check.sh", "docs.sh"} {
		text, err := fs.ReadFile(scene, "scene/"+name)
		if err != nil {
			return nil, err
		}
		if err := s.Write(name, string(text)); err != nil {
			return nil, err
		}
	}
	if err := s.Write("internal/http/router.go", "package http\n\nvar routes = []string{\"/\"}\n"); err != nil {
		return nil, err
	}
	if err := s.settings(); err != nil {
		return nil, err
	}
	return s, s.Commit(ctx, "A service without a login")
}

// settings are the user's own: they have the agents play their script.
func (s *stage) settings() error {
	text, err := fs.ReadFile(scene, "scene/agent.sh")
	if err != nil {
		return err
	}
	script := filepath.Join(s.Root, "agent.sh")
	if err := os.WriteFile(script, text, 0o600); err != nil {
		return err
	}
	folder := filepath.Join(s.Home, "config", "orc")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	settings := fmt.Sprintf(`providers:
  claude: {driver: fake, command: %q}
  codex: {driver: fake, command: %[1]q}
agents:
  coder: {provider: claude}
  senior: {provider: codex}
`, script)
	return os.WriteFile(filepath.Join(folder, "config.yaml"), []byte(settings), 0o600)
}

// open starts a line of shell on a terminal, below a prompt that shows it.
func (s *stage) open(ctx context.Context, line string, columns, rows int) (*screen.Terminal, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `printf '$ %s\n' "$0"; eval "$0"`, line)
	cmd.Dir, cmd.Env = s.Repo, s.Env
	return screen.Start(cmd, columns, rows)
}

// let opens a gate.
func (s *stage) let(name string) error {
	return os.WriteFile(filepath.Join(s.gates, name), nil, 0o600)
}

// take writes the screen as a picture.
func (s *stage) take(t *screen.Terminal, name, title string) error {
	rows := t.Cells()
	s.mask(rows)
	if err := os.MkdirAll(s.out, 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.out, name+".svg"), []byte(picture(title, rows)), 0o666)
}
