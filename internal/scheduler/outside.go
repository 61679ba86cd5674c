package scheduler

import "strings"

// Outside returns those of the paths that none of the patterns covers, in their order. Patterns mean what they mean
// to Overlap: a pattern covers what it matches and everything below that. Paths are files, taken literally,
// slash-separated and relative to the repository's top. Without patterns nothing is outside.
func Outside(patterns, paths []string) []string {
	if len(patterns) == 0 {
		return nil
	}
	var globs []glob
	for _, p := range patterns {
		globs = append(globs, parseGlobs(p)...)
	}
	var outside []string
	for _, path := range paths {
		if !coveredByAny(globs, path) {
			outside = append(outside, path)
		}
	}
	return outside
}

func coveredByAny(globs []glob, path string) bool {
	var names [][]token
	for name := range strings.SplitSeq(path, "/") {
		var tokens []token
		for _, r := range name {
			tokens = append(tokens, token{literal: fold(r)})
		}
		names = append(names, tokens)
	}
	for i := range globs {
		if globs[i].covers(names) {
			return true
		}
	}
	return false
}

// covers says whether the glob matches the path or a folder above it. It follows all places of the pattern that the
// names so far can have led to.
func (g *glob) covers(names [][]token) bool {
	at := map[int]bool{}
	reach(at, g.segments, 0)
	for _, name := range names {
		next := map[int]bool{}
		for i := range at {
			switch {
			case i == len(g.segments):
				return true
			case g.segments[i].deep:
				reach(next, g.segments, i)
			case meetSegments(g.segments[i].tokens, name):
				reach(next, g.segments, i+1)
			}
		}
		at = next
	}
	return at[len(g.segments)]
}

// reach adds a place, and those behind it that a ** which stands for nothing leads to.
func reach(at map[int]bool, segments []segment, i int) {
	for at[i] = true; i < len(segments) && segments[i].deep; {
		i++
		at[i] = true
	}
}
