package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
)

// launcher remembers what it started last.
type launcher struct {
	provider.Launcher
	mu   sync.Mutex
	last *process.Child
}

// Launch starts a child process.
func (l *launcher) Launch(ctx context.Context, spec process.Spec) (*process.Child, error) {
	c, err := l.Launcher.Launch(ctx, spec)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.last = c
	}
	return c, err
}

// kill ends the program that was started last, as the kernel does it when memory is short.
func (l *launcher) kill() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil || l.last.PID() == 0 {
		return errors.New("kill the agent: it is not running")
	}
	if err := syscall.Kill(l.last.PID(), syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the agent: %w", err)
	}
	return nil
}

// exit says how the program that was started last ended.
func (l *launcher) exit(ctx context.Context) (process.Exit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		return process.Exit{}, errors.New("no agent was started")
	}
	return l.last.Wait(ctx)
}

// await waits until the agent has made a file in the repository, unless the turn ends before.
func (s *site) await(ctx context.Context, name string, running <-chan played) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if _, err := os.Stat(filepath.Join(s.Repo, name)); err == nil {
			return nil
		}
		select {
		case p := <-running:
			return fmt.Errorf("the turn ended before it made %s: %q %s %v", name, p.Kind, p.Error, p.err)
		case <-ctx.Done():
			return fmt.Errorf("wait for the agent to make %s: %w", name, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// strays waits until no process with the site's home is left, and names those that stay.
func (s *site) strays(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		left := s.living()
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("left behind: %s", strings.Join(left, "; "))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// living describes the processes whose HOME is the site's.
func (s *site) living() []string {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil // the pattern is good
	}
	var found []string
	for _, path := range environs {
		env, err := os.ReadFile(path)
		if err != nil || !strings.Contains("\x00"+string(env), "\x00HOME="+s.Home+"\x00") {
			continue // another's, or it has ended
		}
		argv, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil || len(argv) == 0 {
			continue
		}
		found = append(found, filepath.Base(filepath.Dir(path))+" "+strings.ReplaceAll(strings.TrimSuffix(string(argv), "\x00"), "\x00", " "))
	}
	return found
}
