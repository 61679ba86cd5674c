// Command killstore tries to make the store lose an acknowledged write or keep half of an unacknowledged one. A
// process with several writers is killed with -9 at a random moment, while it opens the file, writes or checkpoints;
// then what is stored is compared with what the process had been told is stored. Again and again on the same file,
// half of the time with another program, the system's sqlite3, opening, reading and closing the file meanwhile.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if file := os.Getenv(fileKey); file != "" {
		if err := write(context.Background(), file, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "writer:", err)
			os.Exit(1)
		}
		return
	}
	kills := flag.Int("kills", 200, "how many times")
	seed := flag.Uint64("seed", 0, "seed of the first file; the following files count up; 0 draws one")
	shell := flag.String("shell", "sqlite3", "the other program; empty: none")
	dir := flag.String("dir", "", "where the files are (default: a temporary folder)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *seed == 0 {
		*seed = rand.Uint64N(1 << 32)
	}
	if *shell != "" {
		path, err := exec.LookPath(*shell)
		if err != nil {
			fmt.Fprintf(os.Stderr, "killstore: %v: half of the kills would miss the other program; install it, or say -shell ''\n", err)
			os.Exit(2)
		}
		*shell = path
	}
	began, total := time.Now(), tally{}
	for total.kills < *kills {
		t, err := playFile(ctx, *dir, *shell, *seed, min(killsPerFile, *kills-total.kills))
		total.add(t)
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "killstore: interrupted after", total)
			os.Exit(130)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "killstore: seed %d: %v\n", *seed, err)
			os.Exit(1)
		}
		fmt.Printf("seed %d: %s\n", *seed, t)
		*seed++
	}
	fmt.Printf("%s in %s, nothing lost\n", total, time.Since(began).Round(time.Second))
}
