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
	// killing) and returns the cause of ctx as error; the Result beside it holds what was known of the session and its
	// usage. Other errors mean that the turn could not be run at all, or that Turn.Sink refused an event; an agent
	// that failed is a Result.
	Turn(ctx context.Context, l Launcher, t Turn) (Result, error)
	// Finish says what a turn came to whose process ended while nobody watched, from its recorded exit and its
	// log, which it reads from Turn.Start on. Events from Turn.From on are given to Turn.Sink as they would have been;
	// those of exactly that offset may have been given before, in part: their key says so.
	// When exit.Lost, or a signal ended the process, the Kind is KindFailed or KindCrashed unless the log says that
	// the turn had come to its end.
	Finish(t Turn, exit process.Exit) (Result, error)
}

// Agent is a Provider whose turns belong to sessions that can be gone on with.
type Agent interface {
	Provider
	// NewSession gives an id for a session that does not exist yet, where the caller chooses it; "" where the agent
	// does, which then tells it by an EventSession.
	NewSession() string
	// HasSession probes whether t.Session can be gone on with, without a turn. An error means that nobody can say.
	HasSession(ctx context.Context, t Turn) (bool, error)
	// Inspect looks at the installed program without starting a turn.
	Inspect(ctx context.Context, program string, env []string) (Installed, error)
}

// Keeper is an Agent whose program keeps files of its own outside of the workspace: what a sandbox has to let it write.
type Keeper interface {
	// Keeps returns the folders, which may have to be made, and the files that the program named writes with this
	// environment. Settings are those of them that make a program run commands, wherever it is started next.
	Keeps(program string, env []string) Kept
}

// Kept is what an agent's program writes outside of its workspace. Paths are absolute.
type Kept struct {
	Folders  []string
	Files    []string
	Settings []string // in them: read and not written
}

// LateTeller is an Agent whose EventToolCall comes when the tool has ended: its silence may be a tool at work.
type LateTeller interface{ TellsLate() }

// Installed is what can be known about an agent's program.
type Installed struct {
	Path    string // absolute; empty = not found
	Version string
	Login   Login
	Fix     string // what a person should do, a command where possible; empty = nothing
}

// Login says whether an agent's program can reach its model on somebody's account.
type Login string

// What is known of a login.
const (
	LoginUnknown Login = "unknown"
	LoginFound   Login = "found" // credentials are there; whether they are good shows with the first turn
	LoginMissing Login = "missing"
)

// Permissions is what an agent may do without being asked.
type Permissions string

// The permissions of a role.
const (
	PermitRead Permissions = "read-only"
	PermitEdit Permissions = "edit" // read, write in the workspace, run commands where the agent can confine them
	PermitFull Permissions = "full" // whatever it wants; only where a role says so in words
)

// Turn is what is asked of a provider.
type Turn struct {
	ID          string        // unique in the run; the key of its exit record
	Dir         string        // working folder
	Env         []string      // the whole environment
	Command     string        // provider command: the shell command
	Prompt      string        // empty for a plain command
	PromptFile  string        // the prompt as a file; empty for a plain command
	Log         string        // output is appended to this file
	Out         string        // of a plain command: file that gets its standard output alone; empty = it goes to Log
	Grace       time.Duration // between asking to end and killing
	OutputLimit int64         // bytes of Log after which the turn is stopped; 0 = none

	// The rest is for agents.

	Program      string      // the agent's program; empty = the driver's default name, looked for in PATH of Env
	Args         []string    // added to the driver's own, from configuration
	Model        string      // empty = the agent's default
	Permissions  Permissions // empty = PermitEdit
	Instructions string      // added to the agent's system prompt
	Servers      []Server    // MCP servers to offer
	State        string      // folder of this task for files that the driver must write; made by the caller, 0700

	Session string // id to begin with or to go on with; empty = the agent chooses
	Resume  bool   // Session exists: go on with it
	Before  Usage  // what the session's last turn left in Result.Counters, for agents that count cumulatively
	Start   int64  // for Finish: offset in Log at which this turn's output begins, its size when Turn was called
	// Wrap confines a program that a driver starts by itself, to look for a session: it gives its command line and its
	// environment in the sandbox. nil = there is none.
	Wrap func(argv []string, dir string, env []string) (confined, with []string, err error)

	From int64 // Offset of the last event of this turn that is durable; 0 = none
	Sink Sink  // nil = nobody listens
}

// Server is an MCP server that the agent's program starts and speaks to on standard input and output.
type Server struct {
	Name    string
	Command string // absolute
	Args    []string
	Env     map[string]string
}

// Sink takes the events of a turn, in order, from one goroutine. It returns when a session's id is durable; other
// events are soon after, and until then are read again from the log if the owner dies. Its error ends the turn.
type Sink func(Event) error

// Event is something that an agent did or said while its turn ran.
type Event struct {
	Kind    EventKind
	Offset  int64  // in Turn.Log, just behind what it was read from: where to go on reading after a crash
	Index   int    // among the events of one Offset: with it, the key of the event
	Session string // EventSession: the id
	Text    string // what was said, a tool's output, a notice; valid UTF-8
	Tool    string // EventToolCall, EventToolResult: its name
	Call    string // EventToolCall, EventToolResult: the id that joins the two
	Input   string // EventToolCall: its arguments as JSON
	Failed  bool   // EventToolResult: it did not work, or was not allowed
	Paths   []string
	Usage   Usage     // EventUsage: of this turn so far
	RetryAt time.Time // EventRetry: when the agent itself tries again; zero = unknown
}

// EventKind says what an Event is about.
type EventKind string

// The kinds of events.
const (
	EventSession    EventKind = "session"     // the session's id is known
	EventText       EventKind = "text"        // the agent said something to the person
	EventThought    EventKind = "thought"     // it said something to itself
	EventToolCall   EventKind = "tool_call"   // a tool begins
	EventToolResult EventKind = "tool_result" // a tool ended
	EventEdit       EventKind = "edit"        // files in Paths were changed
	EventUsage      EventKind = "usage"
	EventRetry      EventKind = "retry"  // the agent waits for its model and tries again by itself
	EventNotice     EventKind = "notice" // anything else that a person may want to know
)

// Usage counts tokens and money. Cost is in US dollars and meaningful if Priced.
type Usage struct {
	Input      int64 // tokens sent, those from the cache included
	Cached     int64 // of Input: read from the cache
	CacheWrite int64 // of Input: written to the cache
	Output     int64 // tokens received, reasoning included
	Reasoning  int64 // of Output
	Cost       float64
	Priced     bool   // the agent reported Cost; else nobody did
	Model      string // as the agent names it
}

// Kind classifies how a turn ended. The zero value is success.
type Kind string

// The kinds of failure.
const (
	KindFailed    Kind = "failed"    // it ended and said no: a non-zero exit, an error that fits nothing below
	KindCrashed   Kind = "crashed"   // ended by a signal that we did not send, or without saying how its turn went
	KindInvalid   Kind = "invalid"   // it cannot be started as asked; trying again will not help
	KindOutput    Kind = "output"    // it wrote more than the output limit
	KindTransient Kind = "transient" // network, overload, 5xx: later it may work
	KindLimit     Kind = "limit"     // a usage or rate limit; Result.RetryAt says until when, if anybody does
	KindQuota     Kind = "quota"     // the account has no money left: only a person can help
	KindAuth      Kind = "auth"      // not logged in, or the key is wrong
	KindModel     Kind = "model"     // no such model for this account
	KindContext   Kind = "context"   // the conversation has become too long for the model
	KindSession   Kind = "session"   // the session to go on with does not exist
	KindRefused   Kind = "refused"   // it ended well, but what it needed was not permitted: see Result.Denied
	KindTurns     Kind = "turns"     // it stopped at its own limit of steps
)

// Result is how a turn ended.
type Result struct {
	Kind     Kind
	Error    string // for people; empty on success
	ExitCode *int
	Summary  string // the agent's last words
	Output   string // the end of its output; valid UTF-8

	Session  string    // the session's id, if there is one
	Usage    Usage     // of this turn alone
	Counters Usage     // as the agent counts; to be given to the session's next turn as Before
	RetryAt  time.Time // KindLimit, KindTransient: not before; zero = unknown
	Denied   []string  // tools that were not permitted
	End      int64     // offset in Log behind the turn's output
}
