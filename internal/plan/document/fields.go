package document

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"orchestrator/internal/diagnostic"
)

const (
	mergeFields = 2_000_000 // fields that merge keys may bring into one file, so that a small file stays small work
	mergeDepth  = 50
)

// Field is one key of a map with its value.
type Field struct {
	Name  string
	Key   *Node
	Value *Node // never an alias
}

// Resolve follows an alias.
func Resolve(n *Node) *Node {
	for range mergeDepth {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

// Fields returns the fields of a map, in order, merge keys followed: the map's own fields first, then what they bring
// and the map does not have. what names the map in messages, such as "task `lint`". ok is false when n is no map.
func (r *Reader) Fields(n *Node, what string) (fields []Field, ok bool) {
	n = Resolve(n)
	if n.Kind != yaml.MappingNode {
		r.Error(n, "bad-type", fmt.Sprintf("%s wants a map of keys and values, got %s", what, describe(n)), "")
		return nil, false
	}
	fields = make([]Field, 0, len(n.Content)/2)
	var merges []*Node
	known := index{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := Resolve(n.Content[i]), Resolve(n.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			r.Error(key, "bad-key", fmt.Sprintf("a key in %s must be a word, not %s", what, describe(key)), "")
			continue
		}
		if isMerge(key) {
			merges = append(merges, n.Content[i+1])
			continue
		}
		if before := known.put(key, fields); before != nil {
			r.duplicate(key, before, what)
			continue
		}
		fields = append(fields, Field{Name: key.Value, Key: key, Value: value})
	}
	if len(merges) > 0 {
		has := make(map[string]bool, len(fields))
		for _, f := range fields {
			has[f.Name] = true
		}
		for _, m := range merges {
			fields = r.merge(m, fields, has, nil)
		}
	}
	return fields, true
}

// index finds keys that are given twice; it takes a table only for maps of many fields.
type index struct{ table map[string]*Node }

// put returns the key's namesake among the fields before it; nil when there is none.
func (x *index) put(key *Node, fields []Field) *Node {
	const few = 16
	if len(fields) < few {
		for _, f := range fields {
			if f.Name == key.Value {
				return f.Key
			}
		}
		return nil
	}
	if x.table == nil {
		x.table = make(map[string]*Node)
		for _, f := range fields {
			x.table[f.Name] = f.Key
		}
	}
	if before, twice := x.table[key.Value]; twice {
		return before
	}
	x.table[key.Value] = key
	return nil
}

func isMerge(key *Node) bool { return key.Tag == "!!merge" }

// merge appends the fields of a merge key's value that are not there yet.
func (r *Reader) merge(n *Node, fields []Field, has map[string]bool, path []*Node) []Field {
	n = Resolve(n)
	if slices.Contains(path, n) || len(path) > mergeDepth {
		r.Error(n, "bad-merge", "`<<` merges a map into itself", "")
		return fields
	}
	path = append(path, n)
	switch n.Kind {
	case yaml.SequenceNode:
		for _, c := range n.Content {
			fields = r.merge(c, fields, has, path)
		}
	case yaml.MappingNode:
		if r.merged += len(n.Content)/2 + 1; r.merged > mergeFields {
			if !r.swollen {
				r.swollen = true
				r.Error(n, "too-many-aliases", "aliases and merge keys make this file too large", "")
			}
			return fields
		}
		var deeper []*Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := Resolve(n.Content[i])
			switch {
			case key.Kind == yaml.ScalarNode && isMerge(key):
				deeper = append(deeper, n.Content[i+1])
			case key.Kind == yaml.ScalarNode && !has[key.Value]:
				has[key.Value] = true
				fields = append(fields, Field{Name: key.Value, Key: key, Value: Resolve(n.Content[i+1])})
			}
		}
		for _, m := range deeper {
			fields = r.merge(m, fields, has, path)
		}
	default:
		r.Error(n, "bad-merge", fmt.Sprintf("`<<` wants a map or a list of maps, got %s", describe(n)), "write `<<: *name`")
	}
	return fields
}

func (r *Reader) duplicate(key, before *Node, what string) {
	r.Error(key, "duplicate-key", fmt.Sprintf("%s is given twice in %s", diagnostic.Quote(key.Value), what),
		fmt.Sprintf("the first is at line %d", before.Line))
}

// describe says what a node is, for messages.
func describe(n *Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return diagnostic.Quote(n.Value)
}

// IsMap says whether a value is a map.
func IsMap(n *Node) bool { return Resolve(n).Kind == yaml.MappingNode }

// IsList says whether a value is a list.
func IsList(n *Node) bool { return Resolve(n).Kind == yaml.SequenceNode }

// IsNull says whether there is no value.
func IsNull(n *Node) bool {
	n = Resolve(n)
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}
