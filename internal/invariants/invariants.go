// Package invariants says what must be true of a run whenever nobody is writing to it: after any crash, at any
// instant, not only at its end. It looks at the records in the store and at the refs and commits in git, and holds
// the one against the other; it repairs nothing.
//
// The numbers are those that docs/reliability.md explains.
package invariants

import (
	"cmp"
	"fmt"
	"slices"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// Invariant is the number of a rule, such as "I5".
type Invariant string

// The rules that can be checked from the records and git alone.
const (
	NoRerun     Invariant = "I1"  // what is completed never runs again; attempts are counted without a gap
	Needs       Invariant = "I2"  // a task starts when its needs are settled, with their work in its base
	Exclusion   Invariant = "I3"  // tasks that write the same files never run together
	MergedOnce  Invariant = "I5"  // completed means merged, exactly once; nothing else is merged
	History     Invariant = "I6"  // the integration branch is a chain of our merges
	NothingLost Invariant = "I7"  // the work of every attempt that ended is under a ref
	Turns       Invariant = "I8"  // the turns of an attempt are stored once and in order
	Hygiene     Invariant = "I10" // the database is sound; what counts as removed is gone
	Allowance   Invariant = "I11" // no more attempts are spent than are allowed
	Limit       Invariant = "I12" // no more tasks run than there are slots
	OneWriter   Invariant = "I13" // every record is of an owner that held the lease
	Events      Invariant = "I15" // events have no gap, and tell every change exactly once
)

// Broken is a rule that does not hold, and where.
type Broken struct {
	Rule Invariant
	Text string
}

func (b Broken) String() string { return string(b.Rule) + ": " + b.Text }

// Facts are everything that is known of a run. Gather reads them.
type Facts struct {
	Run      persistence.Run
	Tasks    []*scheduler.Task
	Attempts []persistence.Attempt // by task and number
	Events   []event.Event
	Turns    map[scheduler.TaskID][]persistence.ConversationTurn
	Owners   int64             // generation of the last lease; 0 = it never had an owner
	Refs     map[string]string // full name to commit id: everything below refs/orc/<run>/, and the run's branch
	Merges   []Commit          // first parents from the base to the head of the integration, oldest first
	Unsound  string            // what the database's own check complains about
	Missing  string            // what git complains about when it follows the refs; the chain of merges is not read then
	There    map[string]bool   // workspaces whose folder is there
}

// Commit is a commit of the integration branch.
type Commit struct {
	ID      string
	Parents []string
	Run     string // trailers of its message
	Task    scheduler.TaskID
	Attempt int
}

// key is an attempt.
type key struct {
	task   scheduler.TaskID
	number int
}

func (k key) String() string { return fmt.Sprintf("attempt %d of %s", k.number, k.task) }

// checker is Facts, indexed, with what was found.
type checker struct {
	Facts
	task    map[scheduler.TaskID]*scheduler.Task
	attempt map[key]*persistence.Attempt
	latest  map[scheduler.TaskID]*persistence.Attempt
	worked  map[key]bool              // its command was about to start, or had
	reset   map[scheduler.TaskID]bool // put back, and not started since
	place   map[string]int            // of commits in the chain: 0 is the base
	edits   map[scheduler.TaskID]edit
	found   []Broken
}

// Check returns what does not hold, in the order of the rules.
func Check(f Facts) []Broken {
	c := &checker{
		Facts: f, task: map[scheduler.TaskID]*scheduler.Task{}, attempt: map[key]*persistence.Attempt{},
		latest: map[scheduler.TaskID]*persistence.Attempt{}, worked: map[key]bool{}, place: map[string]int{f.Run.Base: 0}, reset: map[scheduler.TaskID]bool{},
		edits: map[scheduler.TaskID]edit{},
	}
	for _, t := range f.Tasks {
		c.task[t.ID] = t
	}
	for i := range f.Attempts {
		a := &f.Attempts[i]
		c.attempt[key{a.Task, a.Number}] = a
		if l := c.latest[a.Task]; l == nil || l.Number < a.Number {
			c.latest[a.Task] = a
		}
	}
	for i, m := range f.Merges {
		c.place[m.ID] = i + 1
	}
	c.checkEvents()
	c.checkAttempts()
	c.checkSaves()
	if f.Missing != "" {
		c.broken(NothingLost, "git cannot read all that the run's refs lead to: %s", f.Missing)
	} else {
		c.checkMerges()
	}
	c.checkTurns()
	if f.Unsound != "" {
		c.broken(Hygiene, "the database is damaged: %s", f.Unsound)
	}
	slices.SortStableFunc(c.found, func(a, b Broken) int {
		return cmp.Or(cmp.Compare(len(a.Rule), len(b.Rule)), cmp.Compare(a.Rule, b.Rule))
	})
	return c.found
}

func (c *checker) broken(rule Invariant, format string, args ...any) {
	c.found = append(c.found, Broken{Rule: rule, Text: fmt.Sprintf(format, args...)})
}

// checkAttempts looks at the records of attempts.
func (c *checker) checkAttempts() {
	for _, t := range c.Tasks {
		last := c.latest[t.ID]
		if last == nil {
			if t.Status == scheduler.TaskCompleted || t.Status == scheduler.TaskFailed || t.Status == scheduler.TaskRunning {
				c.broken(NoRerun, "%s is %s and has no attempt", t.ID, t.Status)
			}
			continue
		}
		for n := 1; n < last.Number; n++ {
			a := c.attempt[key{t.ID, n}]
			switch {
			case a == nil:
				c.broken(NoRerun, "attempt %d of %s is missing", n, t.ID)
			case a.Outcome == "":
				c.broken(NoRerun, "attempt %d of %s has not ended, but another followed it", n, t.ID)
			}
		}
		if done := last.Outcome == scheduler.OutcomeSucceeded; done != (t.Status == scheduler.TaskCompleted) && !c.reset[t.ID] {
			c.broken(NoRerun, "%s is %s, its last attempt %s", t.ID, t.Status, word(last.Outcome))
		}
		if last.Cleaned && t.Status == scheduler.TaskCompleted && c.There[last.Workspace] {
			c.broken(Hygiene, "the workspace of %s is recorded as removed, but is there", t.ID)
		}
	}
	for _, a := range c.Attempts {
		if a.Generation < 1 || a.Generation > c.Owners {
			c.broken(OneWriter, "%s was written under generation %d of %d", key{a.Task, a.Number}, a.Generation, c.Owners)
		}
	}
}

func word(o scheduler.Outcome) string {
	if o == "" {
		return "has not ended"
	}
	return string(o)
}

// checkTurns looks at what was said: the command or prompt once, then at most one answer per turn of the agent.
func (c *checker) checkTurns() {
	for _, t := range c.Tasks {
		said := map[int]int{}
		before := 0
		for i, turn := range c.Turns[t.ID] {
			k := key{t.ID, turn.Attempt}
			if turn.Attempt < before {
				c.broken(Turns, "turn %d of %s belongs to attempt %d, the one before it to %d", i+1, t.ID, turn.Attempt, before)
			}
			before = max(before, turn.Attempt)
			if c.attempt[k] == nil {
				c.broken(Turns, "turn %d of %s belongs to attempt %d, which there is not", i+1, t.ID, turn.Attempt)
			}
			if said[turn.Attempt]++; said[turn.Attempt] == 1 && turn.Role != "user" {
				c.broken(Turns, "%s begins with a turn of %s", k, turn.Role)
			}
			if t.Command != "" && !c.resolves(k) && turn.Attempt > c.edits[t.ID].attempt && (turn.Role == "user" && (said[turn.Attempt] != 1 || turn.Content != t.Command) || said[turn.Attempt] > 2) {
				c.broken(Turns, "%s is a command, and its turn %d is: %s %.60q", k, said[turn.Attempt], turn.Role, turn.Content)
			}
		}
		for k := range c.worked {
			if k.task == t.ID && said[k.number] == 0 {
				c.broken(Turns, "nothing is stored of what was said in %s", k)
			}
		}
	}
}
