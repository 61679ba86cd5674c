package redact

import (
	"strings"
	"unicode/utf8"
)

// held is the most that a Stream keeps back, in bytes: no secret that it finds is longer.
const held = 8 << 10

// Stream takes secrets out of a text that comes in pieces, also where a piece ends within a secret. Not safe for
// concurrent use.
type Stream struct {
	r      *Redactor
	rest   string // not given out: the beginning of what may become a secret; private keys are out of it already
	inside bool   // of a private key
	tail   string // not looked at: the beginning of what may become the first or the last line of a private key
}

// Stream begins a text.
func (r *Redactor) Stream() *Stream { return &Stream{r: r} }

// Next takes a piece and returns what can be given out of the text so far. Whatever stands before the last blank or
// line end is given out unless a secret goes on across it, so that lines come when they end.
func (s *Stream) Next(piece string) string {
	text := s.rest + s.blocks(piece, false)
	cut := s.safe(text)
	s.rest = text[cut:]
	return s.r.line(text[:cut])
}

// Line takes a whole line, without its end, and returns what can be shown of it.
func (s *Stream) Line(line string) string { return strings.TrimSuffix(s.Next(line+"\n"), "\n") }

// Rest ends the text and returns what was kept back.
func (s *Stream) Rest() string {
	text := s.rest + s.blocks("", true)
	*s = Stream{r: s.r}
	return s.r.line(text)
}

const (
	begins = "-----BEGIN "
	ends   = "-----END "
	named  = "PRIVATE KEY"
	header = 64 // bytes that the first or last line of a key has at most behind its first word
)

// blocks leaves private keys out. They have many lines, so that they are followed by state and not kept back.
func (s *Stream) blocks(piece string, last bool) string {
	text := s.tail + piece
	s.tail = ""
	var b strings.Builder
	for text != "" {
		word := begins
		if s.inside {
			word = ends
		}
		before, after, found := strings.Cut(text, word)
		if !found && !last {
			n := begun(text, word)
			before, s.tail = text[:len(text)-n], text[len(text)-n:]
		}
		if !s.inside {
			b.WriteString(before)
		}
		if !found {
			break
		}
		line, _, whole := strings.Cut(after, "\n")
		if !whole && !last && len(line) < header {
			s.tail = word + after
			break
		}
		text = after
		switch {
		case s.inside && strings.Contains(line, "KEY"):
			s.inside = false
			if _, behind, ok := strings.Cut(line, "KEY-----"); ok {
				text = after[len(line)-len(behind):]
			}
		case s.inside:
		case strings.Contains(line, named):
			b.WriteString(Mark)
			s.inside = true
		default:
			b.WriteString(begins)
		}
	}
	return b.String()
}

// begun is how many bytes at the end of a text are the beginning of a word.
func begun(text, word string) int {
	for n := min(len(word)-1, len(text)); n > 0; n-- {
		if strings.HasSuffix(text, word[:n]) {
			return n
		}
	}
	return 0
}

// safe says up to where a text can hold no secret that goes on behind its end.
func (s *Stream) safe(text string) int {
	cut := strings.LastIndexAny(text, " \t\r\n") + 1
	// A secret with blanks in it goes on across them.
	for _, v := range s.r.blanks() {
		cut = min(cut, len(text)-begun(text, v))
	}
	if len(text)-cut > held {
		cut = s.within(text, len(text)-held/2)
	}
	return s.whole(text, cut)
}

// within is where an endless word is cut: its end is kept back, and whatever key reaches into that.
func (s *Stream) within(text string, cut int) int {
	if suspicious(text) {
		for _, at := range forms().FindAllStringIndex(text, -1) {
			if at[0] < cut && cut < at[1] {
				cut = at[0]
			}
		}
	}
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return cut
}

// whole moves a cut before a known secret that it would divide.
func (s *Stream) whole(text string, cut int) int {
	if s.r == nil {
		return cut
	}
	for _, v := range s.r.values {
		from := max(0, cut-len(v)+1)
		if at := strings.Index(text[from:min(len(text), cut+len(v)-1)], v); at >= 0 {
			cut = from + at
		}
	}
	return cut
}

// blanks are the secrets that have blanks in them.
func (r *Redactor) blanks() []string {
	if r == nil {
		return nil
	}
	var list []string
	for _, v := range r.values {
		if strings.ContainsAny(v, " \t") {
			list = append(list, v)
		}
	}
	return list
}
