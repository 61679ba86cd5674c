package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"orchestrator/internal/provider"
)

// Object fills v from a line that holds a JSON object, and says whether it does. A member of an unexpected type is
// left out, as programs change theirs, and does not spoil the rest.
func Object(line []byte, v any) bool {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '{' {
		return false
	}
	err := json.Unmarshal(line, v)
	var odd *json.UnmarshalTypeError
	return err == nil || errors.As(err, &odd)
}

// Plain is what a line that is no object of the agent's becomes: a notice, if there is something to read in it.
func Plain(line []byte) []provider.Event {
	text := strings.TrimSpace(string(line))
	if text == "" {
		return nil
	}
	if text[0] == '{' {
		text = "a line that was cut off or is no JSON: " + text
	}
	return []provider.Event{{Kind: provider.EventNotice, Text: Cut(text, 2<<10)}}
}

// JSON is a value as it stands in a line, for Event.Input.
func JSON(raw json.RawMessage) string {
	return strings.ToValidUTF8(string(bytes.TrimSpace(raw)), "\uFFFD")
}

// Minus is what a counter that grows over a whole session counted since before. A counter that became smaller was
// started anew.
func Minus(counters, before provider.Usage) provider.Usage {
	u := counters
	if counters.Input < before.Input || counters.Output < before.Output {
		return u
	}
	u.Input -= before.Input
	u.Output -= before.Output
	u.Cached = max(0, u.Cached-before.Cached)
	u.CacheWrite = max(0, u.CacheWrite-before.CacheWrite)
	u.Reasoning = max(0, u.Reasoning-before.Reasoning)
	if counters.Cost >= before.Cost {
		u.Cost -= before.Cost
	}
	return u
}
