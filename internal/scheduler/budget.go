package scheduler

import "time"

// Budget bounds what may be spent; a part that is zero bounds nothing. The same type counts what has been spent.
type Budget struct {
	Cost   float64       `json:"cost,omitempty"`   // US dollars, as agents report them
	Tokens int64         `json:"tokens,omitempty"` // sent and received, reasoning included
	Time   time.Duration `json:"time,omitempty"`   // of work, without waits
}

// IsZero says whether nothing is bounded, or spent.
func (b Budget) IsZero() bool { return b == Budget{} }

// Add returns the sum.
func (b Budget) Add(c Budget) Budget {
	return Budget{Cost: b.Cost + c.Cost, Tokens: b.Tokens + c.Tokens, Time: b.Time + c.Time}
}

// Minus returns the difference.
func (b Budget) Minus(c Budget) Budget {
	return Budget{Cost: b.Cost - c.Cost, Tokens: b.Tokens - c.Tokens, Time: b.Time - c.Time}
}

// Reached says which parts of the budget are used up by what was spent.
func (b Budget) Reached(spent Budget) (cost, tokens, time bool) {
	return b.Cost > 0 && spent.Cost >= b.Cost, b.Tokens > 0 && spent.Tokens >= b.Tokens, b.Time > 0 && spent.Time >= b.Time
}

// Approval is a step of a task that a person has to say yes to.
type Approval string

// The approvals.
const (
	ApproveStart Approval = "start" // before its first attempt begins its work
	ApproveMerge Approval = "merge" // when its work is checked and saved, before it is merged
)
