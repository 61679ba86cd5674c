package tasklist

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	heading = regexp.MustCompile(`^#{1,6}\s+(.*?)\s*#*\s*$`)
	box     = regexp.MustCompile(`^(\s*)(?:[-*+]|\d+[.)])\s+\[([ xX])\]\s+(.*)$`)
	bullet  = regexp.MustCompile(`^\s*(?:[-*+]|\d+[.)])\s+\S`)
	fence   = regexp.MustCompile("^\\s*(```|~~~)")

	number = regexp.MustCompile(`^\**([A-Za-z]{1,5}-?\d{1,5}[a-z]?|\d+(?:\.\d+)+)\**[:.)]?\s+`)
	mark   = regexp.MustCompile(`^\[([^\]]{1,24})\]\s*`)
	wants  = regexp.MustCompile(`(?i)\s*[(\[]?\b(?:depends on|depends|needs|requires|blocked by|after):?\s+((?:` + ref + `)(?:\s*(?:,|and|&|\+)\s*(?:` + ref + `))*)[)\]]?`)
	each   = regexp.MustCompile(ref)
)

// ref is how an item is called by others; a range such as T010-T014 is one.
const ref = `[A-Z]{1,5}-?\d{1,5}[a-z]?(?:\s*(?:-|–|\.\.)\s*[A-Z]{1,5}-?\d{1,5})?|\d+(?:\.\d+)+`

// reader goes through a Markdown list line by line.
type reader struct {
	r      Reading
	ids    ids
	drafts []draft
	marked bool // some item has a [P]
	told   bool // some item says what it needs

	indent  int // of the item under way; -1 = none
	code    bool
	before  []string // keys of the group before the one under way
	group   []string // keys of the group under way
	open    bool     // the group under way takes more items: they are all [P]
	bullets int      // list items without a box
	bullet  int      // the line of the first
}

// Markdown reads a check-list. Items follow one another as they stand; neighbours marked [P] run side by side, and
// what comes after them waits for all of them. A heading ends such a group. An item that says what it depends on
// waits for exactly that. Lines indented below an item belong to its prompt.
func Markdown(src []byte) (Reading, error) {
	m := &reader{ids: ids{}, indent: -1}
	for i, line := range strings.Split(clean(string(src)), "\n") {
		m.line(i+1, strings.TrimRight(line, " \t"))
	}
	if m.bullets > 0 {
		m.r.note(m.bullet, "%d list item(s) without a check box were left out, the first one here", m.bullets)
	}
	for i := range m.drafts {
		d := &m.drafts[i]
		if d.Prompt = strings.TrimSpace(d.Prompt); d.Prompt == "" {
			d.Prompt = d.ID
			m.r.note(d.Line, "%s says nothing: write its prompt", d.ID)
		}
		d.Writes = paths(d.Prompt)
	}
	err := m.r.settle(m.drafts)
	if err == nil && !m.marked && !m.told && len(m.r.Tasks) > 1 {
		m.r.note(0, "nothing is marked [P], so that all tasks run one after another")
	}
	return m.r, err
}

func (m *reader) line(n int, line string) {
	if fence.MatchString(line) {
		m.code = !m.code
	}
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	item := box.FindStringSubmatch(line)
	switch {
	case m.indent >= 0 && (line == "" || indent > m.indent): // of the item under way, boxes below it included
		d := &m.drafts[len(m.drafts)-1]
		d.Prompt += "\n" + strings.TrimPrefix(line, strings.Repeat(" ", min(indent, m.indent+2)))
	case m.code || line == "":
	case item != nil:
		m.indent = len(item[1])
		m.item(n, item[3], item[2] != " ")
	case heading.MatchString(line):
		m.indent, m.open = -1, false
	default:
		m.indent = -1
		if bullet.MatchString(line) {
			if m.bullets++; m.bullets == 1 {
				m.bullet = n
			}
		}
	}
}

// item takes an item with what its first line says.
func (m *reader) item(n int, text string, done bool) {
	d := draft{done: done}
	d.Line = n
	parallel := false
	for {
		if s := number.FindStringSubmatch(text); s != nil && d.key == "" {
			d.key, text = fold(s[1]), text[len(s[0]):]
			continue
		}
		s := mark.FindStringSubmatch(text)
		if s == nil || strings.HasPrefix(text[len(s[0])-1:], "(") {
			break
		}
		parallel = parallel || strings.EqualFold(s[1], "P")
		text = text[len(s[0]):]
	}
	explicit := wants.FindAllStringSubmatch(text, -1)
	for _, w := range explicit {
		for _, one := range each.FindAllString(w[1], -1) {
			d.wants = append(d.wants, m.expand(one)...)
		}
	}
	d.ID = m.ids.take(firstOf(d.key, text))
	if d.key == "" {
		d.key = "line " + strconv.Itoa(n)
	}
	d.Name, d.Prompt = short(strings.ReplaceAll(text, "**", "")), text
	m.marked, m.told = m.marked || parallel, m.told || len(explicit) > 0
	if !parallel || !m.open {
		m.before, m.group = m.group, nil
	}
	m.open = parallel
	m.group = append(m.group, d.key)
	if len(explicit) == 0 {
		d.wants = append(d.wants, m.before...)
	}
	m.drafts = append(m.drafts, d)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// fold makes keys comparable.
func fold(key string) string { return strings.ToUpper(strings.ReplaceAll(key, " ", "")) }

var span = regexp.MustCompile(`^([A-Z]{1,5}-?)(\d{1,5})(?:-|–|\.\.)([A-Z]{1,5}-?)(\d{1,5})$`)

// expand gives the keys that a reference means.
func (m *reader) expand(one string) []string {
	one = fold(one)
	s := span.FindStringSubmatch(one)
	if s == nil || s[1] != s[3] {
		return []string{one}
	}
	from, err1 := strconv.Atoi(s[2])
	to, err2 := strconv.Atoi(s[4])
	const most = 500
	if err1 != nil || err2 != nil || to < from || to-from > most {
		return []string{one}
	}
	var keys []string
	for n := from; n <= to; n++ {
		keys = append(keys, fmt.Sprintf("%s%0*d", s[1], len(s[2]), n))
	}
	return keys
}
