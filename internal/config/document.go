package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/internal/plan"
)

// Table is the keys as tables in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| Key | Value | Default | Variable | What it does |\n|---|---|---|---|---|\n")
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + s + "`"
	}
	for _, k := range table {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, k.Type, code(k.Default), code(k.Variable()), k.About)
	}
	b.WriteString("\n## Providers\n\n`providers.<name>` says how to start an agent's program:\n\n| Key | What it does |\n|---|---|\n")
	for _, f := range providerFields {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.name, f.about)
	}
	fmt.Fprintf(&b, "\n## Agents\n\n`agents.<role>` says who does the work. The roles `%s` are there without any file; one that says\n"+
		"nothing of its provider is done by the first agent that is installed.\n\n| Key | What it does |\n|---|---|\n", strings.Join(Roles, "`, `"))
	about := plan.AgentKeys()
	for _, name := range agentFields {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, about[name])
	}
	b.WriteString("\n## Workflows\n\n`workflows.<name>.steps` is a list of steps. A workflow of a higher layer replaces one of the same name whole. There without any\n" +
		"file:\n\n")
	for _, name := range slices.Sorted(maps.Keys(builtInWorkflows)) {
		w := builtInWorkflows[name]
		fmt.Fprintf(&b, "- `%s`: %s\n", name, w.String())
	}
	b.WriteString("\n| Key | What it does |\n|---|---|\n")
	names, about := plan.WorkflowKeys()
	for _, name := range names {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, about[name])
	}
	return b.String()
}

// oneOf is a shape of a few words.
func oneOf(words ...string) map[string]any { return map[string]any{"type": "string", "enum": words} }

// Schema is the JSON Schema (draft-07) of files of settings, made from the keys that Load reads.
func Schema() []byte {
	mapOf := func(definition string) map[string]any {
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"$ref": "#/definitions/" + definition}}
	}
	described := func(shape map[string]any, about string) map[string]any {
		s := maps.Clone(shape)
		s["description"] = about
		return s
	}
	provider := map[string]any{}
	for _, f := range providerFields {
		provider[f.name] = described(f.shape, f.about)
	}
	properties := map[string]any{}
	for _, k := range table {
		shape := k.shape
		switch k.Name {
		case "agents":
			shape = mapOf("agent")
		case "providers":
			shape = mapOf("provider")
		case "workflows":
			shape = mapOf("workflow")
		}
		if section, name, in := strings.Cut(k.Name, "."); in {
			part, has := properties[section].(map[string]any)
			if !has {
				part = map[string]any{"type": "object", "properties": map[string]any{}, "additionalProperties": false}
				properties[section] = part
			}
			part["properties"].(map[string]any)[name] = described(shape, k.About)
			continue
		}
		properties[k.Name] = described(shape, k.About)
	}
	workflow, step := plan.WorkflowSchema()
	root := map[string]any{
		"$schema": "http://json-schema.org/draft-07/schema#", "$id": "config.v1.schema.json", "title": "orc settings",
		"description": "Settings of orc: how many tasks run at a time, which agents do them.",
		"type":        "object", "properties": properties, "additionalProperties": false,
		"definitions": map[string]any{
			"agent":    plan.AgentSchema(),
			"workflow": workflow,
			"step":     step,
			"provider": map[string]any{"type": "object", "properties": provider, "additionalProperties": false},
		},
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(fmt.Sprintf("config: the schema is made of plain values: %v", err))
	}
	return b.Bytes()
}

// Field finds a key that can be set: a name of the table, agents.<role>.<field>, providers.<name>.<field> or
// providers.<name>.set.<variable>. It returns the key's parts as they stand in a file, and whether it takes a list.
func Field(key string) (path []string, list, ok bool) {
	section, rest, deep := strings.Cut(key, ".")
	if i := slices.IndexFunc(table, func(k Key) bool { return k.Name == key && k.parse != nil }); i >= 0 || !deep {
		return strings.Split(key, "."), i >= 0 && table[i].list, i >= 0
	}
	if name, variable, is := strings.Cut(rest, ".set."); section == "providers" && is {
		return []string{section, name, "set", variable}, false, name != "" && variable != ""
	}
	at := strings.LastIndexByte(rest, '.')
	if at <= 0 {
		return nil, false, false
	}
	name, field := rest[:at], rest[at+1:]
	path = []string{section, name, field}
	switch section {
	case "agents":
		return path, field == "args", slices.Contains(agentFields, field)
	case "providers":
		return path, field == "args" || field == "env", field != "set" && slices.Contains(providerFieldNames(), field)
	}
	return nil, false, false
}
