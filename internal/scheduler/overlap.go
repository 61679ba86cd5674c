package scheduler

import "strings"

// Overlap says whether two lists of writes may touch a common file. It never says no when there is one, with one
// exception: a name with an extension (README.md) is taken for a file, so it does not meet **/*.go through being a
// folder. Patterns know *, ?, [..], ** and {a,b}; a path covers everything below it; case does not count; an empty
// list overlaps nothing.
func Overlap(a, b []string) bool {
	_, found := FindOverlap(a, b)
	return found
}

// Clash is a pair of patterns that overlap.
type Clash struct {
	A, B    string // the patterns as written, one of each list
	Example string // a path that both cover, case-folded
}

// FindOverlap returns the first pair of patterns, in the order of the lists, that overlap.
func FindOverlap(a, b []string) (Clash, bool) {
	parsed := make([][]glob, len(b))
	for i, q := range b {
		parsed[i] = parseGlobs(q)
	}
	for _, p := range a {
		for _, g := range parseGlobs(p) {
			for i := range b {
				for _, h := range parsed[i] {
					if overlap(&g, &h) {
						return Clash{A: p, B: b[i], Example: example(&g, &h)}, true
					}
				}
			}
		}
	}
	return Clash{}, false
}

func overlap(a, b *glob) bool {
	if a.literal != "" && b.literal != "" {
		return below(a.literal, b.literal) || below(b.literal, a.literal)
	}
	if !below(a.prefix, b.prefix) && !below(b.prefix, a.prefix) {
		return false
	}
	var space [64]int8
	m := newMeeting(a, b, space[:])
	return m.from(0, 0)
}

// below says whether path is dir or lies in it; everything lies in the empty one.
func below(path, dir string) bool {
	return strings.HasPrefix(path, dir) && (dir == "" || len(path) == len(dir) || path[len(dir)] == '/')
}

func example(a, b *glob) string {
	m := newMeeting(a, b, nil)
	return strings.Join(m.walk(0, 0), "/")
}

// meeting searches a path that two globs both cover.
type meeting struct {
	a, b *glob
	seen []int8 // by pair of positions: 1 = meet, -1 = do not
}

func newMeeting(a, b *glob, space []int8) meeting {
	if n := len(a.segments) * len(b.segments); n > len(space) {
		space = make([]int8, n)
	}
	return meeting{a: a, b: b, seen: space}
}

// from says whether the rests of both globs, from segments i and j on, meet.
func (m *meeting) from(i, j int) bool {
	a, b := m.a.segments, m.b.segments
	switch {
	case i == len(a) && j == len(b):
		return true
	case i == len(a):
		return covers(m.a, b[j:])
	case j == len(b):
		return covers(m.b, a[i:])
	}
	if !a[i].deep && !b[j].deep {
		return meetSegments(a[i].tokens, b[j].tokens) && m.from(i+1, j+1)
	}
	known := &m.seen[i*len(b)+j]
	if *known != 0 {
		return *known > 0
	}
	var met bool
	if a[i].deep {
		met = m.from(i+1, j) || m.from(i, j+1)
	} else {
		met = m.from(i, j+1) || m.from(i+1, j)
	}
	*known = -1
	if met {
		*known = 1
	}
	return met
}

// covers says whether a glob that is used up covers what the other still asks for below it. A component that is
// named says that there is a folder; a ** says so only when nothing is asked for below it, or the glob may be a folder.
func covers(g *glob, rest []segment) bool {
	return !rest[0].deep || len(rest) == 1 || g.folder
}

// walk returns the components of a path on which from(i, j) is true.
func (m *meeting) walk(i, j int) []string {
	a, b := m.a.segments, m.b.segments
	switch {
	case i == len(a):
		return samples(b[j:])
	case j == len(b):
		return samples(a[i:])
	case !a[i].deep && !b[j].deep:
		return append([]string{common(a[i].tokens, b[j].tokens)}, m.walk(i+1, j+1)...)
	case a[i].deep && m.from(i+1, j):
		return m.walk(i+1, j)
	case b[j].deep && m.from(i, j+1):
		return m.walk(i, j+1)
	case a[i].deep:
		return append(samples(b[j:j+1]), m.walk(i, j+1)...)
	default:
		return append(samples(a[i:i+1]), m.walk(i+1, j)...)
	}
}

// samples returns one name for each segment that needs one.
func samples(segs []segment) []string {
	var names []string
	for _, s := range segs {
		if !s.deep {
			names = append(names, common(s.tokens, s.tokens))
		}
	}
	return names
}

// meetSegments says whether one name matches both token lists, without allocating for names of common length.
func meetSegments(a, b []token) bool {
	var space [2][64]bool // reachable positions in b for one position in a, and for the next
	row, next := space[0][:], space[1][:]
	if len(b) >= len(row) {
		row, next = make([]bool, len(b)+1), make([]bool, len(b)+1)
	}
	row, next = row[:len(b)+1], next[:len(b)+1]
	row[0] = true
	for i := 0; ; i++ {
		for j := range len(b) {
			if row[j] && (b[j].star || i < len(a) && a[i].star) {
				row[j+1] = true
			}
		}
		if i == len(a) {
			return row[len(b)]
		}
		clear(next)
		any := false
		for j := range row {
			switch {
			case !row[j]:
			case a[i].star, j < len(b) && b[j].star:
				next[j], any = true, true
			case j < len(b) && meetRunes(&a[i], &b[j]):
				next[j+1], any = true, true
			}
		}
		if !any {
			return false
		}
		row, next = next, row
	}
}

func meetRunes(a, b *token) bool {
	if a.literal != 0 && b.literal != 0 {
		return a.literal == b.literal
	}
	x, y := a.runes(), b.runes()
	return x.ascii[0]&y.ascii[0]|x.ascii[1]&y.ascii[1] != 0 || x.other && y.other
}

// common returns a name that matches both; they must meet.
func common(a, b []token) string {
	var name []rune
	findName(a, b, &name)
	switch string(name) {
	case "":
		return "x" // both are stars
	case ".", "..": // no names of files; longer ones match too where a star is left
		longer := string(name) + "x"
		seg, _, _ := parseSegment(longer)
		if meetSegments(a, seg.tokens) && meetSegments(b, seg.tokens) {
			return longer
		}
	}
	return string(name)
}

// findName is a search over pairs of positions, each looked at once; name receives the name found.
func findName(a, b []token, name *[]rune) bool {
	var dead map[[2]int]bool // pairs known not to meet; made only when a star asks for a choice
	var search func(i, j int) bool
	search = func(i, j int) bool {
		if i == len(a) && j == len(b) {
			return true
		}
		if dead[[2]int{i, j}] {
			return false
		}
		aStar, bStar := i < len(a) && a[i].star, j < len(b) && b[j].star
		switch {
		case aStar && search(i+1, j), bStar && search(i, j+1):
			return true
		case aStar && j < len(b) && !bStar:
			if take(name, b[j], b[j], func() bool { return search(i, j+1) }) {
				return true
			}
		case bStar && i < len(a) && !aStar:
			if take(name, a[i], a[i], func() bool { return search(i+1, j) }) {
				return true
			}
		case !aStar && !bStar && i < len(a) && j < len(b):
			return take(name, a[i], b[j], func() bool { return search(i+1, j+1) })
		}
		if aStar || bStar {
			if dead == nil {
				dead = make(map[[2]int]bool)
			}
			dead[[2]int{i, j}] = true
		}
		return false
	}
	return search(0, 0)
}

// take goes on with a rune that both tokens match, if there is one; the rune stays in name if the rest succeeds.
func take(name *[]rune, a, b token, rest func() bool) bool {
	if !meetRunes(&a, &b) {
		return false
	}
	x, y := a.runes(), b.runes()
	lo, hi := x.ascii[0]&y.ascii[0], x.ascii[1]&y.ascii[1]
	r := max(a.literal, b.literal)
	if r == 0 {
		r = pick(lo, hi)
	}
	*name = append(*name, r)
	if rest() {
		return true
	}
	*name = (*name)[:len(*name)-1]
	return false
}

// pick prefers a letter, then a digit, then whatever there is.
func pick(lo, hi uint64) rune {
	for _, r := range "xabcdefghijklmnopqrstuvwyz0123456789" {
		if r < 64 && lo>>r&1 == 1 || r >= 64 && hi>>(r-64)&1 == 1 {
			return r
		}
	}
	for r := rune(33); r < 127; r++ {
		if r != '/' && (r < 64 && lo>>r&1 == 1 || r >= 64 && hi>>(r-64)&1 == 1) {
			return r
		}
	}
	return '\u00e9'
}
