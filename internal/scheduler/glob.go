package scheduler

import (
	"path"
	"strings"
	"unicode"
)

// glob is one pattern of a task's writes, taken apart: case-folded, cleaned, without braces.
type glob struct {
	segments []segment
	prefix   string // the folded leading components without a wildcard
	literal  string // the folded path when no segment has a wildcard, else empty
	folder   bool   // what it matches may have files below that only a ** of another pattern reaches
}

// segment is one component of a path. deep is the component **.
type segment struct {
	deep   bool
	tokens []token
}

// token matches one rune, or with star any number of them.
type token struct {
	star    bool
	literal rune // folded; 0 = use set
	set     runes
}

// runes is a set of folded runes: exact for ASCII, all or nothing for the rest.
type runes struct {
	ascii [2]uint64
	other bool
}

var anyRune = runes{ascii: [2]uint64{^uint64(0), ^uint64(0)}, other: true}

func (s *runes) add(r rune) {
	if r = fold(r); r < 128 {
		s.ascii[r/64] |= 1 << (r % 64)
	} else {
		s.other = true
	}
}

func (t token) runes() runes {
	if t.literal == 0 {
		return t.set
	}
	var s runes
	s.add(t.literal)
	return s
}

// fold maps every rune of one case-folding orbit to the same rune, a lower-case ASCII letter where there is one.
func fold(r rune) rune {
	if r < 128 {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least < 128 {
		return fold(least)
	}
	return least
}

// maxBraces bounds what the braces of one pattern may expand to. A pattern beyond it counts as everything below
// its first brace, which is wide but safe.
const maxBraces = 256

// parseGlobs takes one pattern apart; braces make several of it.
func parseGlobs(pattern string) []glob {
	expanded, ok := expandBraces(pattern)
	if !ok {
		before, _, _ := strings.Cut(pattern, "{")
		expanded = []string{path.Dir(before+"x") + "/**"}
	}
	globs := make([]glob, 0, len(expanded))
	for _, p := range expanded {
		globs = append(globs, parseGlob(p))
	}
	return globs
}

func parseGlob(pattern string) glob {
	folder := strings.HasSuffix(pattern, "/")
	cleaned := path.Clean("/" + pattern)
	if pattern == ".." || strings.HasPrefix(path.Clean(pattern), "../") {
		cleaned = "/**" // it leaves the repository; what it means is not ours to guess, so it meets everything
	}
	var g glob
	var prefix []string
	for part := range strings.SplitSeq(strings.Trim(cleaned, "/"), "/") {
		seg, text, plain := parseSegment(part)
		if part == "" {
			seg, plain = segment{deep: true}, false
		}
		if seg.deep && len(g.segments) > 0 && g.segments[len(g.segments)-1].deep {
			continue
		}
		if plain && len(prefix) == len(g.segments) {
			prefix = append(prefix, text)
		}
		g.segments = append(g.segments, seg)
	}
	g.prefix = strings.Join(prefix, "/")
	if len(prefix) == len(g.segments) {
		g.literal = g.prefix
	}
	g.folder = folder || !fileLike(g.segments[len(g.segments)-1])
	return g
}

// fileLike says whether a last component names a file rather than a folder: it has an extension that begins with
// a letter (README.md, *.go; not v1.2, .github or bin). Without the distinction **/*.go would overlap README.md,
// because README.md could be a folder.
func fileLike(s segment) bool {
	for i := len(s.tokens) - 1; i > 0; i-- {
		if s.tokens[i].literal == '.' {
			return i+1 < len(s.tokens) && (s.tokens[i+1].literal == 0 || unicode.IsLetter(s.tokens[i+1].literal))
		}
	}
	return false
}

// parseSegment also returns the folded text when there is no wildcard in it.
func parseSegment(part string) (seg segment, text string, plain bool) {
	if part == "**" {
		return segment{deep: true}, "", false
	}
	plain = true
	var folded strings.Builder
	rs := []rune(part)
	for i := 0; i < len(rs); i++ {
		switch r := rs[i]; {
		case r == '*':
			plain = false
			if n := len(seg.tokens); n == 0 || !seg.tokens[n-1].star {
				seg.tokens = append(seg.tokens, token{star: true})
			}
			continue
		case r == '?':
			plain = false
			seg.tokens = append(seg.tokens, token{set: anyRune})
			continue
		case r == '[':
			if set, width := parseClass(rs[i:]); width > 0 {
				plain = false
				seg.tokens = append(seg.tokens, token{set: set})
				i += width - 1
				continue
			}
		case r == '\\' && i+1 < len(rs):
			i++
		}
		r := fold(rs[i])
		folded.WriteRune(r)
		seg.tokens = append(seg.tokens, token{literal: r})
	}
	return seg, folded.String(), plain
}

// parseClass reads [abc], [a-z], [!x] or [^x] at the start of rs. width is 0 when there is no closing bracket: the
// bracket then stands for itself.
func parseClass(rs []rune) (set runes, width int) {
	i := 1
	negated := i < len(rs) && (rs[i] == '!' || rs[i] == '^')
	if negated {
		i++
	}
	var members runes
	var raw [128]bool
	for first := true; i < len(rs); first = false {
		if rs[i] == ']' && !first {
			if !negated {
				return members, i + 1
			}
			out := runes{other: true}
			for r := range raw {
				if !raw[r] {
					out.add(rune(r))
				}
			}
			return out, i + 1
		}
		lo := rs[i]
		if lo == '\\' && i+1 < len(rs) {
			i++
			lo = rs[i]
		}
		hi := lo
		if i+2 < len(rs) && rs[i+1] == '-' && rs[i+2] != ']' {
			hi = rs[i+2]
			i += 2
		}
		i++
		if hi >= 128 {
			members.other = true
		}
		for r := lo; r <= hi && r < 128; r++ {
			members.add(r)
			raw[r] = true
		}
		if lo >= 128 {
			members.add(lo)
		}
	}
	return runes{}, 0
}

// expandBraces turns a{b,c}d into abd and acd, nested ones too. ok is false beyond maxBraces.
func expandBraces(pattern string) (expanded []string, ok bool) {
	open, shut, commas := findBraces(pattern)
	if open < 0 {
		return []string{pattern}, true
	}
	head, tail := pattern[:open], pattern[shut+1:]
	from := open + 1
	for _, to := range append(commas, shut) {
		rest, ok := expandBraces(pattern[from:to] + tail)
		if !ok || len(expanded)+len(rest) > maxBraces {
			return nil, false
		}
		for _, r := range rest {
			expanded = append(expanded, head+r)
		}
		from = to + 1
	}
	return expanded, true
}

// findBraces returns the first outermost pair of braces that has a comma, and its commas; open is -1 when there is
// none (braces without a comma stand for themselves, as in a shell).
func findBraces(p string) (open, shut int, commas []int) {
	for start := 0; start < len(p); start++ {
		if p[start] == '\\' {
			start++
			continue
		}
		if p[start] != '{' {
			continue
		}
		depth := 0
		commas = nil
		for i := start; i < len(p); i++ {
			switch p[i] {
			case '\\':
				i++
			case '{':
				depth++
			case ',':
				if depth == 1 {
					commas = append(commas, i)
				}
			case '}':
				if depth--; depth == 0 {
					if len(commas) > 0 {
						return start, i, commas
					}
					i = len(p)
				}
			}
		}
	}
	return -1, -1, nil
}
