package stubmodel

import (
	"encoding/json"
	"strings"
)

// write calls the tool that writes a file; nil = there is none.
func (q Request) write(path, text string) *Call {
	if t, ok := q.tool("Write", "write_file", "developer__write", "create"); ok && !t.Custom {
		args := map[string]any{"content": text + "\n"}
		for _, name := range []string{"file_path", "filePath", "path"} {
			if _, ok := t.Args[name]; ok {
				args[name] = path
				return &Call{Space: t.Space, Name: t.Name, Args: args}
			}
		}
		return nil
	}
	if t, ok := q.tool("apply_patch"); ok {
		patch := "*** Begin Patch\n*** Add File: " + path + "\n+" + text + "\n*** End Patch\n"
		if t.Custom {
			return &Call{Space: t.Space, Name: t.Name, Input: patch}
		}
		return &Call{Space: t.Space, Name: t.Name, Args: map[string]any{"input": patch}}
	}
	return q.shell("printf '%s\\n' '" + strings.ReplaceAll(text, "'", `'\''`) + "' > " + path)
}

// shell calls the tool that runs a command; nil = there is none.
func (q Request) shell(command string) *Call {
	if t, ok := q.codeMode(); ok {
		return inCode(t, "exec_command", quoted(map[string]any{"cmd": command}))
	}
	t, ok := q.tool("Bash", "exec_command", "shell_command", "shell", "developer__shell", "run_shell_command")
	if !ok {
		return nil
	}
	args := map[string]any{}
	switch {
	case t.Args["cmd"] != "":
		args["cmd"] = command
	case t.Args["command"] == "array":
		args["command"] = []string{"bash", "-c", command}
	default:
		args["command"] = command
	}
	if t.Args["description"] != "" {
		args["description"] = "run a command"
	}
	return &Call{Space: t.Space, Name: t.Name, Args: args}
}

// serverTool calls a tool of an MCP server, whose name every agent builds in its own way; nil = it is not offered.
func (q Request) serverTool(server, name, args string) *Call {
	if args == "" {
		args = "{}"
	}
	var decoded map[string]any
	if json.Unmarshal([]byte(args), &decoded) != nil {
		return nil
	}
	long := "mcp__" + server + "__" + name
	if t, ok := q.tool(long, server+"__"+name, server+"_"+name, "mcp_"+server+"_"+name); ok {
		return &Call{Space: t.Space, Name: t.Name, Args: decoded}
	}
	if t, ok := q.codeMode(); ok {
		return inCode(t, long, args)
	}
	return nil
}

// codeMode finds the tool that takes a program whose functions are the other tools.
func (q Request) codeMode() (Tool, bool) {
	t, ok := q.tool("exec")
	return t, ok && t.Custom
}

// inCode calls a function of a code mode tool with one argument.
func inCode(t Tool, function, argument string) *Call {
	return &Call{Space: t.Space, Name: t.Name, Input: "const r = await tools." + function + "(" + argument + "); text(JSON.stringify(r));"}
}

// argumentTypes reads the names and types of a tool's arguments from its JSON Schema.
func argumentTypes(schemas ...json.RawMessage) map[string]string {
	types := map[string]string{}
	for _, raw := range schemas {
		var schema struct {
			Properties map[string]struct {
				Type any `json:"type"`
			} `json:"properties"`
		}
		if len(raw) == 0 || json.Unmarshal(raw, &schema) != nil {
			continue // a schema of another shape has no arguments that we know of
		}
		for name, p := range schema.Properties {
			types[name] = "any"
			if word, ok := p.Type.(string); ok {
				types[name] = strings.ToLower(word)
			}
		}
	}
	return types
}
