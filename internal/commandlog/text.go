package commandlog

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	mostArgs    = 64   // arguments of a command that are kept
	mostInArg   = 400  // bytes of one of them
	mostCleaned = 8192 // bytes of one of them in which secrets are looked for: none that is kept can begin behind these
)

const ellipsis = "…"

// shortened is a copy of an entry that has a bounded size and no secrets.
func shortened(e Entry, clean func(string) string) Entry {
	args := e.Args[:min(len(e.Args), mostArgs)]
	e.Args = make([]string, 0, len(args)+1)
	for _, a := range args {
		e.Args = append(e.Args, short(a, clean))
	}
	if len(args) == mostArgs {
		e.Args = append(e.Args, ellipsis)
	}
	e.Error, e.Dir = short(e.Error, clean), short(e.Dir, clean)
	return e
}

// short is the beginning of a text. Secrets are taken out before it is cut, for half of one would not be found.
func short(s string, clean func(string) string) string {
	whole := len(s)
	s = clean(s[:min(whole, mostCleaned)])
	if len(s) <= mostInArg && whole <= mostCleaned {
		return s
	}
	cut := min(mostInArg, len(s))
	for cut > 0 && cut < len(s) && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.ToValidUTF8(s[:cut], "") + ellipsis
}

// Parse reads a line of the record; false = it is none, such as one that a crash has cut off.
func Parse(line []byte) (Entry, bool) {
	var e Entry
	if json.Unmarshal(line, &e) != nil || e.What == "" {
		return Entry{}, false
	}
	return e, true
}

// Command is the entry's command on one line, as a shell would take it. It may hold whatever the arguments hold but line
// breaks: it is for the caller to make it safe for a terminal.
func (e Entry) Command() string {
	words := make([]string, 0, len(e.Args)+1)
	if e.What == Git {
		words = append(words, "git")
	}
	for _, a := range e.Args {
		words = append(words, quoted(a))
	}
	line := strings.Join(words, " ")
	switch {
	case e.What == Lost:
		return fmt.Sprintf("%d more, which came too fast to be recorded", e.Count)
	case e.Error != "":
		line += ": " + strings.ReplaceAll(e.Error, "\n", " ")
	}
	if e.Boxed {
		line += "  (in the sandbox)"
	}
	return line
}

// quoted is an argument as a person would write it.
func quoted(a string) string {
	if a == "" {
		return "''"
	}
	if strings.ContainsAny(a, "\n\r") {
		return strconv.Quote(a)
	}
	if !strings.ContainsAny(a, " \t'\"\\$`&|;<>()*?[]{}!#~") {
		return a
	}
	return "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
}
