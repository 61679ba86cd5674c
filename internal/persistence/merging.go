package persistence

import "orchestrator/internal/scheduler"

// Merging is how work is merged into a run's integration branch. The zero value checks nothing.
type Merging struct {
	// Verify: what a merge would make is checked before it counts. Commands are the gates then; without any they are
	// those of the task and of the tasks that were merged since its base.
	Verify   bool     `json:"verify,omitempty"`
	Commands []string `json:"commands,omitempty"`
	// What becomes of work that conflicts when no attempt is left: stop (or empty): it waits for a person. agent: the role
	// ResolverRole resolves it. ask: that too, but its result waits for a person.
	OnConflict string `json:"on_conflict,omitempty"`
}

// ResolverRole is the role that resolves conflicts.
const ResolverRole = "resolver"

// Resolution is the conflict that an attempt of the resolver's is about.
type Resolution struct {
	Attempt int                `json:"attempt"` // whose work conflicts
	Tip     string             `json:"tip"`     // that work
	Base    string             `json:"base"`    // and its base
	Paths   []string           `json:"paths,omitempty"`
	With    []scheduler.TaskID `json:"with,omitempty"`   // the tasks on the other side
	Done    bool               `json:"done,omitempty"`   // it is resolved and checked, and waits for a person's yes
	Agreed  bool               `json:"agreed,omitempty"` // a person said yes
}

// Breakage is a gate that fails on the merged work since an attempt's work is in it.
type Breakage struct {
	Found  scheduler.TaskID `json:"found"` // the task whose merge brought it to light
	Error  string           `json:"error"`
	Output string           `json:"output,omitempty"`
}
