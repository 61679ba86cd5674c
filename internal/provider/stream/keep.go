package stream

import (
	"path/filepath"

	"orchestrator/internal/provider"
)

// keeper says where an agent's program keeps its own files: below a folder that a variable names, else in HOME, or by
// the rules of XDG.
type keeper struct {
	variable, inHome string   // of its one folder
	xdg              string   // name in each of the folders of XDG
	files            []string // in HOME
	settings         []string // in its folder, or in that for configuration
}

// keepers are those whose habits are known, by the program's name.
var keepers = map[string]keeper{
	"claude": {
		variable: "CLAUDE_CONFIG_DIR", inHome: ".claude", files: []string{".claude.json"},
		settings: []string{"settings.json", "settings.local.json", "CLAUDE.md", "agents", "commands", "hooks", "output-styles", "plugins", "skills"},
	},
	"codex": {
		variable: "CODEX_HOME", inHome: ".codex",
		settings: []string{"config.toml", "hooks.json", "AGENTS.md", "prompts", "rules"},
	},
	"goose":    {variable: "GOOSE_PATH_ROOT", xdg: "goose", settings: []string{"config.yaml", "config/config.yaml", ".goosehints", "config/.goosehints"}},
	"opencode": {xdg: "opencode", settings: []string{"opencode.json", "opencode.jsonc", "config.json", "AGENTS.md", "agent", "command", "plugin", "plugins"}},
	"gemini":   {inHome: ".gemini", settings: []string{"settings.json", "GEMINI.md", ".env", "commands", "extensions", "policies"}},
	"qwen":     {inHome: ".qwen", settings: []string{"settings.json", "QWEN.md", ".env", "commands", "extensions"}},
	"copilot":  {variable: "COPILOT_HOME", inHome: ".copilot", settings: []string{"config.json", "mcp-config.json", "hooks"}},
	"fake":     {inHome: ".fake-agent"},
}

// xdgFolders are the folders of XDG with their places in HOME.
var xdgFolders = [][2]string{
	{"XDG_CONFIG_HOME", ".config"}, {"XDG_DATA_HOME", ".local/share"}, {"XDG_STATE_HOME", ".local/state"}, {"XDG_CACHE_HOME", ".cache"},
}

// Keeps says what an agent's program writes outside of its workspace, by its usual name; nothing of one that is not
// known.
func Keeps(name string, env []string) provider.Kept {
	k, known := keepers[name]
	home := Get(env, "HOME")
	if !known {
		return provider.Kept{}
	}
	var kept provider.Kept
	configs := k.folders(env, &kept)
	for _, name := range k.files {
		if home != "" && (k.variable == "" || Get(env, k.variable) == "") {
			kept.Files = append(kept.Files, filepath.Join(home, name))
		}
	}
	for _, folder := range configs {
		for _, name := range k.settings {
			kept.Settings = append(kept.Settings, filepath.Join(folder, name))
		}
	}
	return kept
}

// folders adds the program's folders, and returns those that may hold its settings.
func (k keeper) folders(env []string, kept *provider.Kept) (configs []string) {
	add := func(dir string) {
		if filepath.IsAbs(dir) {
			kept.Folders = append(kept.Folders, dir)
			configs = append(configs, dir)
		}
	}
	if k.xdg == "" || k.variable != "" && Get(env, k.variable) != "" {
		add(Home(env, k.variable, k.inHome))
		return configs
	}
	for _, x := range xdgFolders {
		if base := Home(env, x[0], x[1]); base != "" {
			add(filepath.Join(base, k.xdg))
		}
	}
	return configs
}
