package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
)

// run holds the files of one turn.
type run struct {
	t     provider.Turn
	log   *os.File
	errs  *os.File
	start int64
}

func open(t provider.Turn) (*run, error) {
	log, start, err := appended(t.Log)
	if err != nil {
		return nil, err
	}
	// What an earlier turn complained of must not be taken for this one's.
	errs, err := os.OpenFile(t.Log+errSuffix, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the log of errors: %w", err), log.Close())
	}
	return &run{t: t, log: log, errs: errs, start: start}, nil
}

func (r *run) close() {
	_ = r.log.Close() // nothing is buffered: each write said whether it succeeded
	_ = r.errs.Close()
}

// launch starts the program; talk is nil for one that is only listened to.
func (r *run) launch(ctx context.Context, l provider.Launcher, p Program) (*process.Child, *talk, error) {
	s := process.Spec{ID: r.t.ID, Argv: p.Argv, Dir: r.t.Dir, Env: p.Env, Stdout: r.log, Stderr: r.errs}
	if p.Converse != nil {
		return r.launchTalk(ctx, l, s)
	}
	if r.t.PromptFile != "" {
		prompt, err := os.Open(r.t.PromptFile)
		if err != nil {
			return nil, nil, fmt.Errorf("open the prompt: %w", err)
		}
		defer prompt.Close()
		s.Stdin = prompt
	}
	child, err := l.Launch(ctx, s)
	return child, nil, err
}

func (r *run) launchTalk(ctx context.Context, l provider.Launcher, s process.Spec) (*process.Child, *talk, error) {
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make a pipe: %w", err), stdin.Close(), in.Close())
	}
	s.Stdin, s.Stdout = stdin, stdout
	child, err := l.Launch(ctx, s)
	err = errors.Join(err, stdin.Close(), stdout.Close())
	if err != nil {
		return nil, nil, errors.Join(err, in.Close(), out.Close())
	}
	return child, &talk{in: in, out: out, done: make(chan struct{})}, nil
}

// talk is a conversation with a program. The nil talk is none at all.
type talk struct {
	in, out *os.File
	done    chan struct{}
	err     error // before done is closed: the conversation's; after: everybody's
	cut     sync.Once
}

func (k *talk) begin(ctx context.Context, converse func(context.Context, io.Writer, io.Reader, io.Writer) error, log io.Writer) {
	go func() {
		defer close(k.done)
		k.err = converse(ctx, k.in, k.out, log)
	}()
}

// over is closed when the conversation is.
func (k *talk) over() <-chan struct{} {
	if k == nil {
		return nil
	}
	return k.done
}

// hangUp lets the conversation end, for at most patience, and closes it.
func (k *talk) hangUp(patience time.Duration) {
	if k == nil {
		return
	}
	wait(k.done, patience)
	k.cut.Do(func() { _ = k.in.Close() }) // the program sees the end of its input
}

// wait waits for c, at most for the given time.
func wait(c <-chan struct{}, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
	}
}

// end waits until the conversation is over: its program is gone, so that both pipes have ended.
func (k *talk) end() {
	if k == nil {
		return
	}
	<-k.done
	k.cut.Do(func() { _ = k.in.Close() })
	_ = k.out.Close()
}

// appended opens a file for appending and says how long it is.
func appended(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("open the log: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open the log: %w", err), f.Close())
	}
	return f, st.Size(), nil
}
