// Package provider is the port through which the engine has a task worked on: one turn of a session with an agent
// CLI, or of a plain command. Drivers live in the folders below, never import one another, classify what went
// wrong, and never retry: only the engine does.
package provider

import (
	"context"
	"time"

	"orchestrator/internal/process"
)

// Launcher starts child processes; process.Supervisor is one.
type Launcher interface {
	Launch(ctx context.Context, s process.Spec) (*process.Child, error)
}

// Provider drives one kind of agent. Methods are safe for concurrent use.
type Provider interface {
	// Name is the word that plans and configuration use.
	Name() string
	// Turn runs one turn to its end. When ctx ends it stops the whole process tree (Turn.Grace between asking and
	// killing) and returns the cause of ctx as error. Other errors mean that the turn could not be run at all;
	// an agent that failed is a Result.
	Turn(ctx context.Context, l Launcher, t Turn) (Result, error)
	// Finish says what a turn came to whose process ended while nobody watched, from its recorded exit and its
	// log.
	Finish(t Turn, exit process.Exit) (Result, error)
}

// Turn is what is asked of a provider.
type Turn struct {
	ID          string        // unique in the run; the key of its exit record
	Dir         string        // working folder
	Env         []string      // the whole environment
	Command     string        // provider command: the shell command
	Prompt      string        // empty for a plain command
	PromptFile  string        // the prompt as a file; empty for a plain command
	Log         string        // output is appended to this file
	Grace       time.Duration // between asking to end and killing
	OutputLimit int64         // bytes of Log after which the turn is stopped; 0 = none
}

// Kind classifies how a turn ended. The zero value is success.
type Kind string

// The kinds of failure.
const (
	KindFailed  Kind = "failed"  // it ended and said no: a non-zero exit
	KindCrashed Kind = "crashed" // ended by a signal that we did not send
	KindInvalid Kind = "invalid" // it cannot be started as asked; trying again will not help
	KindOutput  Kind = "output"  // it wrote more than the output limit
)

// Result is how a turn ended.
type Result struct {
	Kind     Kind
	Error    string // for people; empty on success
	ExitCode *int
	Summary  string // the agent's last words
	Output   string // the end of its output; valid UTF-8
}
