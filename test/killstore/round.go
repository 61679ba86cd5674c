package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"orchestrator/internal/persistence"
)

// killsPerFile bounds a file's growth: what is stored is read as a whole after each kill.
const killsPerFile = 20

// tally counts what happened.
type tally struct{ kills, acknowledged, early, foreign int }

func (t *tally) add(o tally) {
	t.kills += o.kills
	t.acknowledged += o.acknowledged
	t.early += o.early
	t.foreign += o.foreign
}

func (t tally) String() string {
	return fmt.Sprintf("%d kills (%d before the first write), %d acknowledged writes, opened by another program %d times",
		t.kills, t.early, t.acknowledged, t.foreign)
}

// playFile kills writers of one new file.
func playFile(ctx context.Context, dir, shell string, seed uint64, kills int) (t tally, err error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	if dir, err = os.MkdirTemp(dir, "killstore-"); err != nil {
		return t, fmt.Errorf("make a folder: %w", err)
	}
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w\nthe files are kept in %s", err, dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	g := game{file: filepath.Join(dir, "orc.db"), rng: rng, shell: shell}
	s, err := persistence.NewSQLiteStore(ctx, g.file)
	if err != nil {
		return t, err
	}
	if err := errors.Join(create(ctx, s), s.Close()); err != nil {
		return t, err
	}
	for range kills {
		if err := g.round(ctx); err != nil {
			return g.tally, fmt.Errorf("kill %d: %w", g.kills+1, err)
		}
	}
	return g.tally, nil
}

// game is one file and what its writers were told.
type game struct {
	tally

	file  string
	rng   *rand.Rand
	shell string
	known [writers]int // the last number that each writer saw acknowledged, or that was found stored
	other *persistence.SQLiteStore
}

// round lets a process write, kills it, and looks at what is stored. Sometimes this process has the file open all
// the while, so that the next writer finds the WAL of a dead process beside a living one.
func (g *game) round(ctx context.Context) (err error) {
	if g.rng.IntN(3) == 0 {
		if g.other, err = persistence.NewSQLiteStore(ctx, g.file); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, g.other.Close()) }()
	} else {
		g.other = nil
	}
	told, err := g.kill(ctx)
	if err != nil {
		return err
	}
	g.kills++
	if told == [writers]int{} {
		g.early++
	}
	return g.verify(ctx, told)
}

// kill starts a process and kills it, after a number of acknowledged writes or after a time. It returns the last
// number that each writer printed.
func (g *game) kill(ctx context.Context) (told [writers]int, err error) {
	program, err := os.Executable()
	if err != nil {
		return told, fmt.Errorf("find this program: %w", err)
	}
	c := exec.CommandContext(ctx, program)
	c.Env = []string{fileKey + "=" + g.file, "HOME=" + filepath.Dir(g.file), "PATH=" + os.Getenv("PATH")}
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return told, fmt.Errorf("make a pipe: %w", err)
	}
	limit, patience := g.rng.IntN(60), time.Minute
	if g.rng.IntN(3) == 0 {
		limit, patience = 1<<30, time.Duration(g.rng.IntN(60_000))*time.Microsecond
	}
	if err := c.Start(); err != nil {
		return told, fmt.Errorf("start the writer: %w", err)
	}
	timer := time.AfterFunc(patience, func() { _ = c.Process.Kill() }) // it may be dead already
	defer timer.Stop()
	stop := g.disturb(ctx)
	err = errors.Join(g.listen(out, limit, c.Process, &told), stop())
	var exit *exec.ExitError
	if ended := c.Wait(); !errors.As(ended, &exit) || exit.ExitCode() >= 0 {
		err = errors.Join(err, fmt.Errorf("the writer was not killed but ended: %w", ended))
	}
	return told, err
}

// listen reads what the writers were told until the end, and kills the process after so many lines.
func (g *game) listen(out io.Reader, limit int, p *os.Process, told *[writers]int) error {
	if limit == 0 {
		if err := p.Kill(); err != nil {
			return fmt.Errorf("kill the writer: %w", err)
		}
	}
	lines := bufio.NewScanner(out)
	for i := 1; lines.Scan(); i++ {
		var w, n int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &w, &n); err != nil {
			return fmt.Errorf("the writer says %q: %w", lines.Text(), err)
		}
		told[w] = n
		g.acknowledged++
		if i == limit {
			if err := p.Kill(); err != nil {
				return fmt.Errorf("kill the writer: %w", err)
			}
		}
	}
	return lines.Err()
}

// disturb lets the other program open, read and close the file, over and over, in every second round. stop ends it.
func (g *game) disturb(ctx context.Context) (stop func() error) {
	if g.shell == "" || g.rng.IntN(2) == 0 {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			c := exec.CommandContext(ctx, g.shell, g.file, ".timeout 5000", "SELECT count(*) FROM conversation_history")
			c.Env = []string{"HOME=" + filepath.Dir(g.file), "PATH=" + os.Getenv("PATH")}
			text, err := c.CombinedOutput()
			if err != nil && ctx.Err() == nil {
				done <- fmt.Errorf("the other program: %w: %s", err, text)
				return
			}
			g.foreign++
		}
		done <- nil
	}()
	return func() error {
		cancel()
		return <-done
	}
}

// verify compares what is stored with what the writers were told: their last number, or the one after it, which was
// under way. After every fifth kill the whole file is checked.
func (g *game) verify(ctx context.Context, told [writers]int) (err error) {
	s := g.other
	if s == nil {
		if s, err = persistence.NewSQLiteStore(ctx, g.file); err != nil {
			return fmt.Errorf("open after the kill: %w", err)
		}
		defer func() { err = errors.Join(err, s.Close()) }()
	}
	for w := range writers {
		stored, err := read(ctx, s, w)
		if err != nil {
			return err
		}
		last := max(told[w], g.known[w])
		if stored != last && stored != last+1 {
			return fmt.Errorf("writer %d was told that %d is stored, but %d is", w, last, stored)
		}
		g.known[w] = stored
	}
	if g.kills%5 > 0 {
		return nil
	}
	return s.Check(ctx)
}
