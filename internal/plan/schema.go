package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
)

// SchemaID is where the schema says that it lives.
const SchemaID = "plan.v1.schema.json"

// Schema is the JSON Schema (draft-07) of plan files, made from the keys that the checker uses.
func Schema() []byte {
	root := describeLevel(planKeys)
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["$id"] = SchemaID
	root["title"] = "orc plan"
	root["description"] = "A plan: tasks for coding agents and commands, with what each needs and writes."
	task := describeLevel(taskKeys)
	task["oneOf"] = []any{
		shape{"required": []any{"prompt"}}, shape{"required": []any{"prompt_file"}}, shape{"required": []any{"run"}},
	}
	root["definitions"] = shape{
		"task":      task,
		"defaults":  describeLevel(defaultsKeys),
		"agent":     agentSchema(),
		"retry":     describeLevel(retryKeys),
		"budget":    budgetSchema(),
		"workspace": describeLevel(workspaceKeys),
		"for_each":  describeLevel(eachKeys),
		"merge":     describeLevel(mergeKeys),
		"workflow":  describeLevel(workflowKeys),
		"step":      describeLevel(stepKeys),
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(fmt.Sprintf("plan: the schema is made of plain values: %v", err))
	}
	return b.Bytes()
}

// describeLevel is the schema of a map with the keys of a level and no others.
func describeLevel[T any](keys []key[T]) shape {
	properties := make(shape, len(keys))
	var required []any
	for _, k := range keys {
		property := shape{"description": k.about, "examples": k.examples}
		if _, reference := k.shape["$ref"]; reference {
			// Draft-07 ignores what stands beside a reference.
			property["allOf"] = []any{k.shape}
		} else {
			maps.Copy(property, k.shape)
		}
		properties[k.name] = property
		if k.required {
			required = append(required, k.name)
		}
	}
	level := shape{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		level["required"] = required
	}
	return level
}
