package document

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"orchestrator/internal/diagnostic"
)

// Item is a text with the node that it comes from.
type Item struct {
	Text string
	Node *Node
}

// Text reads a text. A plain number, date or truth value counts as the text that was written. what names the
// value in messages, such as "`prompt`".
func (r *Reader) Text(n *Node, what string) (string, bool) {
	n = Resolve(n)
	switch {
	case n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0:
		r.Error(n, "bad-type", what+" wants text, got a map", "if this is text with `: ` inside, "+quoteIt)
		return "", false
	case n.Kind != yaml.ScalarNode:
		r.Error(n, "bad-type", what+" wants text, got "+describe(n), "if this is text, "+quoteIt)
		return "", false
	case n.Tag == "!!null":
		r.Error(n, "bad-type", what+" has no value", "give it a value or remove it")
		return "", false
	}
	switch n.Tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!merge", "":
	default:
		r.Error(n, "bad-type", fmt.Sprintf("%s wants text; the tag %s is not known here", what, diagnostic.Quote(n.Tag)), "remove the tag")
		return "", false
	}
	if strings.IndexByte(n.Value, 0) >= 0 {
		r.Error(n, "control-character", what+" has a NUL character, which no command or file can hold", "remove it")
		return "", false
	}
	if !utf8.ValidString(n.Value) {
		r.Error(n, "not-utf8", what+" is not valid UTF-8", "")
		return "", false
	}
	return n.Value, true
}

// Line reads a text that is not blank, has only one line and is safe to show on a terminal.
func (r *Reader) Line(n *Node, what string) (string, bool) {
	text, ok := r.Filled(n, what)
	if !ok {
		return "", false
	}
	text = strings.TrimRight(text, "\n")
	switch {
	case strings.ContainsAny(text, "\r\n"):
		r.Error(Resolve(n), "bad-value", what+" must be a single line", "")
	case strings.ContainsFunc(text, unicode.IsControl):
		r.Error(Resolve(n), "control-character", what+" has a control character", "remove it")
	default:
		return text, true
	}
	return "", false
}

// Filled reads a text that is more than blanks.
func (r *Reader) Filled(n *Node, what string) (string, bool) {
	text, ok := r.Text(n, what)
	if ok && strings.TrimSpace(text) == "" {
		r.Error(Resolve(n), "bad-value", what+" is empty", "")
		return "", false
	}
	return text, ok
}

// List reads one text or a list of texts, none of them blank. What is wrong is left out.
func (r *Reader) List(n *Node, what string) []Item {
	n = Resolve(n)
	if n.Kind != yaml.SequenceNode {
		if text, ok := r.Filled(n, what); ok {
			return []Item{{Text: text, Node: n}}
		}
		return nil
	}
	items := make([]Item, 0, len(n.Content))
	for _, c := range n.Content {
		if text, ok := r.Filled(c, "an item of "+what); ok {
			items = append(items, Item{Text: text, Node: Resolve(c)})
		}
	}
	return items
}

// Number reads a whole number between least and most.
func (r *Reader) Number(n *Node, what string, least, most int) (int, bool) {
	n = Resolve(n)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" {
		r.Error(n, "bad-type", fmt.Sprintf("%s wants a whole number, got %s", what, describe(n)), "")
		return 0, false
	}
	value, err := strconv.Atoi(n.Value)
	if err != nil || value < least || value > most {
		r.Error(n, "bad-value", fmt.Sprintf("%s cannot be %s", what, diagnostic.Quote(n.Value)),
			fmt.Sprintf("a whole number from %d to %d", least, most))
		return 0, false
	}
	return value, true
}

// Bool reads a truth value.
func (r *Reader) Bool(n *Node, what string) (value, ok bool) {
	n = Resolve(n)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		r.Error(n, "bad-type", fmt.Sprintf("%s wants true or false, got %s", what, describe(n)), "")
		return false, false
	}
	return strings.EqualFold(n.Value, "true"), true
}

// IsTruth says whether a node is true or false.
func IsTruth(n *Node) bool {
	n = Resolve(n)
	return n.Kind == yaml.ScalarNode && n.Tag == "!!bool"
}

// Choice reads one of a few words, the first of which is the default. more is added to the help.
func (r *Reader) Choice(n *Node, what string, choices []string, more func(word string) string) (string, bool) {
	text, ok := r.Text(n, what)
	if !ok {
		return "", false
	}
	for _, c := range choices {
		if c == text {
			return c, true
		}
	}
	help := "one of: " + choices[0] + " (default)"
	for _, c := range choices[1:] {
		help += ", " + c
	}
	if more != nil {
		help += more(text)
	}
	if near := diagnostic.Nearest(text, choices); near != "" {
		help = "did you mean `" + near + "`? " + help
	}
	r.Error(Resolve(n), "bad-value", fmt.Sprintf("%s cannot be %s", what, diagnostic.Quote(text)), help)
	return "", false
}

// Duration reads a positive duration such as 90s, 20m or 1h30m.
func (r *Reader) Duration(n *Node, what string) (time.Duration, bool) {
	text, ok := r.Text(n, what)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		r.Error(Resolve(n), "bad-duration", diagnostic.Quote(text)+" is not a duration", durationHelp(text))
		return 0, false
	case d <= 0:
		r.Error(Resolve(n), "bad-duration", fmt.Sprintf("%s must be longer than nothing, got %s", what, diagnostic.Quote(text)), durationHelp(text))
		return 0, false
	}
	return d, true
}

var loosely = regexp.MustCompile(`^\s*([1-9][0-9]{0,5})\s*([A-Za-z]?)`)

// durationHelp shows how to write what was probably meant.
func durationHelp(text string) string {
	m := loosely.FindStringSubmatch(text)
	if m == nil {
		return "write 30m, 90s or 1h30m"
	}
	number, err := strconv.Atoi(m[1])
	if err != nil {
		return "write 30m, 90s or 1h30m"
	}
	switch strings.ToLower(m[2]) {
	case "s":
		return fmt.Sprintf("write %ds, 20m or 1h30m", number)
	case "m":
		return fmt.Sprintf("write %dm, 90s or 1h30m", number)
	case "h":
		return fmt.Sprintf("write %dh, 20m or 90s", number)
	case "d":
		return fmt.Sprintf("write %dh, 20m or 90s", number*24)
	}
	return fmt.Sprintf("write %ds or %dm: a duration needs its unit", number, number)
}

// Unknown records a key that does not exist and returns the one that was probably meant, if any. known are the keys
// that do exist, aliases what people write instead of them.
func (r *Reader) Unknown(f Field, what string, known []string, aliases map[string]string) (meant string) {
	help := "keys here: " + strings.Join(known, ", ")
	meant = aliases[strings.ToLower(strings.ReplaceAll(f.Name, "-", "_"))]
	if !slices.Contains(known, meant) {
		meant = diagnostic.Nearest(f.Name, known)
	}
	if meant != "" {
		help = "did you mean `" + meant + "`?"
	}
	r.Error(f.Key, "unknown-key", fmt.Sprintf("unknown key %s in %s", diagnostic.Quote(f.Name), what), help)
	return meant
}
