package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// outcome is what came of one scenario with one agent.
type outcome struct {
	agent, scenario string
	fault           error  // nil = as promised
	skipped         string // why it did not run; empty = it ran
	took            time.Duration
}

func (o outcome) word() string {
	switch {
	case o.skipped != "":
		return "–"
	case o.fault != nil:
		return "FAULT"
	}
	return "ok"
}

// report collects outcomes and prints them as they come.
type report struct {
	mu       sync.Mutex
	agents   []string // columns, in order
	rows     []string
	outcomes []outcome
}

func (r *report) add(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes = append(r.outcomes, o)
	line := fmt.Sprintf("%-16s %-10s %-6s %5.1f s", o.agent, o.scenario, o.word(), o.took.Seconds())
	switch {
	case o.skipped != "":
		line += "  " + o.skipped
	case o.fault != nil:
		line += "  " + strings.ReplaceAll(o.fault.Error(), "\n", "\n      ")
	}
	fmt.Println(line)
}

// failed says whether there is a fault, or nothing that could have had one.
func (r *report) failed() bool {
	ran, faults, _ := r.count()
	return ran == 0 || faults > 0
}

// table has a row for each scenario and a column for each agent, as Markdown.
func (r *report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| scenario | %s |\n| --- |%s\n", strings.Join(r.agents, " | "), strings.Repeat(" --- |", len(r.agents)))
	for _, row := range r.rows {
		fmt.Fprintf(&b, "| %s |", row)
		for _, column := range r.agents {
			word := ""
			for _, o := range r.outcomes {
				if o.agent == column && o.scenario == row {
					word = o.word()
				}
			}
			fmt.Fprintf(&b, " %s |", word)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (r *report) verdict() string {
	ran, faults, skipped := r.count()
	return fmt.Sprintf("%d checks, %d with faults, %d skipped", ran, faults, skipped)
}

func (r *report) count() (ran, faults, skipped int) {
	for _, o := range r.outcomes {
		switch {
		case o.skipped != "":
			skipped++
			continue
		case o.fault != nil:
			faults++
		}
		ran++
	}
	return ran, faults, skipped
}
