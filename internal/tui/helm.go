package tui

import "context"

// Helm is what the panes ask of a run beside its events, and what a person can do there. Its methods are called on
// goroutines of their own.
type Helm interface {
	// Page is the text of a page about a task.
	Page(ctx context.Context, task string, p Page) (string, error)
	// Asks are what a task wants to know of the person now.
	Asks(ctx context.Context, task string) ([]Ask, error)
	// Do does what the person wants, and says in a few words what became of it.
	Do(ctx context.Context, d Deed) (string, error)
}

// Page is a page about a task.
type Page int

// The pages, in their order.
const (
	Talk Page = iota // what was said and done
	Log              // what it printed
	Diff             // what it changed
	Info             // what it is, its attempts and checks
	pages
)

var pageNames = [pages]string{Talk: "Conversation", Log: "Log", Diff: "Diff", Info: "Info"}

// Ask is something that a task wants to know of the person.
type Ask struct {
	ID      int64
	Text    string
	Options []string // empty = any words
	// Yes says that it is a yes or a no, the no with a reason.
	Yes bool
}

// Deed is something that a person does to a task.
type Deed struct {
	Kind DeedKind
	Task string
	Ask  int64  // of an answer
	Text string // the answer, the note, or why not
}

// DeedKind says what is done.
type DeedKind string

// The deeds.
const (
	Answer  DeedKind = "answer"
	Approve DeedKind = "approve"
	Reject  DeedKind = "reject"
	Retry   DeedKind = "retry"
	Cancel  DeedKind = "cancel"
)

// Lane is a line of the picture of the run's graph.
type Lane struct {
	Picture string // with Marker where the task's sign belongs
	Task    string // empty = the line is only a part of the picture
}

// Marker stands for a task in Lane.Picture.
const Marker = '○'
