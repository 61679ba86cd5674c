package cli

import (
	"fmt"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// usageDocument is what agents used, in JSON: a sum over turns, each of which is counted once however often it was
// interrupted or looked at.
type usageDocument struct {
	Turns            int      `json:"turns"`
	InputTokens      int64    `json:"input_tokens"`       // those from the cache included
	CachedTokens     int64    `json:"cached_tokens"`      // of the input: read from the cache
	CacheWriteTokens int64    `json:"cache_write_tokens"` // of the input: written to the cache
	OutputTokens     int64    `json:"output_tokens"`      // reasoning included
	ReasoningTokens  int64    `json:"reasoning_tokens"`
	CostUSD          *float64 `json:"cost_usd"`    // as agents reported it; null when none did
	CostExact        bool     `json:"cost_exact"`  // every turn reported its cost; else it is at least that
	UsageExact       bool     `json:"usage_exact"` // every turn said what it used; else it is at least that
}

// turnUsage is what one turn of an attempt used, in JSON.
type turnUsage struct {
	Turn  int    `json:"turn"`
	Model string `json:"model"`
	usageDocument
}

// usageOf sums up what attempts used; nil when no agent worked.
func usageOf(attempts ...persistence.Attempt) *usageDocument {
	var d *usageDocument
	for _, at := range attempts {
		if at.Work == nil {
			continue
		}
		if d == nil {
			d = &usageDocument{CostExact: true, UsageExact: true}
		}
		for _, u := range at.Work.AllUsed() {
			d.add(u)
		}
	}
	return d
}

func (d *usageDocument) add(u persistence.TurnUsage) {
	d.Turns++
	d.InputTokens += u.Input
	d.CachedTokens += u.Cached
	d.CacheWriteTokens += u.CacheWrite
	d.OutputTokens += u.Output
	d.ReasoningTokens += u.Reasoning
	d.UsageExact = d.UsageExact && u.Complete
	d.CostExact = d.CostExact && u.Complete && u.Priced
	if u.Priced {
		if d.CostUSD == nil {
			d.CostUSD = new(0.0)
		}
		*d.CostUSD += u.Cost
	}
}

// turnsOf lists what the turns of an attempt used.
func turnsOf(at persistence.Attempt) []turnUsage {
	list := []turnUsage{}
	if at.Work == nil {
		return list
	}
	for _, u := range at.Work.Used {
		t := turnUsage{Turn: u.Turn, Model: u.Model, usageDocument: usageDocument{CostExact: true, UsageExact: true}}
		t.add(u)
		list = append(list, t)
	}
	return list
}

// usage is what a run used.
func (p *picture) usage() *usageDocument {
	var all []persistence.Attempt
	for _, t := range p.tasks {
		all = append(all, p.attempts[t.ID]...)
	}
	return usageOf(all...)
}

// short is the cost, or the tokens where nobody knows a cost, and how much of a budget that is; with ≈ unless all of it
// was reported.
func (d *usageDocument) short(b scheduler.Budget) string {
	switch {
	case d == nil || d.Turns == 0:
		return ""
	case d.CostUSD != nil && b.Cost > 0:
		return about(d.CostExact) + dollars(*d.CostUSD) + " of " + dollars(b.Cost)
	case d.CostUSD != nil:
		return about(d.CostExact) + dollars(*d.CostUSD)
	case d.InputTokens+d.OutputTokens == 0:
		return ""
	}
	text := about(d.UsageExact) + thousands(d.InputTokens+d.OutputTokens)
	if b.Tokens > 0 {
		text += " of " + thousands(b.Tokens)
	}
	return text + " tokens"
}

// long is the cost with the tokens and the turns, and how much of a budget that is.
func (d *usageDocument) long(b scheduler.Budget) string {
	if d == nil || d.Turns == 0 {
		return ""
	}
	text := ""
	if d.CostUSD != nil || b.Cost > 0 {
		text = about(d.CostExact) + dollars(d.cost())
		if b.Cost > 0 {
			text += " of " + dollars(b.Cost)
		}
		text += ", "
	}
	text += fmt.Sprintf("%s%s tokens in, %s out", about(d.UsageExact), thousands(d.InputTokens), thousands(d.OutputTokens))
	if b.Tokens > 0 {
		text += " of " + thousands(b.Tokens)
	}
	return text + ", " + view.Plural(d.Turns, "turn")
}

func about(exact bool) string {
	if exact {
		return ""
	}
	return "≈"
}

func dollars(cost float64) string {
	if cost > 0 && cost < 0.01 {
		return fmt.Sprintf("$%.4f", cost)
	}
	return fmt.Sprintf("$%.2f", cost)
}

// thousands is 950, 12.3k, 4.5M.
func thousands(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprint(n)
	case n < 999_950:
		return fmt.Sprintf("%.1fk", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1fM", float64(n)/1e6)
}
