package main

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// sample is what one contestant needed for a number of operations.
type sample struct {
	ops       int
	cpu, wall time.Duration
	version   string // of SQLite
}

func (s sample) cpuPerOp() float64  { return float64(s.cpu) / float64(s.ops) }
func (s sample) wallPerOp() float64 { return float64(s.wall) / float64(s.ops) }

// work does count operations on the database file and measures them, without opening and closing.
type work func(ctx context.Context, file string, count int) (sample, error)

// works are what this program does itself, each in a process of its own so that none pays for another's garbage.
// The C program does those of the same names as the first five.
var works = map[string]work{
	"status":              statusByStore,
	"save":                saveByStore,
	"turns":               turnsByStore(1),
	"batches":             turnsByStore(batch),
	"load":                loadByStore,
	"writers":             writersByStore,
	"save-transaction":    saveByTransaction,
	"load-bare":           loadBare,
	"load-one-by-one":     loadOneByOne,
	"writers-transaction": writersByTransaction,
}

// printWork does one work and prints it as the C program does.
func printWork(ctx context.Context, name, file string, count int) error {
	do, ok := works[name]
	if !ok {
		return fmt.Errorf("there is no work %q", name)
	}
	s, err := do(context.WithoutCancel(ctx), file, count) // as the engine writes its transitions
	if err != nil {
		return err
	}
	fmt.Println(s.ops, int64(s.cpu), int64(s.wall), s.version)
	return nil
}

// measured runs ops operations and takes the time, without the garbage of what was before.
func measured(ops int, run func() error) (sample, error) {
	runtime.GC()
	cpu, err := used()
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	if err := run(); err != nil {
		return sample{}, err
	}
	wall := time.Since(began)
	after, err := used()
	return sample{ops: ops, cpu: after - cpu, wall: wall, version: "driver"}, err
}

// used is the processor time of this process, all threads, user and system.
func used() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read the processor time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
