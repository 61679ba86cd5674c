package diagnostic

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// excerptRunes is how much of a line is shown; JSON written by a program is often one line of megabytes.
const excerptRunes = 120

// picture returns the excerpt and the line with the caret below it. Both are safe to print.
func picture(d Diagnostic, ascii bool) (line, caret string) {
	runes := []rune(window(d.Excerpt, &d.Column))
	ellipsis := '…'
	if ascii {
		ellipsis = '~'
	}
	from, to := 0, len(runes)
	if to > excerptRunes {
		from = max(0, d.Column-1-excerptRunes/3)
		to = min(to, from+excerptRunes)
	}
	var text, pad strings.Builder
	if from > 0 {
		text.WriteRune(ellipsis)
		pad.WriteByte(' ')
	}
	below, width := 0, 0
	for i := from; i < to; i++ {
		shown, cells := printable(runes[i])
		text.WriteString(shown)
		switch {
		case i < d.Column-1 && runes[i] == '\t':
			pad.WriteByte('\t')
		case i < d.Column-1:
			pad.WriteString(strings.Repeat(" ", cells))
		case width < max(d.Width, 1):
			width++
			below += cells
		}
	}
	if to < len(runes) {
		text.WriteRune(ellipsis)
	}
	return strings.TrimRight(text.String(), " \t"), pad.String() + strings.Repeat("^", max(below, 1))
}

// window cuts what is far away from the column, so that a line of megabytes is not turned into runes.
func window(line string, column *int) string {
	const near = 4 * excerptRunes
	at, seen := 0, 0
	for seen < *column-1-near && at < len(line) {
		_, size := utf8.DecodeRuneInString(line[at:])
		at += size
		seen++
	}
	end := min(len(line), at+2*near*utf8.UTFMax)
	for end < len(line) && !utf8.RuneStart(line[end]) {
		end++
	}
	*column -= seen
	return line[at:end]
}

// printable returns what stands for a character in a picture, and how many terminal cells it takes.
func printable(r rune) (string, int) {
	switch {
	case r == '\t':
		return "\t", 1
	case r == utf8.RuneError || unicode.IsControl(r) || hidden(r):
		return "\ufffd", 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return string(r), 0
	case wide(r):
		return string(r), 2
	}
	return string(r), 1
}

// hidden characters change how the text around them is shown without being seen.
func hidden(r rune) bool {
	return unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// wide says whether a terminal gives the character two cells: East Asian scripts and pictographs.
func wide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1f64f, r >= 0x1f680 && r <= 0x1f6ff, r >= 0x1f900 && r <= 0x1faff,
		r >= 0x20000 && r <= 0x3fffd:
		return true
	}
	return false
}

// clean makes one line of text safe to print.
func clean(s string) string {
	for _, r := range s {
		if r == utf8.RuneError || unicode.IsControl(r) || hidden(r) {
			return strings.Map(func(r rune) rune {
				switch {
				case r == '\n' || r == '\t':
					return ' '
				case unicode.IsControl(r) || hidden(r):
					return '\ufffd'
				}
				return r
			}, s)
		}
	}
	return s
}

// quoteRunes is how much of a value is repeated in a message.
const quoteRunes = 60

// Quote puts a value out of a file between back-quotes, shortened and on one line, for use in messages.
func Quote(s string) string {
	short, n := s, 0
	for i := range s {
		if n == quoteRunes {
			short = s[:i] + "…"
			break
		}
		n++
	}
	return "`" + clean(strings.ReplaceAll(short, "\n", " ")) + "`"
}
