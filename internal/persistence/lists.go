package persistence

import (
	"encoding/json"
	"strings"
)

// Lists of texts are stored as JSON, which no separator of file names can break. Most have nothing that JSON would
// escape, and are then read and written without its machinery, which would be a tenth of loading a graph.

// jsonOf is a list as stored: NULL for nil, so that missing and empty stay two things.
func jsonOf(list []string) (any, error) {
	switch {
	case list == nil:
		return nil, nil
	case len(list) == 0:
		return "[]", nil
	}
	for _, text := range list {
		if !plainInJSON(text) {
			text, err := json.Marshal(list)
			return string(text), err
		}
	}
	return `["` + strings.Join(list, `","`) + `"]`, nil
}

// plainInJSON says whether a text stands in JSON as it is, in the way that package json writes it.
func plainInJSON(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c >= 0x7f, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// listOf is the list that jsonOf stored, or that an earlier program did.
func listOf(stored string) (list []string, err error) {
	if stored == "[]" {
		return []string{}, nil
	}
	// Without a backslash in all of it no text has a quotation mark, so that each is the end of one.
	if strings.HasPrefix(stored, `["`) && strings.HasSuffix(stored, `"]`) && len(stored) >= len(`[""]`) && !strings.Contains(stored, `\`) {
		list = strings.Split(stored[len(`["`):len(stored)-len(`"]`)], `","`)
		if marks := strings.Count(stored, `"`); marks == 2*len(list) { // else it was written with spaces
			return list, nil
		}
	}
	list = nil
	err = json.Unmarshal([]byte(stored), &list)
	return list, err
}
