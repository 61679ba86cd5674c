package gemini

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/stream"
)

const (
	homeVariable = "GEMINI_CLI_HOME"
	folder       = ".gemini"
	settingsFile = "settings.json"
)

// environ is the turn's with a home of the task's own.
func environ(t provider.Turn) ([]string, error) {
	base := stream.Home(t.Env, homeVariable, "")
	if base == "" {
		return nil, errors.New("gemini: HOME is not set")
	}
	own := filepath.Join(t.State, "gemini-home")
	if err := makeHome(filepath.Join(base, folder), filepath.Join(own, folder), t); err != nil {
		return nil, fmt.Errorf("gemini: make a home for the task: %w", err)
	}
	env := make([]string, 0, len(t.Env)+4)
	for _, e := range t.Env {
		if !strings.HasPrefix(e, homeVariable+"=") {
			env = append(env, e)
		}
	}
	return stream.With(append(env, homeVariable+"="+own),
		trustVariable+"=true",         // it has nothing to trust, or was trusted: see commanding
		"GEMINI_CLI_NO_RELAUNCH=true", // else a second process hides the first's end
		"GEMINI_TELEMETRY_ENABLED=false",
	), nil
}

const trustVariable = "GEMINI_CLI_TRUST_WORKSPACE"

// commanding is the first file in the workspace by which the program could be made to run commands or to speak to
// another model server. It is nothing where a person has said that they trust it.
func commanding(t provider.Turn) string {
	if stream.Get(t.Env, trustVariable) == "true" {
		return ""
	}
	for _, name := range []string{"settings.json", ".env", "extensions", "hooks", "policies"} {
		if name = filepath.Join(folder, name); stream.Exists(filepath.Join(t.Dir, name)) {
			return name
		}
	}
	return ""
}

// makeHome links everything of the person's into the task's, but for the settings. Sessions stay with the person's.
func makeHome(from, to string, t provider.Turn) error {
	for _, dir := range []string{to, filepath.Join(from, "tmp")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == settingsFile {
			continue
		}
		err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	settings := map[string]any{}
	b, err := os.ReadFile(filepath.Join(from, settingsFile))
	if err == nil {
		if err := json.Unmarshal(plain(b), &settings); err != nil {
			return fmt.Errorf("understand %s: %w", filepath.Join(from, settingsFile), err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	amend(settings, t)
	if b, err = json.MarshalIndent(settings, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, settingsFile), b, 0o600)
}

// amend adds our MCP servers, and what the person's settings do not say.
func amend(settings map[string]any, t provider.Turn) {
	missing(settings, false, "general", "enableAutoUpdate")
	missing(settings, 3, "general", "maxAttempts")
	missing(settings, false, "privacy", "usageStatisticsEnabled")
	if stream.Get(t.Env, "GEMINI_API_KEY") != "" {
		missing(settings, "gemini-api-key", "security", "auth", "selectedType")
	}
	for _, s := range t.Servers {
		server := map[string]any{
			"command": s.Command, "args": append([]string{}, s.Args...), "env": s.Env,
			"trust":   true,
			"timeout": 24 * 60 * 60 * 1000, // milliseconds: a person may have to answer
		}
		missing(settings, server, "mcpServers", s.Name)
	}
}

// missing sets a value that is not there.
func missing(settings map[string]any, value any, path ...string) {
	for _, name := range path[:len(path)-1] {
		next, ok := settings[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			settings[name] = next
		}
		settings = next
	}
	if last := path[len(path)-1]; settings[last] == nil {
		settings[last] = value
	}
}

// plain takes the comments out of the program's JSON.
func plain(b []byte) []byte {
	out := make([]byte, 0, len(b))
	inText := false
	for i := 0; i < len(b); i++ {
		rest := b[i:]
		switch {
		case inText && b[i] == '\\' && len(rest) > 1:
			out = append(out, rest[:2]...)
			i++
			continue
		case b[i] == '"':
			inText = !inText
		case !inText && len(rest) > 1 && rest[0] == '/' && rest[1] == '/':
			for i < len(b) && b[i] != '\n' {
				i++
			}
			out = append(out, '\n')
			continue
		case !inText && len(rest) > 1 && rest[0] == '/' && rest[1] == '*':
			end := strings.Index(string(rest[2:]), "*/")
			if end < 0 {
				return out
			}
			i += 2 + end + 1
			continue
		}
		out = append(out, b[i])
	}
	return out
}
