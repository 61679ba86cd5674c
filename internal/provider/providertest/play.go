package providertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/internal/process"
)

// Main is what TestMain of a driver calls. It makes the test's own program the supervisor of child processes, or an
// agent's program that plays a capture, where it was started as one.
func Main(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == process.DefaultArg:
		os.Exit(process.Main(os.Args[2:]))
	case os.Getenv(playVariable) != "":
		os.Exit(play(os.Getenv(playVariable)))
	case os.Getenv(holdVariable) != "":
		os.Exit(hold(os.Getenv(holdVariable)))
	}
	os.Exit(m.Run())
}

const (
	playVariable = "PROVIDERTEST_PLAY"
	holdVariable = "PROVIDERTEST_HOLD"
)

// Script is what an agent's program does.
type Script struct {
	Out, Err string // what it prints
	Code     int
	Kill     bool              // it ends by SIGKILL instead
	Hang     bool              // it leaves a child in a session of its own and waits for ever, deaf to SIGTERM
	Gate     int               // bytes of Out that it prints before it waits for the file "gate"
	Files    map[string]string // files that it writes into its working folder
	Answers  map[string]string // the start of its arguments → a file in HOME that it prints instead; none = nothing
	Talk     string            // name of a conversation that a driver's tests registered
	Dir      string            // where it leaves what it was given, and finds the gate
}

// Given is what an agent's program was started with.
type Given struct {
	Argv  []string
	Env   []string
	Dir   string
	Stdin string
}

// Talks are conversations that scripts can name; a driver whose program speaks both ways registers its own before
// Main. The function returns the exit code.
var Talks = map[string]func(s Script, in io.Reader, out io.Writer) int{}

func play(path string) int {
	code, err := playScript(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "play:", err)
		return 99
	}
	return code
}

func playScript(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var s Script
	if err := json.Unmarshal(b, &s); err != nil {
		return 0, err
	}
	if file, ok := s.answer(); ok {
		b, err := os.ReadFile(filepath.Join(os.Getenv("HOME"), file))
		if err != nil && !os.IsNotExist(err) {
			return 0, err
		}
		_, err = os.Stdout.Write(b)
		return 0, err
	}
	if talk, ok := Talks[s.Talk]; ok {
		if err := s.note(Given{Argv: os.Args, Env: os.Environ()}); err != nil {
			return 0, err
		}
		return talk(s, os.Stdin, os.Stdout), nil
	}
	stdin, err := io.ReadAll(os.Stdin) // it hangs when nobody closes it
	if err != nil {
		return 0, err
	}
	if err := s.note(Given{Argv: os.Args, Env: os.Environ(), Stdin: string(stdin)}); err != nil {
		return 0, err
	}
	return s.perform(os.Stdout)
}

func (s Script) answer() (file string, ok bool) {
	for start, file := range s.Answers {
		if strings.HasPrefix(strings.Join(os.Args[1:], " "), start) {
			return file, true
		}
	}
	return "", false
}

func (s Script) perform(out io.Writer) (int, error) {
	for name, text := range s.Files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return 0, err
		}
	}
	if _, err := io.WriteString(out, s.Out[:s.Gate]); err != nil {
		return 0, err
	}
	if s.Gate > 0 {
		if err := s.waitAtGate(); err != nil {
			return 0, err
		}
	}
	_, err := io.WriteString(out, s.Out[s.Gate:])
	if err == nil {
		_, err = io.WriteString(os.Stderr, s.Err)
	}
	if err != nil {
		return 0, err
	}
	switch {
	case s.Kill:
		return 0, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case s.Hang:
		return 0, s.hang()
	}
	return s.Code, nil
}

func (s Script) note(g Given) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	g.Dir = dir
	b, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Dir, "given"), b, 0o600)
}

func (s Script) waitAtGate() error {
	for range 6000 {
		if _, err := os.Stat(filepath.Join(s.Dir, "gate")); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("nobody opened the gate")
}

// hang does as the tools of agents do: it starts a program in a session of its own, which no signal to the agent's
// group reaches, and waits for it.
func (s Script) hang() error {
	ignoreTerm()
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), holdVariable+"="+s.Dir)
	for i, e := range c.Env {
		if strings.HasPrefix(e, playVariable+"=") {
			c.Env[i] = playVariable + "="
		}
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c.Run()
}

// hold locks a file for as long as it lives, so that a test can see, across process namespaces, when it is gone.
func hold(dir string) int {
	ignoreTerm()
	f, err := os.OpenFile(filepath.Join(dir, "held"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 98
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return 97
	}
	if err := os.WriteFile(filepath.Join(dir, "holding"), nil, 0o600); err != nil {
		return 96
	}
	time.Sleep(5 * time.Minute)
	return 0
}
