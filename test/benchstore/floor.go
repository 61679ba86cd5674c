package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed floor/floor.c
var floorSource []byte

// build compiles the C program, with the system's SQLite or with the source in a folder.
func (c *comparison) build(ctx context.Context) error {
	if c.compiler == "" {
		c.version = "not measured"
		return nil
	}
	source := filepath.Join(c.dir, "floor.c")
	if err := os.WriteFile(source, floorSource, 0o600); err != nil {
		return fmt.Errorf("write the C program: %w", err)
	}
	program := filepath.Join(c.dir, "floor")
	args := []string{"-O2", "-o", program, source}
	if c.amalgamation == "" {
		args = append(args, "-lsqlite3")
	} else {
		args = append(args, "-I", c.amalgamation, "-DSQLITE_ENABLE_FTS5", filepath.Join(c.amalgamation, "sqlite3.c"), "-lm", "-lpthread", "-ldl")
	}
	out, err := exec.CommandContext(ctx, c.compiler, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the C program (install a C compiler and SQLite's header, on Debian gcc and libsqlite3-dev, "+
			"or leave it out by -cc ''): %w: %s", err, out)
	}
	c.floor = program
	return nil
}

// do lets a contestant work on a fresh file, in a process of its own.
func (c *comparison) do(ctx context.Context, who contestant, tasks, ops int) (sample, error) {
	file, err := c.file(ctx, tasks)
	if err != nil {
		return sample{}, err
	}
	program := c.self
	if who.byC {
		program = c.floor
	}
	cmd := exec.CommandContext(ctx, program, who.work, file, fmt.Sprint(ops))
	cmd.Env = append(os.Environ(), durabilityKey+"="+who.durability)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return sample{}, fmt.Errorf("%s: %w: %s", who.work, err, exit.Stderr)
		}
		return sample{}, fmt.Errorf("%s: %w", who.work, err)
	}
	var s sample
	var cpu, wall int64
	if _, err := fmt.Sscan(string(out), &s.ops, &cpu, &wall, &s.version); err != nil {
		return sample{}, fmt.Errorf("%s printed %q: %w", who.work, out, err)
	}
	s.cpu, s.wall = time.Duration(cpu), time.Duration(wall)
	if who.byC {
		c.version = s.version
	}
	return s, nil
}
