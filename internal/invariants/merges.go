package invariants

import "orchestrator/internal/scheduler"

// refs of a run.
func (c *checker) ref(name string) string { return c.Refs["refs/orc/"+string(c.Run.ID)+"/"+name] }

// checkMerges holds the chain of merge commits against the records.
func (c *checker) checkMerges() {
	head := c.Run.Base
	seen := map[key]bool{}
	for _, m := range c.Merges {
		k := key{m.Task, m.Attempt}
		a := c.attempt[k]
		switch {
		case len(m.Parents) != 2 || m.Parents[0] != head || m.Run != string(c.Run.ID):
			c.broken(History, "commit %.10s on the integration branch is none of our merges", m.ID)
		case a == nil:
			c.broken(MergedOnce, "commit %.10s merges %s, which there is not", m.ID, k)
		case seen[k]:
			c.broken(MergedOnce, "%s is merged twice, again by %.10s", k, m.ID)
		case a.Outcome == "" && a.Phase == scheduler.PhaseMerging:
			// It was killed between the merge and its record.
		case a.Outcome != scheduler.OutcomeSucceeded:
			c.broken(MergedOnce, "%s is merged by %.10s, but it is %s", k, m.ID, word(a.Outcome))
		case a.MergeNew != m.ID || a.Saved != m.Parents[1]:
			c.broken(MergedOnce, "%s is merged by %.10s (of %.10s), recorded is %.10s (of %.10s)", k, m.ID, m.Parents[1], a.MergeNew, a.Saved)
		}
		seen[k] = true
		head = m.ID
	}
	if at := c.ref("integration"); at != "" && at != head {
		c.broken(History, "the integration branch is at %.10s, its chain of merges ends at %.10s", at, head)
	}
	for _, a := range c.Attempts {
		k := key{a.Task, a.Number}
		if a.Outcome != scheduler.OutcomeSucceeded || a.Isolation == scheduler.IsolationNone || a.Saved == a.Base || seen[k] {
			continue
		}
		if _, in := c.place[a.MergeNew]; a.MergeNew == "" || a.MergeNew != a.MergeOld || !in {
			c.broken(MergedOnce, "%s succeeded, but there is no merge commit of it", k)
		}
	}
	if shown, ok := c.Refs["refs/heads/"+c.Run.Branch]; ok {
		if _, in := c.place[shown]; !in {
			c.broken(History, "branch %s is at %.10s, which is not on the integration branch", c.Run.Branch, shown)
		}
	}
}

// checkSaves looks for the pins of what attempts had done.
func (c *checker) checkSaves() {
	for _, a := range c.Attempts {
		k := key{a.Task, a.Number}
		if a.Outcome == "" || a.Isolation == scheduler.IsolationNone || !c.worked[k] {
			continue
		}
		pin := c.Refs[a.SavedRef]
		switch {
		case a.SavedRef == "":
			c.broken(NothingLost, "%s ended (%s) and nothing of it is saved", k, a.Outcome)
		case pin == "":
			c.broken(NothingLost, "%s is gone, which kept the work of %s", a.SavedRef, k)
		case pin != a.Saved:
			c.broken(NothingLost, "%s is at %.10s, the work of %s is %.10s", a.SavedRef, pin, k, a.Saved)
		}
	}
}
