package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"orchestrator/test/rig"
)

// heartbeat is how often owners say that they live: rarely enough for a loaded machine, often enough to wait for it.
const heartbeat = 300 * time.Millisecond

// site is a repository with a plan, a ledger and a memory of how the checkout was.
type site struct {
	*rig.Site
	ledger ledger
	points string // the file to which the fault points report
	before checkout
}

// newSite makes the site of a plan below root. The ledger lies beside the site's folder, so that it can still be
// written when the site's disk is full.
func newSite(ctx context.Context, orc, root string, p plan) (*site, error) {
	notes := root + ".notes"
	for _, dir := range []string{root, filepath.Join(notes, "locks")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the site: %w", err)
		}
	}
	s, err := rig.NewSite(ctx, orc, root)
	if err != nil {
		return nil, err
	}
	// Some tasks do not end when they are asked to; a frozen owner's lease runs out after five heartbeats.
	s.Env = append(s.Env, "ORC_GRACE=400ms", "ORC_FAULT_HEARTBEAT="+heartbeat.String())
	out := &site{Site: s, ledger: ledger(filepath.Join(notes, "ledger")), points: filepath.Join(notes, "points")}
	if err := os.WriteFile(string(out.ledger), nil, 0o600); err != nil {
		return nil, fmt.Errorf("make the ledger: %w", err)
	}
	for name, text := range map[string]string{"seed.txt": "seed\n", "edited.txt": "as committed\n", "clash.txt": "clash\n", ".gitignore": "*.ignored\n"} {
		if err := s.Write(name, text); err != nil {
			return nil, err
		}
	}
	if err := s.Commit(ctx, "Start"); err != nil {
		return nil, err
	}
	// The plan stays out of the commit, so that both sites have the same one.
	if err := os.WriteFile(out.planPath(), []byte(p.yaml(out)), 0o600); err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	if p.dirty {
		if err := soil(ctx, s); err != nil {
			return nil, err
		}
	}
	out.before, err = look(ctx, s)
	return out, err
}

// soil leaves work of the user in the checkout: staged, not staged, untracked and ignored.
func soil(ctx context.Context, s *rig.Site) error {
	if err := s.Write("staged.txt", "staged\n"); err != nil {
		return err
	}
	if _, err := s.Git(ctx, "add", "staged.txt"); err != nil {
		return err
	}
	for name, text := range map[string]string{"edited.txt": "edited\n", "untracked.txt": "untracked\n", "secret.ignored": "ignored\n"} {
		if err := s.Write(name, text); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) planPath() string { return filepath.Join(s.Root, "plan.yaml") }

// lock is a file that a command holds locked while it lives, together with everything that it starts.
func (s *site) lock(name string) string {
	return filepath.Join(filepath.Dir(string(s.ledger)), "locks", name)
}

// database is where orc keeps its records.
func (s *site) database() string { return filepath.Join(s.Home, "data", "orc", "orc.db") }
