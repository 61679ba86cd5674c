package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// errStuck means that a process did not end in time.
var errStuck = errors.New("stuck")

// owner is a running `orc run` or `orc resume` in the foreground.
type owner struct {
	cmd    *exec.Cmd
	ended  chan struct{} // closed after Wait
	mu     sync.Mutex
	lines  int
	bell   chan struct{} // receives after every event
	stderr bytes.Buffer  // read after ended only
}

// start starts an owner, with further variables in its environment.
func (s *site) start(ctx context.Context, env []string, args ...string) (*owner, error) {
	if args[0] != "retry" { // which has no choice
		args = append(args, "--foreground", "--progress=json", "--yes", "--no-input")
	}
	o := &owner{cmd: s.Program(context.WithoutCancel(ctx), args...), ended: make(chan struct{}), bell: make(chan struct{}, 1)}
	o.cmd.Env = append(o.cmd.Env, env...)
	o.cmd.Stderr = &o.stderr
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start orc: %w", err)
	}
	if err := o.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start orc: %w", err)
	}
	go func() {
		defer close(o.ended)
		o.read(out)
		_ = o.cmd.Wait() // how it ended is asked of the process state
	}()
	return o, nil
}

func (o *owner) read(out io.Reader) {
	r := bufio.NewReader(out)
	for {
		if _, err := r.ReadString('\n'); err != nil {
			return
		}
		o.mu.Lock()
		o.lines++
		o.mu.Unlock()
		select {
		case o.bell <- struct{}{}:
		default:
		}
	}
}

func (o *owner) events() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lines
}

// wait waits for the end; when it does not come in time the owner is killed and the error is errStuck.
func (o *owner) wait(ctx context.Context, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-o.ended:
		return nil
	case <-ctx.Done():
		o.stop()
		return context.Cause(ctx)
	case <-timer.C:
		o.stop()
		return fmt.Errorf("%w: %s did not end in %s", errStuck, strings.Join(o.cmd.Args[1:], " "), limit)
	}
}

// over says whether it has ended.
func (o *owner) over() bool {
	select {
	case <-o.ended:
		return true
	default:
		return false
	}
}

func (o *owner) stop() {
	_ = o.cmd.Process.Kill() // it may have ended by itself
	<-o.ended
}

// code is the exit code, or 128 plus the signal.
func (o *owner) code() int {
	status, ok := o.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return o.cmd.ProcessState.ExitCode()
}

// complaint is the end of what it said on standard error.
func (o *owner) complaint() string {
	text := strings.TrimSpace(o.stderr.String())
	if len(text) > 2000 {
		text = text[len(text)-2000:]
	}
	return text
}

// children returns the ids of the owner's child processes; none where /proc does not say.
func (o *owner) children() []int { return childrenOf(o.cmd.Process.Pid) }

// supervisors returns the ids of the owner's supervisor: one, unless it is just being replaced.
func (o *owner) supervisors() []int {
	return slices.DeleteFunc(o.children(), func(pid int) bool { return !strings.Contains(commandLine(pid), "__supervise") })
}

func childrenOf(parent int) []int {
	pid := strconv.Itoa(parent)
	threads, err := os.ReadDir("/proc/" + pid + "/task")
	if err != nil {
		return nil
	}
	var all []int
	for _, thread := range threads {
		text, err := os.ReadFile("/proc/" + pid + "/task/" + thread.Name() + "/children")
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, child)
			}
		}
	}
	return all
}
