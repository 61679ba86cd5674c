package cli

import "strings"

// didYouMean is the hint that names what was probably meant.
func didYouMean(s string) string { return "did you mean `" + s + "`?" }

// closest returns the candidate that a mistyped word most probably means, or nothing when none is near.
func closest(word string, candidates []string) string {
	word = strings.ToLower(word)
	if word == "" {
		return ""
	}
	best, bestAt := "", max(len([]rune(word))/3, 1)+1
	for _, c := range candidates {
		d := distance(word, strings.ToLower(c))
		if len(word) > 1 && strings.HasPrefix(strings.ToLower(c), word) {
			d = min(d, 1)
		}
		if d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between two words.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, next := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		next[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(t)]
}
