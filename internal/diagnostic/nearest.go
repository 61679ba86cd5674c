package diagnostic

import "strings"

// Nearest returns the candidate that a person most likely meant by word, or "" when none is near: equal without
// case, hyphens and underscores, one typing mistake per three characters, or the only one that word begins.
func Nearest(word string, candidates []string) string {
	folded := fold(word)
	if folded == "" {
		return ""
	}
	best, distance := "", max(1, (len(folded)+1)/3)+1
	begins, beginners := "", 0
	for _, c := range candidates {
		f := fold(c)
		if f == folded {
			return c
		}
		if len(folded) >= 3 && strings.HasPrefix(f, folded) {
			begins = c
			beginners++
		}
		if d := len(f) - len(folded); d >= distance || -d >= distance {
			continue
		}
		if d := edits(folded, f, distance); d < distance && d < max(len(f), len(folded)) {
			best, distance = c, d
		}
	}
	if best == "" && beginners == 1 {
		return begins
	}
	return best
}

func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// edits counts the insertions, deletions, replacements and swaps of neighbours that turn a into b, up to limit.
func edits(a, b string, limit int) int {
	const most = 64 // longer words are no typing mistakes
	if len(a) > most || len(b) > most {
		return limit
	}
	var rows [3][most + 1]int
	before, above, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= limit {
			return limit
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
