package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// diskSize is the size of the small disk, in MiB, and roomLeft how many KiB are left on it at most.
const (
	diskSize = 64
	roomLeft = 800
)

// fillDisks plays rounds in which the disk fills up while the run goes on. What a full disk does to the tasks' own
// commands is theirs; orc may stop, but not lie.
func (o options) fillDisks(ctx context.Context, rounds int) (bool, error) {
	t := &totals{began: time.Now(), tally: newTally()}
	full := 0
	for i := range uint64(rounds) {
		res, hit, err := o.fillDisk(ctx, o.seed+i)
		if hit {
			full++
		}
		if t.end(ctx, o.seed+i, res, err); t.err != nil {
			return false, t.err
		}
	}
	fmt.Printf("%d rounds in %s, in %d the owner ended with failures or without room, %d with faults\n", t.rounds, time.Since(t.began).Round(time.Second), full, t.bad)
	return t.bad == 0, ctx.Err()
}

// fillDisk plays one round on a file system of its own in memory.
func (o options) fillDisk(ctx context.Context, seed uint64) (res result, full bool, err error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	p := newPlan(rng)
	p.wild = true // a command that cannot write fails, and its task with it
	r := round{orc: o.orc, seed: seed, keep: o.keep}
	if res, _, err = r.prepare(ctx, p); err != nil {
		return res, false, err
	}
	root := filepath.Join(res.folder, "small")
	if err := os.Mkdir(root, 0o700); err != nil {
		return res, false, fmt.Errorf("make the folder: %w", err)
	}
	if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=0700", diskSize), "orc-torture", root).CombinedOutput(); err != nil {
		return res, false, fmt.Errorf("mount a small disk (needs root): %w: %s", err, out)
	}
	defer func() {
		if out, uerr := exec.Command("umount", root).CombinedOutput(); uerr != nil {
			err = errors.Join(err, fmt.Errorf("unmount the small disk: %w: %s", uerr, out))
		}
	}()
	s, err := r.newSite(ctx, root, p)
	if err != nil {
		return res, false, err
	}
	d := newDisturbance(s, p, rng, p.estimate(), &res)
	full, err = d.starve(ctx)
	if errors.Is(err, errStuck) {
		res.fault("I9: %v", err)
		err = nil
	}
	if err == nil {
		err = inspect(ctx, &res, s)
	}
	if err == nil && len(res.faults) > 0 { // the disk is gone with its round
		err = exec.CommandContext(ctx, "cp", "-a", root, root+".kept").Run()
	}
	return res, full, err
}

// starve runs the plan, takes the room away at a random moment, waits for the owner to notice, gives the room back
// and lets the run come to its end.
func (d *disturbance) starve(ctx context.Context) (full bool, err error) {
	o, err := d.site.start(ctx, nil, "run", d.site.planPath())
	if err != nil {
		return false, err
	}
	d.moment(ctx, o)
	filler := filepath.Join(d.site.Root, "filler")
	if err := fill(filler, d.rng.Int64N(roomLeft<<10)); err != nil {
		o.stop()
		return false, err
	}
	err = o.wait(ctx, patience)
	if err = errors.Join(err, os.Remove(filler)); err != nil {
		return false, err
	}
	full = o.code() != 0
	if over, err := d.watcher.look(ctx); err != nil || over {
		return full, errors.Join(err, d.finish(ctx))
	}
	_, err = d.play(ctx)
	return full, err
}

// fill writes a file until only so many bytes are left on its disk.
func fill(path string, left int64) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("fill the disk: %w", err)
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	st, serr := f.Stat()
	if err := errors.Join(serr, f.Close()); err != nil {
		return fmt.Errorf("fill the disk: %w", err)
	}
	if err := os.Truncate(path, max(0, st.Size()-left)); err != nil {
		return fmt.Errorf("fill the disk: %w", err)
	}
	return nil
}
