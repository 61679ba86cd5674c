package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"orchestrator/internal/scheduler"
)

// prompt is what a task was asked to do.
func (d *helm) prompt(ctx context.Context, id scheduler.TaskID) (string, error) {
	t, err := d.w.store.GetTask(ctx, d.w.run.ID, id)
	if err != nil {
		return "", err
	}
	var parts []string
	if t.Prompt != "" {
		parts = append(parts, t.Prompt)
	}
	if t.Command != "" {
		parts = append(parts, "$ "+t.Command)
	}
	return strings.Join(parts, "\n\n"), nil
}

// gateTitle begins what a gate has printed, in the log of its attempt.
var gateTitle = regexp.MustCompile(`(?m)^\$ .*   # verify ([0-9]+) of [0-9]+.*$`)

// checks are the gates of a task, which of them the last attempt has passed, and what they printed.
func (d *helm) checks(ctx context.Context, id scheduler.TaskID) (string, error) {
	t, err := d.w.store.GetTask(ctx, d.w.run.ID, id)
	if err != nil {
		return "", err
	}
	if len(t.Verify) == 0 {
		return "nothing of it is checked: it has no `verify`", nil
	}
	at, ran, err := d.last(ctx, id)
	if err != nil {
		return "", err
	}
	printed := ""
	if ran {
		if printed, _, err = logTail(at.Log, helmLines); err != nil {
			return "", err
		}
	}
	titles := gateTitle.FindAllStringSubmatchIndex(printed, -1)
	if len(titles) > 0 {
		printed = printed[titles[0][0]:]
	} else {
		printed = ""
	}
	begun := len(titles)
	var b strings.Builder
	for i, gate := range t.Verify {
		state := "not run yet"
		switch {
		case i < begun-1, i == begun-1 && (at.Outcome == scheduler.OutcomeSucceeded || at.Phase == scheduler.PhaseSaving || at.Phase == scheduler.PhaseMerging):
			state = "passed"
		case i == begun-1 && at.Outcome != "":
			state = "failed"
		case i == begun-1:
			state = "runs"
		}
		fmt.Fprintf(&b, "%-11s  %s\n", state, strings.ReplaceAll(strings.TrimSpace(gate), "\n", "; "))
	}
	if at.Outcome != "" && at.Error != "" {
		fmt.Fprintf(&b, "\n%s\n", at.Error)
	}
	if printed != "" {
		fmt.Fprintf(&b, "\n%s", printed)
	}
	return b.String(), nil
}
