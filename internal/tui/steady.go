package tui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

const (
	joiner      = '\u200d' // makes one emoji of two
	nonJoiner   = '\u200c'
	asEmoji     = '\ufe0f' // makes the character before it wide
	keycap      = '\u20e3'
	firstSkin   = '\U0001f3fb'
	lastSkin    = '\U0001f3ff'
	firstRegion = '\U0001f1e6' // two of them are a flag
	lastRegion  = '\U0001f1ff'
)

// steady makes a text as wide on every terminal as it is here. Terminals disagree about characters that are drawn as
// one: emoji that are joined or coloured, flags, keycaps, conjuncts of Indic scripts. One that counts otherwise than we do
// would put the frame in the wrong place and leave pieces of old lines behind. Of emoji only the first character is kept,
// conjuncts are drawn apart; all other texts, combining marks and wide characters among them, stay as they are.
func steady(s string) string {
	if plainASCII(s) {
		return s
	}
	var b strings.Builder
	for rest := s; rest != ""; {
		cluster, _ := ansi.FirstGraphemeCluster(rest, ansi.GraphemeWidth)
		rest = rest[len(cluster):]
		if len(cluster) == 1 {
			b.WriteString(cluster)
			continue
		}
		b.WriteString(steadyCluster(cluster))
	}
	return b.String()
}

func steadyCluster(cluster string) string {
	if strings.ContainsFunc(cluster, ofEmoji) {
		cluster = strings.Map(func(r rune) rune {
			if r == joiner || r == asEmoji {
				return -1
			}
			return r
		}, cluster)
		if agreed(cluster) {
			return cluster
		}
		r, _ := utf8.DecodeRuneInString(cluster)
		if one := string(r); agreed(one) {
			return one
		}
		return "?"
	}
	if agreed(cluster) {
		return cluster
	}
	var apart strings.Builder
	for _, r := range cluster {
		apart.WriteRune(r)
		if unicode.Is(unicode.Mn, r) {
			apart.WriteRune(nonJoiner)
		}
	}
	if agreed(apart.String()) {
		return apart.String()
	}
	return cluster // a text that cannot be read would be worse than a frame that is a little off
}

// agreed says whether a text has the same width however it is counted.
func agreed(s string) bool {
	n := ansi.StringWidth(s)
	return n == ansi.StringWidthWc(s) && n == cells(s)
}

func ofEmoji(r rune) bool {
	return r == joiner || r == asEmoji || r == keycap || r >= firstSkin && r <= lastSkin || r >= firstRegion && r <= lastRegion
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x7f {
			return false
		}
	}
	return true
}
