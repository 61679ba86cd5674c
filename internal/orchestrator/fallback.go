package orchestrator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// passing says whether a hold ends by itself: that of an account at its limit, or one that fails again and again.
func (h *hold) passing() bool { return h.account != "" && !h.until.IsZero() && h.budget == nil }

// rawHold is the longest of the holds that a role itself is under; nil = none.
func (e *Engine) rawHold(role string) *hold {
	var longest *hold
	for _, name := range e.heldNames() {
		h := e.holds[name]
		if !h.covers(role) {
			continue
		}
		if longest == nil || h.until.IsZero() || !longest.until.IsZero() && h.until.After(longest.until) {
			longest = &h
		}
	}
	return longest
}

// holdOf is what keeps the work of a role from starting; nil = nothing does, or its fallback can do it. Where both are held,
// it is the hold that ends first.
func (e *Engine) holdOf(role string) *hold {
	own := e.rawHold(role)
	if own == nil || !own.passing() {
		return own
	}
	agents := e.run.Options.Agents
	if _, there := agents[agents[role].Fallback]; !there {
		return own
	}
	other := e.rawHold(agents[role].Fallback)
	if other != nil && (!other.passing() || own.until.Before(other.until)) {
		return own
	}
	return other
}

// standIn is who does the work of a role whose account is held; nil = the role itself does, or has to wait.
func (e *Engine) standIn(role string) *persistence.Fallback {
	own := e.rawHold(role)
	if own == nil || !own.passing() {
		return nil
	}
	agents := e.run.Options.Agents
	to := agents[role].Fallback
	if _, there := agents[to]; !there || e.rawHold(to) != nil {
		return nil
	}
	return &persistence.Fallback{Role: to, For: role, Account: own.account, Until: own.until, Reason: own.reason, Circuit: own.circuit}
}

// mayGoOver is who goes on with the present step of a parked attempt; nil = it has gone over before, or nobody can.
func (e *Engine) mayGoOver(t *tracked) *persistence.Fallback {
	a := t.attempt
	if e.stopping || a.Canceling || a.Work == nil || a.Work.Fallback != nil {
		return nil
	}
	return e.standIn(e.presentRole(t))
}

// goOver has work go on with a fallback, in a session that is told what the one before did. The choice is part of the work:
// it stays there, whoever owns the run next.
func goOver(w *persistence.Work, f *persistence.Fallback, agent persistence.Agent) *persistence.Work {
	next := w.Clone()
	own := *f
	own.Took = w.Session != "" || w.Turn > w.Since
	next.Fallback, next.Provider, next.Account = &own, agent.Provider, accountOf(agent)
	next.Session, next.Counters, next.Open, next.Waits = "", persistence.Usage{}, false, 0
	return next
}

// sendOver has a task's attempt go on with a fallback, and says so.
func (e *Engine) sendOver(b *batch, t *tracked, f *persistence.Fallback) {
	a := t.attempt
	a.Work, a.NotBefore = goOver(a.Work, f, e.run.Options.Agents[f.Role]), time.Time{}
	b.record(*a)
	b.t.Events = append(b.t.Events, e.sayFallback(a))
}

// sayFallback is the event of an attempt that goes on with its fallback.
func (e *Engine) sayFallback(a *persistence.Attempt) event.Event {
	return e.event(event.Notice, a.Task, a.Number, event.Detail{Message: a.Work.Fallback.String(), Agent: a.Work.Fallback.Role})
}

// rehold tells the scheduler which roles are held, of some whose holds have changed and of those that fall back on them.
func (e *Engine) rehold(b *batch, roles []string) {
	all := slices.Clone(roles)
	for role, a := range e.run.Options.Agents {
		if slices.Contains(roles, a.Fallback) && !slices.Contains(all, role) {
			all = append(all, role)
		}
	}
	slices.Sort(all)
	for _, role := range all {
		if h := e.holdOf(role); h == nil {
			e.must(b, scheduler.Release{Agent: role})
		} else {
			e.must(b, scheduler.Hold{Agent: role, Person: h.until.IsZero()})
		}
	}
}

// restoreFallbacks takes over the holds for which work of an earlier owner went over.
func (e *Engine) restoreFallbacks(b *batch, w *persistence.Work, now time.Time) {
	for _, f := range w.Fallbacks() {
		switch {
		case !f.Until.After(now):
		case f.Circuit:
			e.openCircuit(b, f.Account, f.Until, f.Reason)
		default:
			e.holdAccount(b, f.Account, f.Until, f.Reason)
		}
	}
}

// overText is what the session of a fallback is told first.
func (t *talk) overText() (string, error) {
	f := t.w.Fallback
	text, err := t.handOverText(fmt.Sprintf("its agent (%s) cannot go on: %s", f.For, oneLine(f.Reason)))
	if err != nil || t.at.step().Review {
		return text, err
	}
	again, err := t.reopening()
	return strings.TrimRight(text, "\n") + "\n\n" + again, err
}
