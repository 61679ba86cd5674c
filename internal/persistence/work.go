package persistence

import (
	"maps"
	"time"
)

// Work is how far an agent has come with an attempt: enough to go on with it after the process that watched it died
// at any instant, and what it used. Stored as one JSON object with the attempt.
type Work struct {
	Provider string `json:"provider"`
	Account  string `json:"account"` // whose limits it shares
	Session  string `json:"session,omitempty"`
	Fresh    int    `json:"fresh,omitempty"` // sessions that had to be begun anew because the one before could not go on

	// The present turn, or the last one.

	Turn   int    `json:"turn,omitempty"` // 1, 2, 3 … in this attempt; 0 = none yet
	Open   bool   `json:"open,omitempty"` // it is not known to have ended
	Resume bool   `json:"resume,omitempty"`
	Said   string `json:"said,omitempty"` // path of the file with what it was told
	From   int64  `json:"from,omitempty"` // offset in the log at which its output begins
	Offset int64  `json:"offset,omitempty"`
	Index  int    `json:"index,omitempty"`  // with Offset: the last of its events that is in the conversation
	Events int    `json:"events,omitempty"` // of it that are
	Before Usage  `json:"before,omitzero"`  // what the session had counted when it began

	// What it takes to go on.

	Counters Usage         `json:"counters,omitzero"`  // what the session counts now
	Reason   string        `json:"reason,omitempty"`   // why it did not go on, told to the agent when it does
	Stopped  bool          `json:"stopped,omitempty"`  // a person stopped it: no interruption that counts
	Cut      int           `json:"cut,omitempty"`      // turns cut off since one ended by itself
	Waits    int           `json:"waits,omitempty"`    // waits since a turn ended well
	Nudges   int           `json:"nudges,omitempty"`   // times that it was asked to go on
	Stalls   int           `json:"stalls,omitempty"`   // turns interrupted because nothing came of them
	Worked   time.Duration `json:"worked,omitempty"`   // time that ended turns took
	Wait     Wait          `json:"wait,omitempty"`     // what a waiting attempt waits for
	Words    string        `json:"words,omitempty"`    // its last ones: the summary
	Used     []TurnUsage   `json:"used,omitempty"`     // by turn
	Declared *Declaration  `json:"declared,omitempty"` // the last one
	Doing    string        `json:"doing,omitempty"`    // what it said last that it does, by report_progress
	Sandbox  string        `json:"sandbox,omitempty"`  // what confined its last turn; empty = nothing

	Tools     int        `json:"tools,omitempty"`     // the last turn in which its program reached our tools
	Questions []Question `json:"questions,omitempty"` // that it asked the person, in order

	// Where it is in the task's workflow. Each step has an agent, and so a session, of its own.

	Step     int           `json:"step,omitempty"`     // 0 = the task's own work
	Role     string        `json:"role,omitempty"`     // who does the step; empty = the task's own agent
	Judges   bool          `json:"judges,omitempty"`   // the step is a review
	Since    int           `json:"since,omitempty"`    // Turn when this step was entered
	Tree     string        `json:"tree,omitempty"`     // git's id of what a reviewer looks at
	Round    int           `json:"round,omitempty"`    // of a review: how often it has judged in this attempt
	Ruling   Ruling        `json:"ruling,omitempty"`   // a person's word on a review that came to no end
	Approves bool          `json:"approves,omitempty"` // its last verdict
	Review   *Review       `json:"review,omitempty"`   // the last one that judged
	Aside    map[int]*Work `json:"aside,omitempty"`    // the other steps that were entered, as they were left
	Fallback *Fallback     `json:"fallback,omitempty"` // who does the step instead of its own agent; nil = that does
}

// Ruling is a person's word on work that its reviewer rejects.
type Ruling string

// The rulings.
const (
	RulingAccept Ruling = "accept" // the work counts as approved
	RulingBack   Ruling = "back"   // it goes back, and the rounds begin anew
)

// Review is what a review came to.
type Review struct {
	Step     int    `json:"step"`
	Approved bool   `json:"approved,omitempty"`
	Findings string `json:"findings,omitempty"`
	Tree     string `json:"tree,omitempty"` // git's id of what it looked at
}

// Enter is the work at another step of the attempt: as that was left, or new. What belongs to the attempt as a whole
// goes along: turns are counted through, and what they used, asked and were answered stays together.
func (w *Work) Enter(step int, fresh Work) *Work {
	left := *w
	left.Used, left.Questions, left.Declared, left.Review, left.Aside = nil, nil, nil, nil, nil
	aside := maps.Clone(w.Aside)
	if aside == nil {
		aside = map[int]*Work{}
	}
	aside[w.Step] = &left
	next := &fresh
	if old, entered := aside[step]; entered {
		again := *old
		next = &again
		delete(aside, step)
	}
	next.Step, next.Since, next.Turn, next.Open = step, w.Turn, w.Turn, false
	next.Reason, next.Stopped, next.Wait, next.Doing, next.Events = "", false, "", "", 0
	next.Review, next.Aside, next.Worked = w.Review, aside, w.Worked
	next.Used, next.Questions, next.Declared, next.Tools = w.Used, w.Questions, w.Declared, w.Tools
	return next
}

// At is the work at a step, as it is or was left; nil = it was not entered.
func (w *Work) At(step int) *Work {
	if w.Step == step {
		return w
	}
	return w.Aside[step]
}

// Wait is what an attempt waits for that does not wait for a person.
type Wait string

// The waits.
const (
	WaitBackOff Wait = "back-off" // something failed that may work later
	WaitLimit   Wait = "limit"    // the account's usage limit
	WaitCircuit Wait = "circuit"  // the account fails again and again
)

// Declaration is an agent's word that its task is done.
type Declaration struct {
	Turn    int    `json:"turn"`
	Summary string `json:"summary"`
}

// Question is what an agent asked.
type Question struct {
	ID         int64     `json:"id"` // of the request that brought it
	Turn       int       `json:"turn"`
	Text       string    `json:"text"`
	Options    []string  `json:"options,omitempty"`
	AskedAt    time.Time `json:"asked_at"`
	Answer     string    `json:"answer,omitempty"`
	AnsweredAt time.Time `json:"answered_at,omitzero"` // zero = not yet
	Refused    bool      `json:"refused,omitempty"`    // the attempt fails because of it
	By         string    `json:"by,omitempty"`         // who answered: person, or the role of an agent; empty = nobody did
	Referral   *Referral `json:"referral,omitempty"`   // an agent is asked before the person; nil = none is
}

// Asking returns the questions that wait for an answer: those of the present turn. A turn that was cut off and not
// gone on with yet is the present one still.
func (w *Work) Asking() []Question {
	var open []Question
	for _, q := range w.Questions {
		if q.AnsweredAt.IsZero() && w.Open && q.Turn == w.Turn {
			open = append(open, q)
		}
	}
	return open
}

// Usage counts tokens and money. Cost is in US dollars.
type Usage struct {
	Input      int64   `json:"input,omitempty"`       // tokens sent, those from the cache included
	Cached     int64   `json:"cached,omitempty"`      // of Input: read from the cache
	CacheWrite int64   `json:"cache_write,omitempty"` // of Input: written to the cache
	Output     int64   `json:"output,omitempty"`      // tokens received, reasoning included
	Reasoning  int64   `json:"reasoning,omitempty"`   // of Output
	Cost       float64 `json:"cost,omitempty"`
	Priced     bool    `json:"priced,omitempty"` // the agent reported Cost; else nobody did
}

// TurnUsage is what one turn of an attempt used.
type TurnUsage struct {
	Turn     int    `json:"turn"`
	Role     string `json:"role,omitempty"` // whose turn it was; empty = the task's own agent
	Model    string `json:"model,omitempty"`
	Complete bool   `json:"complete,omitempty"` // the turn ended and the agent said what it used; else it may be more
	Usage
}

// Add returns the sum. It is priced if both are.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		Input: u.Input + v.Input, Cached: u.Cached + v.Cached, CacheWrite: u.CacheWrite + v.CacheWrite,
		Output: u.Output + v.Output, Reasoning: u.Reasoning + v.Reasoning, Cost: u.Cost + v.Cost, Priced: u.Priced && v.Priced,
	}
}

// IsZero says whether nothing was used.
func (u Usage) IsZero() bool {
	u.Priced = false
	return u == Usage{}
}

// Use sets what a turn used, replacing what was said of it before.
func (w *Work) Use(t TurnUsage) {
	w.Used = usedBy(w.Used, t)
}

// Clone is a copy that shares nothing that changes.
func (w *Work) Clone() *Work {
	if w == nil {
		return nil
	}
	c := *w
	return &c
}
