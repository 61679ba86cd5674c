// Command flood measures what a flood of output does to a run: many tasks, several at a time, each printing thousands of
// lines a second, watched on the whole screen. It says how long a key takes until the screen shows what it does, how much
// memory the owner and the screen take, and whether a line of a log is missing.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// flood is what is measured.
type flood struct {
	orc    string
	tasks  int
	slots  int           // tasks at a time
	rate   int           // lines a second of each
	each   time.Duration // how long each prints
	agents bool          // they are agents whose words are followed, not commands
}

// lines is how many lines a task prints.
func (f flood) lines() int { return int(float64(f.rate) * f.each.Seconds()) }

func main() {
	var f flood
	flag.StringVar(&f.orc, "orc", "bin/orc", "the program to measure")
	flag.IntVar(&f.tasks, "tasks", 1000, "tasks")
	flag.IntVar(&f.slots, "slots", 16, "tasks at a time")
	flag.IntVar(&f.rate, "rate", 10_000, "lines a second that each task prints")
	flag.DurationVar(&f.each, "each", time.Second, "how long each task prints")
	flag.BoolVar(&f.agents, "agents", true, "the tasks are done by agents; else they are commands")
	printing := flag.Int("print", 0, "print so many lines at the rate, and nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *printing > 0 {
		err = printLines(ctx, *printing, f.rate)
	} else {
		err = measure(ctx, f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
}

// beat is how often a printer prints: in small portions, as programs do.
const beat = 10 * time.Millisecond

// printLines prints numbered lines at a rate.
func printLines(ctx context.Context, lines, rate int) (err error) {
	out := bufio.NewWriter(os.Stdout)
	defer func() { err = errors.Join(err, out.Flush()) }()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	began := time.Now()
	for n := 0; n < lines; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		for due := min(lines, int(time.Since(began).Seconds()*float64(rate))); n < due; n++ {
			fmt.Fprintf(out, "%s line %06d of a build that says what it does\n", os.Getenv("ORC_TASK"), n)
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil
}
