package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"orchestrator/internal/fault"
)

// Options says how to start a supervisor. The zero value works in a program whose main calls Main
// when its first argument is DefaultArg.
type Options struct {
	Executable string   // default: os.Executable
	Args       []string // hidden arguments that make Executable call Main; default: DefaultArg
	Level      Level
	Journal    string   // file that exits are appended to; none when empty
	Lock       string   // file that the supervisor holds flocked for its whole life; none when empty
	Mark       string   // every command gets ORC_TASK_MARK=Mark.ID in its environment; none when empty
	Stderr     *os.File // where the supervisor's own complaints go; default: /dev/null
}

// DefaultArg is the hidden argument for which a program's main calls Main.
const DefaultArg = "__supervise"

// MarkVariable is the environment variable by which what a command started is recognised.
const MarkVariable = "ORC_TASK_MARK"

// Start starts a supervisor and waits until it can launch. With LevelAuto it tries the levels,
// firmest first, and takes the first that really starts. A supervisor needs Close.
func Start(ctx context.Context, o Options) (*Supervisor, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	levels := []Level{o.Level}
	if o.Level == LevelAuto {
		levels = []Level{LevelNamespace, LevelSubreaper, LevelGroup}
	}
	var errs []error
	for _, level := range levels {
		s, err := start(ctx, o, level)
		if err == nil {
			return s, nil
		}
		errs = append(errs, fmt.Errorf("start supervisor (%s): %w", level, err))
		if ctx.Err() != nil || errors.Is(err, ErrHeld) {
			break // no other level will do better
		}
	}
	return nil, errors.Join(errs...)
}

func (o *Options) complete() error {
	if o.Executable == "" {
		exe, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find own program: %w", err)
		}
		o.Executable = exe
	}
	if o.Args == nil {
		o.Args = []string{DefaultArg}
	}
	for _, path := range []*string{&o.Journal, &o.Lock} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	return nil
}

func start(ctx context.Context, o Options, level Level) (*Supervisor, error) {
	attr, err := supervisorAttr(level)
	if err != nil {
		return nil, err
	}
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(o.Executable, o.Args...)
	cmd.Dir = "/"                                    // so that it keeps no file system busy
	cmd.Env = append([]string{}, fault.Environ()...) // no more: what it starts could read it
	cmd.Stderr = o.Stderr                            // nil stays /dev/null
	cmd.SysProcAttr = attr
	cmd.ExtraFiles = []*os.File{theirs}
	if o.Mark != "" {
		cmd.Env = append(cmd.Env, MarkVariable+"="+o.Mark)
	}
	err = startUnmasked(cmd)
	err = errors.Join(err, theirs.Close())
	if err != nil {
		if cmd.Process != nil {
			err = errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
		return nil, errors.Join(err, conn.Close())
	}
	s := &Supervisor{
		level:    level,
		cmd:      cmd,
		conn:     conn,
		done:     make(chan struct{}),
		children: make(map[uint64]*Child),
		launches: make(map[uint64]chan error),
		ids:      make(map[string]struct{}),
	}
	ready := make(chan error, 1)
	go s.receive(ready)
	err = s.configure(o)
	if err == nil || errors.Is(err, ErrSupervisorLost) { // when lost, its refusal says more
		select {
		case err = <-ready:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		s.kill()
		<-s.done
		return nil, err
	}
	return s, nil
}

func (s *Supervisor) configure(o Options) error {
	b, err := json.Marshal(config{Level: s.level, Journal: o.Journal, Lock: o.Lock, Mark: o.Mark, PID: s.PID()})
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	w := newFrame(frameConfig, len(b))
	w.b = append(w.b, b...)
	return s.send(w.bytes(), nil)
}
