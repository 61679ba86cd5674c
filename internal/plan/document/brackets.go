package document

import "bytes"

// brackets finds the end of a quoted text, or of a list or map in brackets, line by line.
type brackets struct {
	depth  int
	quote  byte
	before byte // the last character that is not a blank
}

// read goes on with a line. It returns the offset behind the end; -1 when the end is not on this line.
func (b *brackets) read(text []byte) int {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case b.quote == '"' && c == '\\':
			i++
			continue
		case b.quote == '\'' && c == '\'' && i+1 < len(text) && text[i+1] == '\'':
			i++
			continue
		case b.quote != 0:
			if c != b.quote {
				continue
			}
			b.quote = 0
			if b.depth == 0 {
				return i + 1
			}
		case c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
			return -1
		case c == ' ' || c == '\t':
			continue
		case (c == '"' || c == '\'') && (b.before == 0 || bytes.IndexByte([]byte("[{,:"), b.before) >= 0):
			b.quote = c
		case c == '[' || c == '{':
			b.depth++
		case c == ']' || c == '}':
			if b.depth--; b.depth <= 0 {
				return i + 1
			}
		}
		b.before = c
	}
	return -1
}
