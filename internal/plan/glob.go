package plan

import (
	"fmt"
	"path"
	"strings"

	"orchestrator/internal/diagnostic"
)

// checkGlob says what is wrong with a pattern of `writes`; nothing when it is good.
func checkGlob(pattern string) (message, help string) {
	quoted := diagnostic.Quote(pattern)
	switch {
	case strings.ContainsAny(pattern, "\r\n"):
		return "a pattern of `writes` must be a single line", ""
	case strings.Contains(pattern, "\\"):
		return fmt.Sprintf("the pattern %s has a backslash", quoted), "write paths with `/`"
	case strings.HasPrefix(pattern, "/"), strings.HasPrefix(pattern, "~"), len(pattern) > 1 && pattern[1] == ':':
		return fmt.Sprintf("the pattern %s is not relative", quoted), "patterns are relative to the repository's root"
	case strings.HasPrefix(pattern, "!"):
		return fmt.Sprintf("the pattern %s begins with `!`", quoted), "`writes` lists what may be written; nothing can be excluded"
	}
	alternatives, problem := expand(pattern)
	if problem != "" {
		return fmt.Sprintf("the pattern %s %s", quoted, problem), "patterns know *, **, ?, [..] and {a,b}"
	}
	for _, alternative := range alternatives {
		for segment := range strings.SplitSeq(alternative, "/") {
			switch {
			case segment == "..":
				return fmt.Sprintf("the pattern %s leads out of the repository", quoted), "remove `..`"
			case strings.EqualFold(segment, ".git"):
				return fmt.Sprintf("the pattern %s is inside `.git`, which no task may write", quoted), ""
			case strings.Contains(segment, "**") && segment != "**":
				return fmt.Sprintf("the pattern %s has `**` beside other characters", quoted), "`**` stands alone between slashes: `**/*.go`"
			}
			if _, err := path.Match(segment, ""); err != nil {
				return fmt.Sprintf("the pattern %s has a `[` without its end", quoted), "patterns know *, **, ?, [..] and {a,b}"
			}
		}
	}
	return "", ""
}

// maxAlternatives is how many patterns one pattern with braces may stand for.
const maxAlternatives = 256

// expand writes out {a,b}. problem says what is wrong with the braces.
func expand(pattern string) (alternatives []string, problem string) {
	done, open := []string{}, []string{pattern}
	for len(open) > 0 {
		p := open[len(open)-1]
		open = open[:len(open)-1]
		from, to, commas, ok := braces(p)
		switch {
		case !ok:
			return nil, "has a brace without its other half"
		case from < 0:
			done = append(done, p)
		default:
			start := from + 1
			for _, comma := range append(commas, to) {
				open = append(open, p[:from]+p[start:comma]+p[to+1:])
				start = comma + 1
			}
		}
		if len(done)+len(open) > maxAlternatives {
			return nil, fmt.Sprintf("stands for more than %d patterns", maxAlternatives)
		}
	}
	return done, ""
}

// braces finds the first pair of braces outside brackets, and the commas directly inside it. from is -1 without one.
func braces(p string) (from, to int, commas []int, ok bool) {
	from = -1
	depth, class := 0, false
	for i := range len(p) {
		switch c := p[i]; {
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '{':
			if depth++; depth == 1 {
				from = i
			}
		case c == '}':
			if depth--; depth < 0 {
				return from, 0, nil, false
			}
			if depth == 0 {
				return from, i, commas, true
			}
		case c == ',' && depth == 1:
			commas = append(commas, i)
		}
	}
	return from, 0, nil, depth == 0
}
