package view

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	tabStop      = 8
	maxCombining = 8 // marks and joiners after one character; more are used to draw over neighbouring lines
)

// Sanitize makes text that an agent, a command or a plan wrote safe for a terminal. Escape sequences (CSI, OSC,
// DCS, SOS, PM, APC and the short ones) and all other control characters are removed, and so are characters that
// hide or reorder text: bidi controls, tags, variation selectors of the supplement and other invisible format
// characters, except the two joiners that scripts and emoji need. Invalid UTF-8 becomes U+FFFD, tabs become
// spaces, "\r\n" becomes "\n", and a carriage return inside a line starts the line afresh, as progress bars mean
// it. Line feeds stay; they are the only control character in the result. Idempotent.
func Sanitize(s string) string {
	if plain(s) {
		return s
	}
	c := cleaner{out: text{buf: make([]byte, 0, len(s))}}
	for len(s) > 0 {
		s = s[c.next(s):]
	}
	return string(c.out.buf)
}

// SanitizeLine is Sanitize for text that must stay on one line: the lines that are left are joined by a space.
func SanitizeLine(s string) string {
	s = Sanitize(s)
	if !strings.Contains(s, "\n") {
		return strings.TrimRight(s, " ")
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' }), " ")
}

// plain says that s has nothing to remove, which is the usual case.
func plain(s string) bool {
	for i := range len(s) {
		if b := s[i]; (b < 0x20 && b != '\n') || b >= 0x7f {
			return false
		}
	}
	return true
}

// cleaner is the state between two characters.
type cleaner struct {
	out       text
	column    int
	combining int
	returned  bool // a carriage return was seen, and nothing after it on this line
}

// next deals with the character or sequence at the start of s, which is not empty, and returns its length.
func (c *cleaner) next(s string) int {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && n == 1:
		c.put(utf8.RuneError)
	case r == '\n':
		c.out.write('\n')
		c.column, c.combining, c.returned = 0, 0, false
		c.out.line = len(c.out.buf)
	case r == '\r':
		c.returned = true
	case r == '\t':
		c.put(' ')
		for c.column%tabStop != 0 {
			c.put(' ')
		}
	case r == 0x1b:
		return n + escape(s[n:])
	case r == 0x9b:
		return n + controlSequence(s[n:])
	case r == 0x90, r == 0x98, r == 0x9d, r == 0x9e, r == 0x9f:
		return n + controlString(s[n:])
	case r == '\u2028', r == '\u2029':
		c.put(' ')
	case !hidden(r):
		c.put(r)
	}
	return n
}

func (c *cleaner) put(r rune) {
	if c.returned {
		c.out.truncateLine()
		c.column, c.combining, c.returned = 0, 0, false
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) { // of the last, the joiners are let through
		if c.combining++; c.combining > maxCombining {
			return
		}
	} else {
		c.combining = 0
		c.column++
	}
	c.out.write(r)
}

// hidden says whether a character must not reach a terminal: controls, and what is invisible or reorders text.
func hidden(r rune) bool {
	switch {
	case unicode.IsControl(r):
		return true
	case r == '\u200c', r == '\u200d': // the joiners
		return false
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r): // format characters that are visible
		return false
	case r >= 0xe0000 && r <= 0xe0fff: // tags and the supplement of variation selectors
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

// text can forget the line that it is in.
type text struct {
	buf  []byte
	line int // where the present line starts
}

func (t *text) write(r rune)  { t.buf = utf8.AppendRune(t.buf, r) }
func (t *text) truncateLine() { t.buf = t.buf[:t.line] }

// escape returns the length of what belongs to an ESC that came before s.
func escape(s string) int {
	i := 0
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x2f { // intermediate bytes, e.g. of a character set choice
		i++
	}
	switch {
	case i == len(s):
		return i
	case i == 0 && s[0] == '[':
		return 1 + controlSequence(s[1:])
	case i == 0 && strings.IndexByte("]PX^_", s[0]) >= 0:
		return 1 + controlString(s[1:])
	case s[i] >= 0x30 && s[i] <= 0x7e:
		return i + 1
	}
	return i
}

// controlSequence returns the length of a CSI's parameters, intermediate bytes and final byte. A sequence that is
// broken off by something else ends before it.
func controlSequence(s string) int {
	i := 0
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x3f {
		i++
	}
	if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
		i++
	}
	return i
}

// controlString returns the length of an OSC, DCS, SOS, PM or APC with its terminator. A string that is not
// terminated ends with its line, so that it can hide no more than that.
func controlString(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\n', 0x1b: // ESC \ is removed as the escape sequence that it is
			return i
		case 0x07, 0x18, 0x1a: // BEL, CAN, SUB
			return i + 1
		case 0xc2: // first byte of the C1 controls in UTF-8
			if i+1 < len(s) && s[i+1] == 0x9c { // ST
				return i + 2
			}
		}
	}
	return len(s)
}
