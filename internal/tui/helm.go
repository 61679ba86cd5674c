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
	// Verbs are the commands that make sense for the run, with a task filled in; it is empty when none is chosen.
	Verbs(task string) []Verb
	// Perform does what a command line says, and returns what that printed, errors with their hints included. failed says
	// that it did not do what it was told.
	Perform(ctx context.Context, line string) (said string, failed bool)
	// TakesTerminal says whether a command line needs the terminal for itself, such as for an editor. TakeTerminal performs
	// it there.
	TakesTerminal(line string) bool
	TakeTerminal(ctx context.Context, line string) error
	// Open opens the workspace of a task in the person's editor, which has the terminal for itself.
	Open(ctx context.Context, task string) error
	// Commands are the last commands that the run has started, the newest last.
	Commands(ctx context.Context) ([]Command, error)
	// Settings are those that hold for the run's repository.
	Settings(ctx context.Context) (Settings, error)
	// Save writes settings to the file of a place, all of them or none. refused says by key what is wrong with a value; then
	// nothing was written, and the error may be nil.
	Save(ctx context.Context, place int, changes []Change) (refused map[string]string, err error)
	// Agents looks who is there to do the roles. It may take seconds.
	Agents(ctx context.Context) ([]Agent, error)
}

// Verb is a command of the palette.
type Verb struct {
	Line  string // without the program: "retry 7f3c docs"
	Wants string // what the person has to add to it; empty = nothing
	About string // what it does
}

// Command is a command that the run has started, in words.
type Command struct {
	At, Task, Line string
	End            string // "start", "exit 0"
	Took           string
	Failed         bool
}

// Settings are the settings with their origins, and the files that can be written.
type Settings struct {
	List   []Setting
	Places []string // what each file is and where: "your settings, ~/.config/orc/config.yaml"
}

// Setting is a setting and where its value comes from.
type Setting struct {
	Key, Value, From string
	About            string // what it does; empty = not known
	Hides            string // values that it hides, and where they come from
	Fixed            bool   // it cannot be set here
}

// Change is a new value of a setting.
type Change struct{ Key, Value string }

// Agent is a role and who does it.
type Agent struct {
	Role, Who, State string
	Ready            bool
}

// Page is a page about a task.
type Page int

// The pages, in their order.
const (
	Prompt Page = iota // what it was asked to do
	Talk               // what was said and done
	Log                // what it printed
	Diff               // what it changed
	Checks             // its gates and what they said
	Info               // what it is, its attempts
	pages
)

var pageNames = [pages]string{Prompt: "Prompt", Talk: "Conversation", Log: "Log", Diff: "Diff", Checks: "Checks", Info: "Info"}

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
	Pause   DeedKind = "pause" // of the run: nothing new is started
	GoOn    DeedKind = "go on" // of the run: tasks are started again
)

// Lane is a line of the picture of the run's graph.
type Lane struct {
	Picture string // with Marker where the task's sign belongs
	Task    string // empty = the line is only a part of the picture
}

// Marker stands for a task in Lane.Picture.
const Marker = '○'
