package persistence

import "errors"

// Questions that callers ask with errors.Is.
var (
	ErrNotFound  = errors.New("not found")
	ErrConflict  = errors.New("conflict")
	ErrLeaseLost = errors.New("lease lost")
	ErrNewer     = errors.New("database written by a newer version")
	ErrCorrupt   = errors.New("database damaged")
	ErrForeign   = errors.New("not a database of this program")
	ErrFull      = errors.New("disk full")
	ErrReadOnly  = errors.New("database not writable")
	ErrBusy      = errors.New("database busy")
	ErrClosed    = errors.New("store closed")
	ErrQuery     = errors.New("search not understood")
)

// Error says what the store could not do, of what kind the trouble is, and what a person can do about it.
type Error struct {
	Op   string // what was tried, e.g. "save task build"
	Kind error  // one of the sentinels above, or nil
	Err  error  // the cause; may be nil
	Hint string // what to do; may be empty
}

// Error joins the verb, the kind and the cause.
func (e *Error) Error() string {
	msg := e.Op
	switch {
	case e.Err != nil && e.Kind != nil:
		msg += ": " + e.Kind.Error() + ": " + e.Err.Error()
	case e.Err != nil:
		msg += ": " + e.Err.Error()
	case e.Kind != nil:
		msg += ": " + e.Kind.Error()
	}
	return msg
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
