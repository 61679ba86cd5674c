package persistence

import "time"

// OrchestratorRole is the role that is asked before the person where the options say so.
const OrchestratorRole = "orchestrator"

// ByPerson is who answered a question that no agent did.
const ByPerson = "person"

// Referral is how far an agent has come that is asked before the person: enough to go on with it after the process that
// watched it died at any instant, and what it used.
type Referral struct {
	Role     string      `json:"role"` // who is asked
	Provider string      `json:"provider,omitempty"`
	Session  string      `json:"session,omitempty"`
	Turn     int         `json:"turn,omitempty"` // 1, 2, 3 …; 0 = none yet
	Open     bool        `json:"open,omitempty"` // it is not known to have ended
	Resume   bool        `json:"resume,omitempty"`
	Said     string      `json:"said,omitempty"` // path of the file with what it was told
	Log      string      `json:"log,omitempty"`
	From     int64       `json:"from,omitempty"` // offset in the log at which its output begins
	Before   Usage       `json:"before,omitzero"`
	Counters Usage       `json:"counters,omitzero"` // what the session counts now
	Cut      int         `json:"cut,omitempty"`     // turns cut off
	Nudges   int         `json:"nudges,omitempty"`  // times that it was asked for its decision again
	Used     []TurnUsage `json:"used,omitempty"`    // by turn
	Remark   string      `json:"remark,omitempty"`  // why it does not answer, for the person
	Passed   time.Time   `json:"passed,omitzero"`   // since when the person is asked; zero = not yet
}

// Referred says whether an agent is asked, and the person not yet.
func (q *Question) Referred() bool {
	return q.Referral != nil && q.Referral.Passed.IsZero() && q.AnsweredAt.IsZero()
}

// AllUsed is what the turns of an attempt used, and those of agents that were asked its questions.
func (w *Work) AllUsed() []TurnUsage {
	all := w.Used[:len(w.Used):len(w.Used)]
	for _, q := range w.Questions {
		if q.Referral != nil {
			all = append(all, q.Referral.Used...)
		}
	}
	return all
}

// usedBy replaces what was said of a turn's usage before. The list is a new one: a copy may be on its way to the store.
func usedBy(list []TurnUsage, t TurnUsage) []TurnUsage {
	next := make([]TurnUsage, 0, len(list)+1)
	done := false
	for _, u := range list {
		if u.Turn == t.Turn {
			u, done = t, true
		}
		next = append(next, u)
	}
	if !done {
		next = append(next, t)
	}
	return next
}

// Use sets what a turn used, replacing what was said of it before.
func (r *Referral) Use(t TurnUsage) { r.Used = usedBy(r.Used, t) }
