// Command benchstore measures the store side by side with its floor, in the same run and in alternating rounds, so
// that a busy machine slows both: a C program that does the same transactions on the same file, and the usual ways
// of doing them in Go. It prints medians, their ratio and the goal; it judges nothing, since one machine's numbers
// prove little about another's.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
)

func main() {
	cmp := comparison{}
	flag.StringVar(&cmp.dir, "dir", "", "a folder for the databases, on the kind of disk to measure (default: a temporary one)")
	flag.StringVar(&cmp.only, "only", "", "one of status, save, writers, writers-full, load, turns; empty: all")
	flag.IntVar(&cmp.rounds, "rounds", 5, "alternating rounds; the medians are printed")
	flag.IntVar(&cmp.scale, "scale", 100, "how much work to do, in percent")
	flag.StringVar(&cmp.compiler, "cc", "cc", "the C compiler; empty: without the C program")
	flag.StringVar(&cmp.amalgamation, "sqlite", "", "a folder with sqlite3.c and sqlite3.h for the C program (default: the system's library)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := dispatch(ctx, cmp, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "benchstore:", err)
		os.Exit(1)
	}
}

// dispatch compares, or, called by itself with WORK FILE COUNT, does one work.
func dispatch(ctx context.Context, cmp comparison, args []string) error {
	if len(args) == 0 {
		return cmp.run(ctx)
	}
	if len(args) != 3 {
		return fmt.Errorf("want no arguments, or WORK FILE COUNT")
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return fmt.Errorf("count %q: %w", args[2], err)
	}
	return printWork(ctx, args[0], args[1], count)
}
