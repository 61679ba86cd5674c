package persistence

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Fallback is who does the work of a step whose own agent's account is held.
type Fallback struct {
	Role    string    `json:"role"` // who does it
	For     string    `json:"for"`  // whose work it is
	Account string    `json:"account"`
	Until   time.Time `json:"until"` // until when that account is held, as far as was known
	Reason  string    `json:"reason,omitempty"`
	Circuit bool      `json:"circuit,omitempty"` // the account failed again and again; else it is at its limit
	Took    bool      `json:"took,omitempty"`    // it goes on with what a session of that account began
}

// String says it in a line.
func (f *Fallback) String() string {
	return fmt.Sprintf("goes on with %s: %s is held until %s: %s", f.Role, f.Account, f.Until.Local().Format("15:04"), strings.Join(strings.Fields(f.Reason), " "))
}

// Fallbacks are those of all the steps that were entered.
func (w *Work) Fallbacks() []*Fallback {
	var list []*Fallback
	if w == nil {
		return nil
	}
	for _, n := range slices.Sorted(maps.Keys(w.Aside)) {
		list = append(list, w.Aside[n].Fallback)
	}
	return slices.DeleteFunc(append(list, w.Fallback), func(f *Fallback) bool { return f == nil })
}
