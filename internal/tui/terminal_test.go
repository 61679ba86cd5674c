package tui

import (
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// terminal is as much of a terminal as the view uses: it obeys what is written to it and says what is to be seen.
type terminal struct {
	mu            sync.Mutex
	changed       chan struct{} // has an element after each write
	width, height int
	rows          [][]rune
	gone          []string // scrolled out at the top
	x, y          int
	hidden        bool // the cursor
	last          rune
	rest          []byte
	unknown       []string // sequences that it does not know
}

func newTerminal(width, height int) *terminal {
	t := &terminal{width: width, height: height, changed: make(chan struct{}, 1)}
	for range height {
		t.rows = append(t.rows, t.blank())
	}
	return t
}

func (t *terminal) blank() []rune { return []rune(strings.Repeat(" ", t.width)) }

// Screen is what is on the screen, without the empty lines at its end.
func (t *terminal) Screen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text(nil)
}

// All is the scrollback and the screen.
func (t *terminal) All() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text(t.gone)
}

func (t *terminal) text(lines []string) string {
	lines = append([]string(nil), lines...)
	for _, row := range t.rows {
		lines = append(lines, strings.TrimRight(strings.ReplaceAll(string(row), "\x00", ""), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest = append(t.rest, p...)
	for len(t.rest) > 0 {
		n := t.step(string(t.rest))
		if n == 0 {
			break
		}
		t.rest = t.rest[n:]
	}
	select {
	case t.changed <- struct{}{}:
	default:
	}
	return len(p), nil
}

// step obeys what s begins with and returns its length; 0 = it is not complete.
func (t *terminal) step(s string) int {
	switch s[0] {
	case '\r':
		t.x = 0
	case '\n':
		t.feed()
	case '\b':
		t.x = max(t.x-1, 0)
	case '\t':
		t.x = min((t.x/8+1)*8, t.width-1)
	case 0x1b:
		return t.escape(s)
	default:
		if s[0] < 0x20 {
			return 1
		}
		if !utf8.FullRuneInString(s) {
			return 0
		}
		r, n := utf8.DecodeRuneInString(s)
		t.put(r)
		return n
	}
	return 1
}

func (t *terminal) put(r rune) {
	w := cell(r)
	if w == 0 {
		return
	}
	if t.x+w > t.width {
		t.x = 0
		t.feed()
	}
	t.rows[t.y][t.x] = r
	for i := 1; i < w; i++ {
		t.rows[t.y][t.x+i] = 0
	}
	t.x += w
	t.last = r
}

func (t *terminal) feed() {
	if t.y < t.height-1 {
		t.y++
		return
	}
	t.gone = append(t.gone, strings.TrimRight(strings.ReplaceAll(string(t.rows[0]), "\x00", ""), " "))
	t.rows = append(t.rows[1:], t.blank())
}

func (t *terminal) escape(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '[':
	case ']':
		end := strings.IndexAny(s, "\a\\")
		return end + 1
	case 'M':
		t.y = max(t.y-1, 0)
		return 2
	case 'P', '_':
		end := strings.Index(s, "\x1b\\")
		if end < 0 {
			return 0
		}
		return end + 2
	default:
		t.unknown = append(t.unknown, s[:2])
		return 2
	}
	end := strings.IndexFunc(s[2:], func(r rune) bool { return r >= 0x40 && r <= 0x7e })
	if end < 0 {
		return 0
	}
	t.obey(s[2:2+end], s[2+end])
	return end + 3
}

// obey follows a control sequence.
func (t *terminal) obey(params string, final byte) {
	n, err := strconv.Atoi(params)
	if err != nil || n == 0 {
		n = 1
	}
	mode, _ := strconv.Atoi(params)
	t.x = min(t.x, t.width-1)
	switch final {
	case 'A':
		t.y = max(t.y-n, 0)
	case 'B':
		t.y = min(t.y+n, t.height-1)
	case 'C':
		t.x = min(t.x+n, t.width-1)
	case 'D':
		t.x = max(t.x-n, 0)
	case 'G':
		t.x = min(n, t.width) - 1
	case 'd':
		t.y = min(n, t.height) - 1
	case 'J':
		if mode == 0 {
			t.clear(t.y, t.x, t.width)
			for y := t.y + 1; y < t.height; y++ {
				t.rows[y] = t.blank()
			}
			return
		}
		t.unknown = append(t.unknown, params+"J")
	case 'K':
		switch mode {
		case 0:
			t.clear(t.y, t.x, t.width)
		case 1:
			t.clear(t.y, 0, t.x+1)
		default:
			t.rows[t.y] = t.blank()
		}
	case 'L':
		for range min(n, t.height-t.y) {
			copy(t.rows[t.y+1:], t.rows[t.y:t.height-1])
			t.rows[t.y] = t.blank()
		}
	case 'M':
		for range min(n, t.height-t.y) {
			copy(t.rows[t.y:], t.rows[t.y+1:])
			t.rows[t.height-1] = t.blank()
		}
	case 'X':
		t.clear(t.y, t.x, min(t.x+n, t.width))
	case 'P':
		row := t.rows[t.y]
		copy(row[t.x:], row[min(t.x+n, t.width):])
		t.clear(t.y, t.width-n, t.width)
	case '@':
		row := t.rows[t.y]
		copy(row[min(t.x+n, t.width):], row[t.x:])
		t.clear(t.y, t.x, min(t.x+n, t.width))
	case 'b':
		for range n {
			t.put(t.last)
		}
	case 'h', 'l':
		if params == "?25" {
			t.hidden = final == 'l'
		}
	case 'Z':
		for range n {
			t.x = max((t.x-1)/8*8, 0)
		}
	case 'm', 'u', 'p', 'n', 'c', 'W': // colours, keyboard modes, questions, tab stops
	default:
		t.unknown = append(t.unknown, params+string(final))
	}
}

func (t *terminal) clear(y, from, to int) {
	for x := max(from, 0); x < to; x++ {
		t.rows[y][x] = ' '
	}
}
