package stubmodel

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The kinds of faults.
const (
	FaultStatus    = "status"     // the request is answered with Fault.Status
	FaultDrop      = "drop"       // the connection is closed without an answer
	FaultMidStream = "mid-stream" // an error follows the first half of the answer's text
	FaultContext   = "context"    // the conversation is said to be too long
	FaultCredit    = "credit"     // the account is said to have no money left
	FaultLimitText = "limit-text" // an ordinary answer, whose text says that a limit is reached
	FaultUsage     = "usage"      // the account is said to be at its limit for Fault.Lasts from now on
)

// limitText is what some services say in an ordinary message when a limit is reached.
const limitText = "You've hit your usage limit. Try again later."

// Fault is a mistake that the server makes on purpose.
type Fault struct {
	Kind       string
	Status     int           // FaultStatus: 400 to 599
	RetryAfter string        // value of the header Retry-After; empty = none
	Text       string        // FaultLimitText: instead of the usual text
	Lasts      time.Duration // FaultUsage: whole seconds, 1 or more
	Count      int           // how many requests get it; 0 = all until Heal
	Match      string        // only requests that contain this text; empty = any
	Asides     bool          // requests without tools get it too
}

func (f Fault) check() error {
	switch f.Kind {
	case FaultStatus:
		if f.Status < 400 || f.Status > 599 {
			return fmt.Errorf("a fault's status must be from 400 to 599, not %d", f.Status)
		}
	case FaultUsage:
		if f.Lasts < time.Second {
			return fmt.Errorf("a limit must last for a second or more, not %s", f.Lasts)
		}
	case FaultDrop, FaultMidStream, FaultContext, FaultCredit, FaultLimitText:
	default:
		return fmt.Errorf("no such kind of fault: %q", f.Kind)
	}
	if f.Count < 0 {
		return errors.New("a fault's count must not be negative")
	}
	return nil
}

func (f Fault) text() string {
	if f.Text != "" {
		return f.Text
	}
	return limitText
}

// serve answers the request with the fault; false = the fault is one of the answer itself.
func (f Fault) serve(w http.ResponseWriter, d dialect) bool {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch f.Kind {
	case FaultStatus:
		d.fail(w, f.Status, complaint{text: fmt.Sprintf("stub error %d", f.Status)})
	case FaultContext:
		d.fail(w, http.StatusBadRequest, complaint{topic: FaultContext})
	case FaultCredit:
		d.fail(w, http.StatusTooManyRequests, complaint{topic: FaultCredit})
	case FaultUsage:
		d.fail(w, http.StatusTooManyRequests, complaint{topic: FaultUsage, lasts: f.Lasts})
	case FaultDrop:
		// The server closes the connection and logs nothing.
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

// seconds says how long a limit lasts, as "30".
func (c complaint) seconds() string { return strconv.Itoa(int(c.lasts / time.Second)) }

// complaint is what an error says: a text, or one of the topics that each service has its own words for.
type complaint struct {
	topic string
	text  string
	lasts time.Duration // FaultUsage
}
