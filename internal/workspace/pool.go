package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"orchestrator/internal/fault"
)

// Names inside of the folder that keeps one seed.
const (
	seedTree   = "tree"
	seedIndex  = "index"
	seedMarker = "whole" // written last, taken away first
)

// poolSize is how many folders a pool keeps unless it is told.
const poolSize = 8

// Pool makes workspaces out of those that were given back. A checkout of ten thousand files costs a second of CPU;
// moving a finished one to another base costs only what differs. Nothing of an agent's survives: its .git and what
// it ignored go when a workspace is given back, and a workspace made from a seed is compared with its base.
//
// A pool belongs to one process at a time. It is safe for concurrent use.
type Pool struct {
	repository *Repository
	driver     Driver
	dir        string

	// Size is how many folders are kept; 0 = 8, negative = none. Set it before the first use.
	Size int

	mu     sync.Mutex
	opened bool
	giving int           // Gives under way
	given  chan struct{} // closed and replaced whenever one ends
	kept   int           // seeds in dir, and places promised
	fresh  map[string]bool
}

// NewPool gives a pool that keeps its seeds in a folder of its own below the data folder. The folder has to be on one
// file system with the workspaces.
func NewPool(d Driver, r *Repository, dir string) *Pool {
	return &Pool{repository: r, driver: d, dir: dir, given: make(chan struct{}), fresh: map[string]bool{}}
}

// open counts the seeds of a former process and removes what it left in halves. The caller holds the lock.
func (p *Pool) open() error {
	if p.opened {
		return nil
	}
	if err := p.repository.guard(p.dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open the pool: %w", err)
	}
	for _, e := range entries {
		entry := filepath.Join(p.dir, e.Name())
		if _, err := os.Lstat(filepath.Join(entry, seedMarker)); err == nil && p.kept < p.limit() {
			p.kept++
			continue
		}
		if err := p.repository.RemoveAll(entry); err != nil {
			return fmt.Errorf("clear the pool: %w", err)
		}
	}
	p.opened = true
	return nil
}

func (p *Pool) limit() int {
	if p.Size == 0 {
		return poolSize
	}
	return max(p.Size, 0)
}

// Take makes a workspace, from a seed where there is one. What was at its path before is gone then.
func (p *Pool) Take(ctx context.Context, s Spec) error {
	for {
		entry, err := p.claim(ctx)
		if err != nil {
			return err
		}
		s.Seed = nil
		if entry != "" {
			s.Seed = &Seed{Dir: filepath.Join(entry, seedTree), Index: filepath.Join(entry, seedIndex), Fresh: p.isFresh(entry)}
		}
		err = p.driver.Create(ctx, s)
		if entry == "" {
			return err
		}
		if rm := p.repository.RemoveAll(entry); rm != nil {
			return errors.Join(err, rm)
		}
		if !errors.Is(err, ErrSeed) {
			return err
		}
	}
}

// isFresh says, once, whether a seed was given back in this process.
func (p *Pool) isFresh(entry string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer delete(p.fresh, entry)
	return p.fresh[entry]
}

// claim takes a seed out of the pool; empty = there is none. One that is just being given back is waited for: that
// takes moments.
func (p *Pool) claim(ctx context.Context) (string, error) {
	for {
		p.mu.Lock()
		err := p.open()
		entry := ""
		if err == nil {
			entry, err = p.take()
		}
		giving, given := p.giving, p.given
		p.mu.Unlock()
		if err != nil || entry != "" || giving == 0 {
			return entry, err
		}
		select {
		case <-given:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

func (p *Pool) take() (string, error) {
	entries, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look into the pool: %w", err)
	}
	for _, e := range entries {
		entry := filepath.Join(p.dir, e.Name())
		err := os.Remove(filepath.Join(entry, seedMarker))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("take a seed: %w", err)
		}
		p.kept--
		fault.Point("pool.claimed")
		return entry, nil
	}
	return "", nil
}

// Give takes back a workspace whose work is saved and merged. ErrUnsaved, and everything stays, when it holds
// something that is not saved. Repeating it is harmless.
func (p *Pool) Give(ctx context.Context, s Spec) error {
	p.mu.Lock()
	if err := p.open(); err != nil {
		p.mu.Unlock()
		return err
	}
	keep := p.kept < p.limit()
	if keep {
		p.kept++
	}
	p.giving++
	p.mu.Unlock()
	kept, err := p.give(ctx, s, keep)
	p.mu.Lock()
	defer p.mu.Unlock()
	if keep && !kept {
		p.kept--
	}
	p.giving--
	close(p.given)
	p.given = make(chan struct{})
	return err
}

func (p *Pool) give(ctx context.Context, s Spec, keep bool) (kept bool, err error) {
	if err := p.repository.check(s); err != nil {
		return false, err
	}
	for _, path := range []string{s.Index, s.Dir} {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			// It was never complete, or an earlier Give got this far: nobody has worked here since.
			return false, p.driver.Remove(ctx, s)
		} else if err != nil {
			return false, err
		}
	}
	if err := p.repository.Purge(ctx, s); err != nil {
		return false, err
	}
	fault.Point("pool.purged")
	if !keep {
		return false, p.driver.Remove(ctx, s)
	}
	if err := p.driver.Strip(ctx, s); err != nil {
		return false, err
	}
	fault.Point("pool.stripped")
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return false, fmt.Errorf("keep a seed: %w", err)
	}
	entry, err := os.MkdirTemp(p.dir, "seed-")
	if err != nil {
		return false, fmt.Errorf("keep a seed: %w", err)
	}
	p.mu.Lock()
	p.fresh[entry] = true
	p.mu.Unlock()
	err = os.Rename(s.Index, filepath.Join(entry, seedIndex))
	fault.Point("pool.index")
	if err == nil {
		err = os.Rename(s.Dir, filepath.Join(entry, seedTree))
	}
	fault.Point("pool.tree")
	if err == nil {
		err = os.WriteFile(filepath.Join(entry, seedMarker), nil, 0o600)
	}
	fault.Point("pool.kept")
	if err != nil { // another file system, for example: a seed is a convenience, not a duty
		return false, errors.Join(p.repository.RemoveAll(entry), p.driver.Remove(ctx, s))
	}
	return true, p.driver.Remove(ctx, s) // whatever lies beside the folder
}

// Drop deletes a workspace with all that is in it. The caller knows that it holds nothing of anybody's.
func (p *Pool) Drop(ctx context.Context, s Spec) error { return p.driver.Remove(ctx, s) }

// Drain removes all seeds.
func (p *Pool) Drain() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = 0
	return p.repository.RemoveAll(p.dir)
}
