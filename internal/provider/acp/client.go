package acp

import (
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	protocol "github.com/coder/acp-go-sdk"

	"orchestrator/internal/provider"
)

// client answers the agent. Of files and terminals it was offered nothing.
type client struct {
	c *conversation
}

var _ protocol.Client = (*client)(nil)

// RequestPermission answers by the role's permissions.
func (a *client) RequestPermission(_ context.Context, q protocol.RequestPermissionRequest) (protocol.RequestPermissionResponse, error) {
	allowed := a.c.allows(&q.ToolCall)
	title := string(q.ToolCall.ToolCallId)
	if q.ToolCall.Title != nil {
		title = *q.ToolCall.Title
	}
	a.c.log.write(record{Record: "permission", Tool: title, Allowed: allowed})
	return protocol.RequestPermissionResponse{Outcome: choose(q.Options, allowed)}, nil
}

// choose takes the answer that holds for this one call.
func choose(options []protocol.PermissionOption, allowed bool) protocol.RequestPermissionOutcome {
	kinds := []protocol.PermissionOptionKind{protocol.PermissionOptionKindRejectOnce, protocol.PermissionOptionKindRejectAlways}
	if allowed {
		kinds = []protocol.PermissionOptionKind{protocol.PermissionOptionKindAllowOnce, protocol.PermissionOptionKindAllowAlways}
	}
	for _, kind := range kinds {
		for _, o := range options {
			if o.Kind == kind {
				return protocol.NewRequestPermissionOutcomeSelected(o.OptionId)
			}
		}
	}
	return protocol.NewRequestPermissionOutcomeCancelled()
}

// looks are the kinds of tools that change nothing here.
var looks = []protocol.ToolKind{protocol.ToolKindRead, protocol.ToolKindSearch, protocol.ToolKindThink}

// changes are the kinds that change files.
var changes = []protocol.ToolKind{protocol.ToolKindEdit, protocol.ToolKindDelete, protocol.ToolKindMove}

// allows says whether a tool may be used. Nobody confines commands here, so that they need full permissions; files
// may be changed inside the workspace; our own servers' tools may always be called.
func (c *conversation) allows(call *protocol.ToolCallUpdate) bool {
	if c.t.Permissions == provider.PermitFull || c.ours(call) {
		return true
	}
	kind := protocol.ToolKind("")
	if call.Kind != nil {
		kind = *call.Kind
	}
	input := arguments(call.RawInput)
	switch {
	case slices.Contains(looks, kind):
		return true
	case c.t.Permissions == provider.PermitRead, !c.inside(call, input):
		return false
	case slices.Contains(changes, kind):
		return true
	case kind == "", kind == protocol.ToolKindOther && c.writes(call):
		// Goose gives no kind that says anything. What has a path and no command is about a file.
		return input["path"] != nil && input["command"] == nil
	}
	return false
}

func arguments(raw any) map[string]any {
	switch v := raw.(type) {
	case map[string]any:
		return v
	case json.RawMessage:
		var m map[string]any
		if json.Unmarshal(v, &m) == nil {
			return m
		}
	}
	return nil
}

// writes says whether a call is of a tool that the agent's profile knows to change files.
func (c *conversation) writes(call *protocol.ToolCallUpdate) bool {
	return call.Title != nil && slices.ContainsFunc(c.profile.writers, func(beginning string) bool {
		return strings.HasPrefix(*call.Title, beginning)
	})
}

// ours says whether a call is of a server that we offered, by the names that agents make of its tools.
func (c *conversation) ours(call *protocol.ToolCallUpdate) bool {
	if call.Title == nil || call.Kind != nil && *call.Kind == protocol.ToolKindExecute {
		return false
	}
	for _, s := range c.t.Servers {
		for _, name := range []string{"mcp__" + s.Name + "__", "mcp." + s.Name + ".", s.Name + "__", s.Name + "_"} {
			if strings.HasPrefix(*call.Title, name) && !strings.ContainsAny(*call.Title, " /") {
				return true
			}
		}
		if rest, ok := strings.CutPrefix(*call.Title, s.Name+": "); ok && c.profile.name == "goose" && spoken.MatchString(rest) {
			return true
		}
	}
	return false
}

// spoken is how Goose writes a tool's name, behind that of its server. What its own tools do, it tells as "shell · …".
var spoken = regexp.MustCompile(`^[a-z0-9][a-z0-9 _-]*$`)

// inside says whether all paths that a call names are in the workspace.
func (c *conversation) inside(call *protocol.ToolCallUpdate, input map[string]any) bool {
	var paths []string
	for _, l := range call.Locations {
		paths = append(paths, l.Path)
	}
	for _, part := range call.Content {
		if part.Diff != nil {
			paths = append(paths, part.Diff.Path)
		}
	}
	for _, name := range []string{"path", "file_path", "filePath"} {
		if p, ok := input[name].(string); ok {
			paths = append(paths, p)
		}
	}
	for _, p := range paths {
		if !within(c.t.Dir, p) {
			return false
		}
	}
	return true
}

// within resolves links as far as the path exists.
func within(dir, path string) bool {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	rest := ""
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			rel, err := filepath.Rel(root, filepath.Join(real, rest))
			return err == nil && filepath.IsLocal(rel)
		}
		if p == filepath.Dir(p) {
			return false
		}
		rest = filepath.Join(filepath.Base(p), rest)
	}
}

// SessionUpdate is never called: updates do not reach the library.
func (a *client) SessionUpdate(context.Context, protocol.SessionNotification) error { return nil }

// ReadTextFile was not offered.
func (a *client) ReadTextFile(context.Context, protocol.ReadTextFileRequest) (protocol.ReadTextFileResponse, error) {
	return protocol.ReadTextFileResponse{}, protocol.NewMethodNotFound(protocol.ClientMethodFsReadTextFile)
}

// WriteTextFile was not offered.
func (a *client) WriteTextFile(context.Context, protocol.WriteTextFileRequest) (protocol.WriteTextFileResponse, error) {
	return protocol.WriteTextFileResponse{}, protocol.NewMethodNotFound(protocol.ClientMethodFsWriteTextFile)
}

// CreateTerminal was not offered.
func (a *client) CreateTerminal(context.Context, protocol.CreateTerminalRequest) (protocol.CreateTerminalResponse, error) {
	return protocol.CreateTerminalResponse{}, protocol.NewMethodNotFound(protocol.ClientMethodTerminalCreate)
}

// KillTerminal was not offered.
func (a *client) KillTerminal(context.Context, protocol.KillTerminalRequest) (protocol.KillTerminalResponse, error) {
	return protocol.KillTerminalResponse{}, protocol.NewMethodNotFound(protocol.ClientMethodTerminalKill)
}

// TerminalOutput was not offered.
func (a *client) TerminalOutput(context.Context, protocol.TerminalOutputRequest) (protocol.TerminalOutputResponse, error) {
	return protocol.TerminalOutputResponse{}, protocol.NewMethodNotFound(protocol.ClientMethodTerminalOutput)
}

// ReleaseTerminal was not offered.
func (a *client) ReleaseTerminal(context.Context, protocol.ReleaseTerminalRequest) (protocol.ReleaseTerminalResponse, error) {
	return protocol.ReleaseTerminalResponse{}, protocol.NewMethodNotFound(protocol.ClientMethodTerminalRelease)
}

// WaitForTerminalExit was not offered.
func (a *client) WaitForTerminalExit(context.Context, protocol.WaitForTerminalExitRequest) (protocol.WaitForTerminalExitResponse, error) {
	return protocol.WaitForTerminalExitResponse{}, protocol.NewMethodNotFound(protocol.ClientMethodTerminalWaitForExit)
}
