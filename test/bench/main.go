// Command bench measures orc side by side with the floor, in the same run and in alternating rounds, so that a busy
// machine slows both. It prints medians and their ratio beside the goal; it judges nothing, since one machine's
// numbers prove little about another's.
//
//   - noop: 1,000 tasks that do nothing, wide, as a chain and in layers, against a bare loop of fork and exec.
//   - git: 100 tasks with a workspace, saved work and a merge, against the same done by hand with git.
//   - trace: graphs with the shapes of real workflows, against the lower bound max(critical path, work ÷ slots).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"orchestrator/test/rig"
)

func main() {
	orc := flag.String("orc", "bin/orc", "the program to measure")
	only := flag.String("only", "", "one of noop, git, trace; empty: all")
	rounds := flag.Int("rounds", 3, "alternating rounds; the medians are printed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *orc, *only, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measurement is one line of the table.
type measurement struct {
	name        string
	floor, ours time.Duration // zero: not shown
	ratio       string        // empty: ours ÷ floor
	goal        string
}

func (m measurement) columns() []string {
	if m.ratio == "" && m.floor > 0 {
		m.ratio = fmt.Sprintf("%.2f", float64(m.ours)/float64(m.floor))
	}
	return []string{m.name, short(m.floor), short(m.ours), m.ratio, m.goal, ""}
}

// section is one part of the benchmark.
type section struct {
	name string
	run  func(ctx context.Context, b benchmark) ([]measurement, error)
}

// benchmark is what the sections share.
type benchmark struct {
	orc    string
	root   string // of all scratch folders
	rounds int
}

func bench(ctx context.Context, orc, only string, rounds int) (err error) {
	root, err := os.MkdirTemp("", "orc-bench-")
	if err != nil {
		return fmt.Errorf("make a scratch folder: %w", err)
	}
	// Only at the end: right after many files were deleted, some file systems are slow to make new ones, which the
	// floor, that makes none, would not feel.
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	b := benchmark{orc: orc, root: root, rounds: max(1, rounds)}
	fmt.Printf("%d CPUs, %s, %s, load %s, %d rounds, medians\n\n", runtime.NumCPU(), runtime.Version(), gitVersion(ctx), load(), b.rounds)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "what\tfloor\tours\tratio\tgoal\t")
	known := false
	for _, s := range []section{{"noop", noop}, {"git", byHand}, {"trace", traces}} {
		if only != "" && only != s.name {
			continue
		}
		known = true
		lines, err := s.run(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		for _, m := range lines {
			fmt.Fprintln(table, strings.Join(m.columns(), "\t"))
		}
	}
	if !known {
		return fmt.Errorf("there is no section %q", only)
	}
	return table.Flush()
}

func short(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.Round(time.Millisecond).String()
}

func gitVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "--version").Output()
	if err != nil {
		return "no git"
	}
	return strings.TrimSpace(string(out))
}

// load is the machine's load average, where the system says it in a file.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// scratch calls use with a new site.
func (b benchmark) scratch(ctx context.Context, use func(s *rig.Site) error) error {
	root, err := os.MkdirTemp(b.root, "site-")
	if err != nil {
		return fmt.Errorf("make a scratch folder: %w", err)
	}
	s, err := rig.NewSite(ctx, b.orc, root)
	if err != nil {
		return err
	}
	return use(s)
}

// orcRun runs a plan in the foreground and returns how long the whole command took.
func orcRun(ctx context.Context, s *rig.Site, plan string) (time.Duration, error) {
	path := filepath.Join(s.Root, "plan.yaml")
	if err := os.WriteFile(path, []byte(plan), 0o600); err != nil {
		return 0, fmt.Errorf("write the plan: %w", err)
	}
	cmd := s.Program(ctx, "run", path, "--foreground", "--progress=quiet", "--yes", "--no-input")
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("orc run: %w: %s", err, out)
	}
	return took, nil
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
