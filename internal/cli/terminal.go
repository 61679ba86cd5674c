package cli

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// isTerminal says whether a stream is a person's terminal. ORC_FORCE_TTY=1 makes every stream one.
func (a *App) isTerminal(stream any) bool {
	if truthy(a.Getenv("ORC_FORCE_TTY")) {
		return true
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// canAsk says whether a question may be put to a person.
func (a *App) canAsk() bool {
	if a.globals.noInput || truthy(a.Getenv("ORC_PROMPT_DISABLED")) || truthy(a.Getenv("CI")) {
		return false
	}
	return a.isTerminal(a.Stdin) && a.isTerminal(a.Stderr)
}

// width returns how many columns a line to w may have; 0 means any number.
func (a *App) width(w io.Writer) int {
	if !a.isTerminal(w) {
		return 0
	}
	if n, err := strconv.Atoi(a.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// unicode says whether more than ASCII can be shown. A locale that names another character set means that it cannot;
// one that names none says nothing about the terminal, and terminals speak UTF-8.
func (a *App) unicode() bool {
	for _, key := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := a.Getenv(key); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true
}

// ascii says whether only ASCII can be shown.
func (a *App) ascii() bool { return !a.unicode() }

// colorOn says whether a stream gets colour.
func (a *App) colorOn(w io.Writer) bool { return a.paint(w).on }

// paint decides about colour for a stream.
func (a *App) paint(w io.Writer) paint {
	switch a.globals.color {
	case "always":
		return paint{on: true}
	case "never":
		return paint{}
	}
	if a.Getenv("NO_COLOR") != "" || a.Getenv("CLICOLOR") == "0" {
		return paint{}
	}
	if v := a.Getenv("CLICOLOR_FORCE"); v != "" && v != "0" {
		return paint{on: true}
	}
	return paint{on: a.isTerminal(w) && a.Getenv("TERM") != "dumb"}
}

// paint colours words, or leaves them alone.
type paint struct{ on bool }

func (p paint) sgr(code, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p paint) red(s string) string    { return p.sgr("31", s) }
func (p paint) green(s string) string  { return p.sgr("32", s) }
func (p paint) yellow(s string) string { return p.sgr("33", s) }
func (p paint) cyan(s string) string   { return p.sgr("36", s) }
func (p paint) dim(s string) string    { return p.sgr("2", s) }
func (p paint) bold(s string) string   { return p.sgr("1", s) }

// truthy reads a switch of the environment.
func truthy(v string) bool {
	switch strings.ToLower(v) {
	case "", "0", "false", "no", "off":
		return false
	}
	return true
}
