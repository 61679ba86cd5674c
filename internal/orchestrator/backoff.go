package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// How long, and how often in a row, an attempt waits for what may work later.
const (
	mostWaits      = 10
	backOffFirst   = 2 * time.Second
	backOffLongest = 5 * time.Minute
	limitFirst     = time.Minute // a limit of which nobody says when it ends
	limitLongest   = 30 * time.Minute
)

// limitsFail is the option that has attempts fail at a usage limit instead of waiting for its end.
const limitsFail = "fail"

// errParked ends the goroutine of an attempt that waits until a time: the wait is data, not a goroutine.
var errParked = errors.New("waits until a time")

// hold keeps the agents of an account, or one role, from starting.
type hold struct {
	until   time.Time // zero = until a person does something
	account string    // whose agents it keeps; empty = it keeps one role, or with budget all of them
	roles   []string  // that it keeps, by the present plan
	reason  string
	circuit bool        // its account fails again and again
	budget  *overBudget // it is until the run has more budget; nil = it is something else
}

func (h *hold) covers(role string) bool { return slices.Contains(h.roles, role) }

// wait parks the attempt, which spends none of those that are allowed. nil means that it waited often enough: the
// result stands.
func (t *talk) wait(r *provider.Result) error {
	a, w, e := &t.at.a, t.w, t.at.e
	if r.Kind == provider.KindLimit && e.options().Limits == limitsFail {
		return nil
	}
	if w.Waits++; w.Waits > mostWaits {
		r.Error = fmt.Sprintf("%s (gave up after %d waits)", r.Error, mostWaits)
		return nil
	}
	w.Wait = persistence.WaitBackOff
	first, longest := backOffFirst, backOffLongest
	if r.Kind == provider.KindLimit {
		w.Wait, first, longest = persistence.WaitLimit, limitFirst, limitLongest
	}
	now := e.o.Now()
	a.NotBefore = r.RetryAt
	if !r.RetryAt.After(now) {
		a.NotBefore = now.Add(jittered(first, longest, w.Waits, e.o.Random()))
	}
	w.Reason = r.Error
	a.Phase = scheduler.PhaseWaiting
	return errParked
}

// jittered is a delay before try n (1, 2, 3 …) to begin again: anything up to a bound that doubles each time, so that
// those who failed together do not come back together. random is in [0, 1).
func jittered(first, longest time.Duration, n int, random float64) time.Duration {
	bound := longest
	if n < 30 && first<<(n-1) < longest {
		bound = first << (n - 1)
	}
	return time.Duration(random * float64(bound))
}

// waits says whether an attempt waits for something that comes by itself: a time, or another task's repair.
func waits(a *persistence.Attempt) bool {
	return awaits(a) || a != nil && a.Phase == scheduler.PhaseWaiting && a.Outcome == "" && a.Work != nil && a.Work.Wait != ""
}

// park records that an attempt waits until a time, unless a fallback goes on with it. At a usage limit nothing else of its
// account starts meanwhile.
func (e *Engine) park(b *batch, t *tracked) {
	a := t.attempt
	if a.Work.Wait == persistence.WaitBackOff {
		e.failsAgain(b, t)
	}
	if a.Work.Wait == persistence.WaitLimit {
		e.holdAccount(b, a.Work.Account, a.NotBefore, a.Work.Reason)
	}
	if f := e.mayGoOver(t); f != nil { // it has its slot still
		e.sendOver(b, t, f)
		e.goOn(b, t)
		return
	}
	b.record(*a)
	b.t.Events = append(b.t.Events, e.sayWaiting(a))
	e.parked[a.Task] = a.NotBefore
	e.must(b, scheduler.Parked{Task: a.Task})
}

// sayWaiting is the event of an attempt that waits until a time.
func (e *Engine) sayWaiting(a *persistence.Attempt) event.Event {
	reason := oneLine(a.Work.Reason)
	if a.Work.Wait == persistence.WaitCircuit {
		reason += " (" + a.Work.Account + " fails again and again: one attempt tries then, the rest when that has worked)"
	}
	if to := e.run.Options.Agents[e.presentRole(e.tasks[a.Task])].Fallback; to != "" && a.Work.Fallback == nil && a.Work.Wait != persistence.WaitBackOff {
		reason += ", or sooner with " + to
	}
	return e.event(event.TaskWaiting, a.Task, a.Number, event.Detail{
		Status: string(scheduler.TaskRunning), Phase: string(scheduler.PhaseWaiting), Reason: reason, Until: a.NotBefore.UTC(),
	})
}

// holdAccount keeps the agents of an account from starting until a time; zero = until a person lifts it.
func (e *Engine) holdAccount(b *batch, account string, until time.Time, reason string) {
	e.holdAgents(b, account, hold{until: until, reason: reason, account: account})
}

// rolesOf are the agents of an account.
func (e *Engine) rolesOf(account string) []string {
	var roles []string
	for role, a := range e.run.Options.Agents {
		if accountOf(a) == account {
			roles = append(roles, role)
		}
	}
	slices.Sort(roles)
	return roles
}

// covered are the roles that a hold keeps from starting by the present plan.
func (e *Engine) covered(h *hold) []string {
	switch {
	case h.account != "":
		return e.rolesOf(h.account)
	case h.budget == nil:
		return h.roles
	}
	var all []string
	for _, t := range e.tasks {
		if !slices.Contains(all, t.task.AgentRole) {
			all = append(all, t.task.AgentRole)
		}
	}
	slices.Sort(all)
	return all
}

// holdAgents makes a hold count. The longer one of two wins.
func (e *Engine) holdAgents(b *batch, name string, h hold) {
	h.roles = e.covered(&h)
	if old, ok := e.holds[name]; ok && (old.until.IsZero() || !h.until.IsZero() && old.until.After(h.until)) {
		return
	}
	e.holds[name] = h
	e.log.Warn("agents are held", "account", name, "until", h.until, "reason", h.reason)
	e.rehold(b, h.roles)
}

// bar keeps agents from starting that would only meet what a person has to set right: an account without money or
// login, a model that does not exist.
func (e *Engine) bar(b *batch, role string, kind provider.Kind, reason string) {
	switch kind {
	case provider.KindAuth, provider.KindQuota:
		e.holdAccount(b, accountOf(e.run.Options.Agents[role]), time.Time{}, reason)
	case provider.KindModel:
		e.holdAgents(b, "role "+role, hold{roles: []string{role}, reason: reason})
	}
}

// lift ends the holds that wait for a person: one has just asked for something to be tried again.
func (e *Engine) lift(b *batch) {
	for _, name := range e.heldNames() {
		if h := e.holds[name]; h.until.IsZero() && h.budget == nil {
			e.release(b, name)
		}
	}
}

func (e *Engine) release(b *batch, name string) {
	h := e.holds[name]
	delete(e.holds, name)
	e.rehold(b, h.roles)
}

func (e *Engine) heldNames() []string {
	names := make([]string, 0, len(e.holds))
	for name := range e.holds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// wake lets what waited until now go on. It is called every poll and costs nothing when nothing waits.
func (e *Engine) wake(b *batch) {
	if len(e.parked) == 0 && len(e.holds) == 0 {
		return
	}
	now := e.o.Now()
	for _, name := range e.heldNames() {
		if u := e.holds[name].until; !u.IsZero() && !now.Before(u) {
			if h := e.holds[name]; h.circuit && e.tryOne(b, h.account) {
				continue
			}
			e.release(b, name)
		}
	}
	if len(e.parked) == 0 || e.stopping {
		return
	}
	var due []scheduler.TaskID
	for id, until := range e.parked {
		t := e.tasks[id]
		h := e.rawHold(e.presentRole(t))
		if !now.Before(until) && (h == nil || h.budget != nil) || e.mayGoOver(t) != nil {
			due = append(due, id)
		}
	}
	slices.Sort(due)
	for _, id := range due {
		delete(e.parked, id)
		if h, held := e.holds[budgetHold]; held {
			e.wantBudget(b, e.tasks[id], h.budget)
		} else {
			if f := e.mayGoOver(e.tasks[id]); f != nil {
				e.sendOver(b, e.tasks[id], f)
			}
			e.must(b, scheduler.Due{Task: id})
		}
	}
}

// goOn starts the attempt of a task again that was parked.
func (e *Engine) goOn(b *batch, t *tracked) {
	a := t.attempt
	a.Phase, a.NotBefore = scheduler.PhaseWorking, time.Time{}
	if a.Consent.Wants != "" {
		a.Phase = a.Consent.Back
		a.Consent.Wants, a.Consent.Given, a.Consent.Reason, a.Consent.Back, a.Consent.Parts = "", false, "", "", nil
	}
	if a.Work != nil {
		a.Work.Wait = ""
	}
	b.record(*a)
	b.t.Events = append(b.t.Events, e.phaseOf(a))
	b.starts = append(b.starts, start{attempt: *a, from: a.Phase, last: t.before})
	e.settled = ""
	e.live++
}

// endParked ends a parked attempt that a person canceled; its work is saved by the goroutine that it gets for that.
func (e *Engine) endParked(b *batch, t *tracked) {
	delete(e.parked, t.task.ID)
	delete(e.awaiting, t.task.ID)
	t.attempt.Canceling = true
	b.record(*t.attempt)
	b.starts = append(b.starts, start{attempt: *t.attempt, from: scheduler.PhaseWaiting, stop: errCanceled})
	e.live++
}

// restoreWaits takes over what an earlier owner left waiting until a time. Holds that wait for a person are not
// among it: who resumes the run wants it tried again.
func (e *Engine) restoreWaits(b *batch, attempts []persistence.Attempt) {
	now := e.o.Now()
	for i := range attempts {
		e.restoreFallbacks(b, attempts[i].Work, now)
		if a := &attempts[i]; a.Work != nil && a.Work.Wait == persistence.WaitLimit && a.NotBefore.After(now) {
			e.holdAccount(b, a.Work.Account, a.NotBefore, a.Work.Reason)
		} else if a.Work != nil && a.Work.Wait == persistence.WaitCircuit && a.NotBefore.After(now) {
			e.restoreCircuit(b, a)
		}
	}
	for _, id := range e.order {
		if t := e.tasks[id]; t.task.Status == scheduler.TaskRunning && waits(t.attempt) && !t.attempt.Canceling {
			if awaits(t.attempt) {
				e.awaiting[id] = true
				continue
			}
			e.parked[id] = t.attempt.NotBefore
		}
	}
}

// heldFor says in one line what a person has to set right before the run can go on.
func (e *Engine) heldFor() string {
	if h, held := e.holds[budgetHold]; held {
		return h.reason
	}
	for _, name := range e.heldNames() {
		if h := e.holds[name]; h.until.IsZero() {
			return fmt.Sprintf("%s: %s; set that right, then resume", name, oneLine(h.reason))
		}
	}
	for _, id := range e.order {
		if t := e.tasks[id]; t.task.Status == scheduler.TaskRunning && t.attempt.Asks() == persistence.WishBudget {
			return fmt.Sprintf("%s: %s", id, oneLine(t.attempt.Consent.Reason))
		}
	}
	return ""
}
