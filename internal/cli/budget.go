package cli

import (
	"math"
	"strconv"
	"strings"
	"time"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/scheduler"
)

// budgetDocument is a budget in JSON; 0 = that part is not bounded.
type budgetDocument struct {
	CostUSD float64 `json:"cost_usd"`
	Tokens  int64   `json:"tokens"`
	TimeMS  int64   `json:"time_ms"`
}

// newBudgetDocument describes a budget; nil = there is none.
func newBudgetDocument(b scheduler.Budget) *budgetDocument {
	if b.IsZero() {
		return nil
	}
	return &budgetDocument{CostUSD: b.Cost, Tokens: b.Tokens, TimeMS: b.Time.Milliseconds()}
}

// parseBudget reads "cost=5,tokens=2000000,time=2h". With more, an amount with a + in front is one to add.
func parseBudget(text string, more bool) (set, add scheduler.Budget, err error) {
	wrong := func(part string) error {
		return usageError("cost in dollars, tokens as a whole number, time such as 90m: --budget cost=5,time=2h", "--budget: %q is no part of a budget", part)
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return set, add, wrong(part)
		}
		to := &set
		if rest, plus := strings.CutPrefix(value, "+"); plus && more {
			to, value = &add, rest
		}
		if !amount(to, name, value) {
			return set, add, wrong(part)
		}
	}
	return set, add, nil
}

// amount sets one part of a budget; false = it cannot be that.
func amount(b *scheduler.Budget, name, value string) bool {
	if strings.ContainsAny(value, "+-") {
		return false
	}
	switch name {
	case "cost":
		n, err := strconv.ParseFloat(strings.TrimPrefix(value, "$"), 64)
		b.Cost = n
		return err == nil && n > 0 && !math.IsInf(n, 0)
	case "tokens":
		n, err := strconv.ParseInt(value, 10, 64)
		b.Tokens = n
		return err == nil && n > 0
	case "time":
		d, err := time.ParseDuration(value)
		b.Time = d
		return err == nil && d > 0
	}
	return false
}

// parseRaise reads "cost=+2", or "e2e:cost=+1" for one task.
func parseRaise(text string, find func(string) (*scheduler.Task, error)) (orchestrator.BudgetRequest, error) {
	var req orchestrator.BudgetRequest
	if name, rest, ok := strings.Cut(text, ":"); ok {
		t, err := find(name)
		if err != nil {
			return req, err
		}
		req.Task, text = t.ID, rest
	}
	var err error
	req.Set, req.More, err = parseBudget(text, true)
	return req, err
}
