package plan

// shape is what values a key takes, as a JSON Schema.
type shape map[string]any

// Texts take plain numbers and truth values too: `run: true` is the command "true".
var scalar = []any{"string", "number", "boolean"}

var (
	text   = shape{"type": scalar}
	filled = shape{"type": scalar, "pattern": `\S`}
	line   = shape{"type": scalar, "pattern": `^[^\r\n]*\S[^\r\n]*\n*$`}
	truth  = shape{"type": "boolean"}
	list   = either(filled, shape{"type": "array", "items": filled})
	// Go's duration syntax, more than nothing.
	duration = shape{"type": "string", "pattern": `^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`, "not": shape{"pattern": `^[^1-9]*$`}}
)

func constant(n int) shape { return shape{"type": "integer", "const": n} }

func number(least, most int) shape {
	return shape{"type": "integer", "minimum": least, "maximum": most}
}

func choice(words ...string) shape {
	enum := make([]any, len(words))
	for i, w := range words {
		enum[i] = w
	}
	return shape{"type": "string", "enum": enum}
}

func either(a, b shape) shape { return shape{"anyOf": []any{a, b}} }

func object(definition string) shape { return shape{"$ref": "#/definitions/" + definition} }

// mapOf is a map from ids to values of a definition.
func mapOf(definition string, least int) shape {
	return shape{
		"type":          "object",
		"minProperties": least,
		"propertyNames": shape{
			"pattern": idPattern, "maxLength": maxID, "not": shape{"pattern": idNever},
		},
		"additionalProperties": object(definition),
	}
}
