package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// goal is how long a key may take.
const goal = 100 * time.Millisecond

// memory is what a process has of it, by the system's files (Linux), in KiB.
type memory struct {
	samples []sample
	peak    int
}

type sample struct {
	at  time.Duration
	now int
}

// look takes a sample; where there is none to be had, nothing is said of the memory.
func (m *memory) look(pid int, at time.Duration) {
	body, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(body)) {
		name, rest, _ := strings.Cut(line, ":")
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			m.samples = append(m.samples, sample{at, n})
		case "VmHWM":
			m.peak = n
		}
	}
}

// String is the peak, and the means of the two halves: bounded memory does not grow from one to the other.
func (m *memory) String() string {
	if len(m.samples) == 0 {
		return "not known on this system"
	}
	half := m.samples[len(m.samples)-1].at / 2
	var sum, n [2]int
	for _, s := range m.samples {
		i := 0
		if s.at > half {
			i = 1
		}
		sum[i] += s.now
		n[i]++
	}
	mean := func(i int) int { return sum[i] / max(n[i], 1) >> 10 }
	return fmt.Sprintf("peak %d MiB; mean of the first half %d MiB, of the second %d MiB", m.peak>>10, mean(0), mean(1))
}

// countLines counts the lines of a log that its task has printed.
func countLines(path, task string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read the log of %s: %w", task, err)
	}
	defer f.Close()
	n := 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), fmt.Sprintf("%s line %06d ", task, n)) { // in order, none twice
			n++
		}
	}
	return n, lines.Err()
}

// report prints what came out; its error is what must not be.
func report(out io.Writer, f flood, m measured) error {
	all := slices.Clone(m.latencies)
	slices.Sort(all)
	at := func(q float64) time.Duration {
		return all[min(int(q*float64(len(all))), len(all)-1)].Round(100 * time.Microsecond)
	}
	who := "commands"
	if f.agents {
		who = "agents"
	}
	fmt.Fprintf(out, "%d tasks, %d %s at a time, each printing %d lines a second for %s; all took %s\n", f.tasks, f.slots, who, f.rate, f.each, m.took.Round(time.Second))
	fmt.Fprintf(out, "key to frame   median %s, 99%% %s, longest %s, of %d keys (goal: %s)\n", at(.5), at(.99), all[len(all)-1].Round(100*time.Microsecond), len(all), goal)
	fmt.Fprintf(out, "owner          %s\n", &m.owner)
	fmt.Fprintf(out, "screen         %s\n", &m.screen)
	_, err := fmt.Fprintf(out, "log            %d of %d lines stored, %d of %d tasks done\n", m.stored, m.printed, m.tasks, f.tasks)
	if err == nil && (m.stored != m.printed || m.tasks != f.tasks) {
		err = fmt.Errorf("%d lines are missing, %d tasks are not done", m.printed-m.stored, f.tasks-m.tasks)
	}
	return err
}
