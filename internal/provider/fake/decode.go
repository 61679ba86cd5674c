package fake

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

// decoder understands the words that prelude.sh prints, one line each.
type decoder struct {
	v stream.Verdict
}

func newDecoder(t provider.Turn) *decoder {
	return &decoder{v: stream.Verdict{Counters: t.Before}}
}

// kinds of events that are a word and a text.
var kinds = map[string]provider.EventKind{
	"text": provider.EventText, "thought": provider.EventThought, "notice": provider.EventNotice, "retry": provider.EventRetry,
}

var unflat = strings.NewReplacer(`\\`, `\`, `\n`, "\n")

// Decode takes a line.
func (d *decoder) Decode(b []byte) []provider.Event {
	line := strings.ToValidUTF8(string(b), "\uFFFD")
	verb, rest, _ := strings.Cut(line, " ")
	if kind, ok := kinds[verb]; ok {
		text := unflat.Replace(rest)
		if kind == provider.EventText {
			d.v.Summary = text
		}
		return []provider.Event{{Kind: kind, Text: text}}
	}
	switch verb {
	case "session":
		d.v.Session = rest
		return []provider.Event{{Kind: provider.EventSession, Session: rest}}
	case "call":
		id, tool, input := two(rest)
		return []provider.Event{{Kind: provider.EventToolCall, Call: id, Tool: tool, Input: input}}
	case "result", "broken":
		id, tool, text := two(rest)
		return []provider.Event{{
			Kind: provider.EventToolResult, Call: id, Tool: tool, Text: unflat.Replace(text), Failed: verb == "broken",
		}}
	case "edited":
		id, path, _ := strings.Cut(rest, " ")
		return []provider.Event{{Kind: provider.EventEdit, Call: id, Paths: []string{path}}}
	case "deny":
		d.v.Denied = append(d.v.Denied, rest)
	case "usage":
		return d.usage(rest)
	case "fail":
		d.fail(rest)
	case "end":
		d.v.Ended = true
	default:
		return stream.Plain(b)
	}
	return nil
}

// two cuts off two words.
func two(s string) (first, second, rest string) {
	first, s, _ = strings.Cut(s, " ")
	second, rest, _ = strings.Cut(s, " ")
	return first, second, rest
}

func (d *decoder) usage(rest string) []provider.Event {
	var in, out int64
	var cost float64
	n, err := fmt.Sscan(rest, &in, &out, &cost)
	if n < 2 {
		return []provider.Event{{Kind: provider.EventNotice, Text: fmt.Sprintf("usage %q: %v", rest, err)}}
	}
	d.v.Usage = provider.Usage{Input: in, Output: out, Cost: cost, Priced: n == 3, Model: "fake"}
	return []provider.Event{{Kind: provider.EventUsage, Usage: d.v.Usage}}
}

func (d *decoder) fail(rest string) {
	kind, until, text := two(rest)
	d.v.Ended, d.v.Kind, d.v.Error = true, provider.Kind(kind), unflat.Replace(text)
	if d.v.Kind == "" {
		d.v.Kind = provider.KindFailed
	}
	if d.v.Error == "" {
		d.v.Error = "the script failed"
	}
	if seconds, err := strconv.ParseInt(until, 10, 64); err == nil && seconds > 0 {
		d.v.RetryAt = time.Unix(seconds, 0)
	}
}

// Verdict is what the words amount to.
func (d *decoder) Verdict(time.Time) stream.Verdict { return d.v }
