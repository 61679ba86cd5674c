package workspace

import (
	"errors"
	"fmt"
	"strings"
)

// Questions that callers ask with errors.Is.
var (
	ErrGitMissing    = errors.New("git not found")
	ErrGitTooOld     = errors.New("git too old")
	ErrNotRepository = errors.New("not a git repository")
	ErrUnsafe        = errors.New("repository belongs to somebody else")
	ErrBare          = errors.New("bare repository")
	ErrNoCommits     = errors.New("repository has no commits")
	ErrUnknown       = errors.New("unknown revision")
	ErrExists        = errors.New("already exists")
	ErrNotBegun      = errors.New("run has no integration ref")
	ErrMoved         = errors.New("ref moved")
	ErrCheckedOut    = errors.New("branch is checked out")
	ErrDiverged      = errors.New("branch went its own way")
	ErrOutside       = errors.New("folder is not one of ours")
	ErrNoWorkspace   = errors.New("workspace is gone")
	ErrUnsaved       = errors.New("workspace holds work that is not saved")
	ErrUnreadable    = errors.New("file cannot be read")
	ErrSeed          = errors.New("seed not usable")
	ErrDirty         = errors.New("uncommitted changes are in the way")
	ErrNoLanding     = errors.New("no merge is under way")
	ErrLanding       = errors.New("a merge is already under way")
	ErrMarkers       = errors.New("conflict markers remain")
	ErrInvalid       = errors.New("invalid name")
	ErrProvide       = errors.New("a file for the workspace cannot be had")
	ErrFilter        = errors.New("a required git filter failed")
)

// Error says what could not be done, of what kind the trouble is, and what a person can do about it.
type Error struct {
	Op   string // what was tried, e.g. "open the repository"
	Kind error  // one of the sentinels above, or nil
	Err  error  // the cause; may be nil
	Hint string // what to do; may be empty
}

// Error joins the verb, the kind and the cause.
func (e *Error) Error() string {
	parts := []string{e.Op}
	if e.Kind != nil {
		parts = append(parts, e.Kind.Error())
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap lets errors.Is and errors.As see both the kind and the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// Hint is what a person can do about an error: the outermost one that is said in its chain; empty = none.
func Hint(err error) string {
	if e, ok := err.(*Error); ok && e.Hint != "" { //nolint:errorlint // every link is looked at in turn
		return e.Hint
	}
	switch e := err.(type) { //nolint:errorlint // the same
	case interface{ Unwrap() error }:
		return Hint(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if h := Hint(inner); h != "" {
				return h
			}
		}
	}
	return ""
}

// ConflictError says that two pieces of work cannot be put together without a person.
type ConflictError struct {
	Paths   []string         // files concerned, sorted
	Details []ConflictDetail // what is the matter, in git's order
	Tree    string           // the merge as far as it went, with markers in the files; empty = none

	stages []string // what an index would hold: "mode id stage TAB path"
}

// ConflictDetail is one thing that is the matter.
type ConflictDetail struct {
	Kind    string // git's stable word: CONFLICT (contents), CONFLICT (modify/delete), …, or CONFLICT (case)
	Paths   []string
	Message string // git's sentence for people
}

// Error names the first files.
func (e *ConflictError) Error() string {
	const shown = 3
	if len(e.Paths) <= shown {
		return "merge conflict in " + strings.Join(e.Paths, ", ")
	}
	return fmt.Sprintf("merge conflict in %s and %d more", strings.Join(e.Paths[:shown], ", "), len(e.Paths)-shown)
}

// CommandError is a git command that ended badly.
type CommandError struct {
	Args   []string // without the program
	Code   int      // exit code; -1 = it was killed or never started
	Stderr string   // what it said, cut to its last part
	Err    error    // the cause: of the start, the wait or the context
}

// Error gives the command's name and the last thing it said.
func (e *CommandError) Error() string {
	name := ""
	if len(e.Args) > 0 {
		name = " " + e.Args[0]
	}
	said := strings.TrimSpace(e.Stderr)
	if said == "" {
		return fmt.Sprintf("git%s: %v", name, e.Err)
	}
	if i := strings.LastIndexByte(said, '\n'); i >= 0 && len(said) > 400 {
		said = said[i+1:]
	}
	return fmt.Sprintf("git%s: %v: %s", name, e.Err, said)
}

// Unwrap is the cause.
func (e *CommandError) Unwrap() error { return e.Err }

// exitCode is the exit code of the git command that err is about; -1 = it is about none.
func exitCode(err error) int {
	if c := (*CommandError)(nil); errors.As(err, &c) {
		return c.Code
	}
	return -1
}
