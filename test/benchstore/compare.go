package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"orchestrator/internal/persistence"
)

// comparison is one run of this program.
type comparison struct {
	dir, only              string
	rounds, scale          int
	compiler, amalgamation string

	self, floor string // the programs; no floor without a compiler
	version     string // of the floor's SQLite
	seeds       map[int]string
}

// contestant is one way of doing a work.
type contestant struct {
	work       string
	byC        bool
	durability string
}

// duel is one line of the table: two contestants do the same number of operations on equal files.
type duel struct {
	section    string
	what       string
	floor      contestant
	ours       contestant
	tasks, ops int
	value      func(s sample) float64 // nanoseconds per operation
	ratio      func(floor, ours float64) float64
	goal       float64
	atMost     bool // the goal is an upper bound
}

func times(floor, ours float64) float64    { return floor / ours }
func fraction(floor, ours float64) float64 { return ours / floor }

func store(work string) contestant { return contestant{work: work} }

func inC(work string) contestant { return contestant{work: work, byC: true} }

func full(c contestant) contestant {
	c.durability = persistence.DurabilityFull
	return c
}

// duels are all comparisons; those without a goal explain the others.
var duels = []duel{
	{"status", "status update: C ÷ store, CPU", inC("status"), store("status"), many, 20_000, sample.cpuPerOp, times, 0.55, false},
	{"save", "task saved again: C ÷ store, CPU", inC("save"), store("save"), many, 20_000, sample.cpuPerOp, times, 0, false},
	{"save", "task saved again: transaction ÷ store, CPU", store("save-transaction"), store("save"), many, 10_000, sample.cpuPerOp, times, 5, false},
	{"writers", "8 writers, normal: pool ÷ store, time", store("writers-transaction"), store("writers"), many, 40_000, sample.wallPerOp, times, 2, false},
	{"writers-full", "8 writers, full: pool ÷ store, time", full(store("writers-transaction")), full(store("writers")), many, 4000, sample.wallPerOp, times, 5, false},
	{"load", "load 100,000 tasks: store ÷ C, CPU", inC("load"), store("load"), crowd, crowd, sample.cpuPerOp, fraction, 0, true},
	{"load", "load 100,000 tasks: store ÷ two scans, CPU", store("load-bare"), store("load"), crowd, crowd, sample.cpuPerOp, fraction, 1.2, true},
	{"load", "load 100,000 tasks: query per task ÷ store, CPU", store("load-one-by-one"), store("load"), crowd, crowd, sample.cpuPerOp, times, 3, false},
	{"turns", "turn of 2,000 bytes: C ÷ store, CPU", inC("turns"), store("turns"), many, 10_000, sample.cpuPerOp, times, 0, false},
	{"turns", "the same in hundreds: C ÷ store, CPU", inC("batches"), store("batches"), many, 20_000, sample.cpuPerOp, times, 0, false},
	{"turns", "one by one ÷ in hundreds, time", store("turns"), store("batches"), many, 20_000, sample.wallPerOp, times, 2.5, false},
}

// run makes the programs and the files, and prints the table.
func (c *comparison) run(ctx context.Context) (err error) {
	scratch, err := os.MkdirTemp(c.dir, "benchstore-")
	if err != nil {
		return fmt.Errorf("make a scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	c.dir = scratch
	if c.self, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if err := c.build(ctx); err != nil {
		return err
	}
	if c.only != "" && !slices.ContainsFunc(duels, func(d duel) bool { return d.section == c.only }) {
		return fmt.Errorf("there is no section %q", c.only)
	}
	var lines []string
	for _, d := range duels {
		if c.only != "" && d.section != c.only || c.floor == "" && d.floor.byC {
			continue
		}
		line, err := c.fight(ctx, d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.what, err)
		}
		fmt.Fprintln(os.Stderr, strings.ReplaceAll(line, "\t", "  "))
		lines = append(lines, line)
	}
	fmt.Printf("\n%d CPUs, %s, %s, load %s, C: SQLite %s, %d rounds, medians per operation\n\n",
		runtime.NumCPU(), runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH, load(), c.version, c.rounds)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "what\tfirst\tsecond\tratio\tgoal\t\t")
	for _, line := range lines {
		fmt.Fprintln(table, line)
	}
	return table.Flush()
}

// fight lets both work in alternating rounds. The ratio is the median of the rounds' ratios: what slows a whole round
// slows both.
func (c *comparison) fight(ctx context.Context, d duel) (string, error) {
	var floors, ours, ratios []float64
	ops := max(batch, d.ops*c.scale/100)
	tasks := d.tasks
	if tasks == crowd {
		tasks = max(batch, crowd*c.scale/100)
		ops = tasks
	}
	for range max(1, c.rounds) {
		f, err := c.do(ctx, d.floor, tasks, ops)
		if err != nil {
			return "", err
		}
		o, err := c.do(ctx, d.ours, tasks, ops)
		if err != nil {
			return "", err
		}
		floors, ours = append(floors, d.value(f)), append(ours, d.value(o))
		ratios = append(ratios, d.ratio(d.value(f), d.value(o)))
	}
	return d.line(median(floors), median(ours), median(ratios)), nil
}

// line is a row of the table.
func (d duel) line(floor, ours, ratio float64) string {
	goal, verdict := "", ""
	switch {
	case d.goal == 0:
	case d.atMost:
		goal, verdict = fmt.Sprintf("≤ %g", d.goal), verdictOf(ratio <= d.goal)
	default:
		goal, verdict = fmt.Sprintf("≥ %g", d.goal), verdictOf(ratio >= d.goal)
	}
	return fmt.Sprintf("%s\t%.1f µs\t%.1f µs\t%.2f\t%s\t%s\t", d.what, floor/1e3, ours/1e3, ratio, goal, verdict)
}

func verdictOf(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// file is a fresh database with so many tasks, copied from one that is made once.
func (c *comparison) file(ctx context.Context, tasks int) (string, error) {
	if c.seeds == nil {
		c.seeds = map[int]string{}
	}
	if c.seeds[tasks] == "" {
		path := filepath.Join(c.dir, fmt.Sprintf("seed-%d.db", tasks))
		if err := seed(ctx, path, tasks); err != nil {
			return "", err
		}
		c.seeds[tasks] = path
	}
	content, err := os.ReadFile(c.seeds[tasks])
	if err != nil {
		return "", fmt.Errorf("read the seed: %w", err)
	}
	path := filepath.Join(c.dir, "work.db")
	for _, old := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", fmt.Errorf("write the file to work on: %w", err)
	}
	return path, nil
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
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
