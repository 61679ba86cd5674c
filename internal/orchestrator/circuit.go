package orchestrator

import (
	"fmt"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// When the circuit of an account opens, and for how long at first.
const (
	circuitAfter  = 3 // failures in a row, whosever they are
	circuitFirst  = 10 * time.Second
	circuitPrefix = "circuit of " // and the account: the name of its hold
	probing       = 24 * time.Hour
)

// circuit counts what goes wrong with an account that may work later. Once it is open nothing of the account is started
// until a time; then one of the attempts that wait tries, and the others go on only when that has worked.
type circuit struct {
	failures int              // in a row
	opened   int              // times in a row that it was opened
	probe    scheduler.TaskID // whose attempt tries; empty = none does
}

// worked says that a turn of an account came to its end.
type worked struct{ account string }

func (worked) isInput() {}

// failsAgain counts a failure of an attempt that is about to be parked, and opens the circuit of its account.
func (e *Engine) failsAgain(b *batch, t *tracked) {
	a := t.attempt
	account, now := a.Work.Account, e.o.Now()
	name := circuitPrefix + account
	c := e.circuits[account]
	if c == nil {
		c = &circuit{}
		e.circuits[account] = c
	}
	c.failures++
	if c.failures < circuitAfter {
		return
	}
	a.Work.Wait = persistence.WaitCircuit
	if h, open := e.holds[name]; open && c.probe == "" && h.until.After(now) { // it was at work when the circuit opened
		if a.NotBefore.Before(h.until) {
			a.NotBefore = h.until
		}
		return
	}
	c.opened, c.probe = c.opened+1, ""
	bound := circuitFirst
	for range c.opened - 1 {
		bound = min(2*bound, backOffLongest)
	}
	until := now.Add(bound/2 + time.Duration(e.o.Random()*float64(bound/2)))
	if a.NotBefore.Before(until) {
		a.NotBefore = until
	}
	delete(e.holds, name) // the one of the attempt that tried
	e.holdAgents(b, name, hold{
		until: a.NotBefore, account: account, circuit: true,
		reason: fmt.Sprintf("%s failed %d times in a row: %s", account, c.failures, oneLine(a.Work.Reason)),
	})
}

// tryOne lets one attempt of an account try whose circuit was open until now; false = there is none that could.
func (e *Engine) tryOne(b *batch, account string) bool {
	name, now := circuitPrefix+account, e.o.Now()
	c := e.circuits[account]
	if c == nil {
		return false
	}
	if e.stopping {
		return true
	}
	for _, id := range e.order {
		t := e.tasks[id]
		until, waits := e.parked[id]
		if !waits || now.Before(until) || t.attempt.Work == nil || t.attempt.Work.Account != account || e.heldBeside(name, e.presentRole(t)) {
			continue
		}
		c.probe = id
		h := e.holds[name]
		h.until = now.Add(probing) // what becomes of the try ends it
		e.holds[name] = h
		delete(e.parked, id)
		e.must(b, scheduler.Due{Task: id})
		return true
	}
	delete(e.circuits, account)
	return false
}

// heldBeside says whether a role is held by anything else than a hold.
func (e *Engine) heldBeside(name, role string) bool {
	for other, h := range e.holds {
		if other != name && h.covers(role) {
			return true
		}
	}
	return false
}

// probeOver has another attempt try when the one that did has come to an end that says nothing of the account.
func (e *Engine) probeOver(task scheduler.TaskID) {
	for account, c := range e.circuits {
		if c.probe != task {
			continue
		}
		c.probe = ""
		if h, held := e.holds[circuitPrefix+account]; held {
			h.until = e.o.Now()
			e.holds[circuitPrefix+account] = h
		}
	}
}

// closeCircuit lets the agents of an account start again: it works.
func (e *Engine) closeCircuit(b *batch, account string) {
	if e.circuits[account] == nil {
		return
	}
	delete(e.circuits, account)
	if name := circuitPrefix + account; e.holds[name].circuit {
		e.release(b, name)
	}
}

// restoreCircuit takes over what an earlier owner left open.
func (e *Engine) restoreCircuit(b *batch, a *persistence.Attempt) {
	e.openCircuit(b, a.Work.Account, a.NotBefore, a.Work.Reason)
}

// openCircuit holds an account that an earlier owner saw fail.
func (e *Engine) openCircuit(b *batch, account string, until time.Time, reason string) {
	e.circuits[account] = &circuit{failures: circuitAfter, opened: 1}
	e.holdAgents(b, circuitPrefix+account, hold{until: until, account: account, circuit: true, reason: reason})
}
