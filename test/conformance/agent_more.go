package main

import (
	"fmt"
	"path/filepath"

	"orchestrator/internal/provider"
	"orchestrator/internal/provider/acp"
	"orchestrator/internal/provider/gemini"
	"orchestrator/internal/provider/opencode"
)

const openCodeConfig = `{
  "$schema": "https://opencode.ai/config.json", "autoupdate": false, "share": "disabled",
  "model": "stub/stub-model", "small_model": "stub/stub-model", "enabled_providers": ["stub"],
  "provider": {"stub": {
    "npm": "@ai-sdk/openai-compatible", "name": "Stub",
    "options": {"baseURL": "%s/v1", "apiKey": "not-a-key"},
    "models": {"stub-model": {"name": "Stub", "limit": {"context": 1000000, "output": 8000}}}
  }}
}
`

// openCodeAgent plays the scenarios that no capture can stand for: starting the program takes it long.
func openCodeAgent() agent {
	return agent{
		name: "opencode", driver: opencode.OpenCode{}, program: "opencode-linux-x64-baseline/bin/opencode", optional: true,
		version: "1.18.33", saysReset: true, unknown: "ses_df371bf60ffeSX5nw2vtZXXSUj",
		skip: without("retry", "mid-stream", "overload", "credit", "context", "model", "refused", "prompt", "words"),
		prepare: func(s *site) ([]string, error) {
			err := writeFile(filepath.Join(s.Home, "config", "opencode", "opencode.json"), fmt.Sprintf(openCodeConfig, s.model.URL()))
			return []string{
				"XDG_CONFIG_HOME=" + filepath.Join(s.Home, "config"), "XDG_DATA_HOME=" + filepath.Join(s.Home, "data"),
				"XDG_STATE_HOME=" + filepath.Join(s.Home, "state"), "XDG_CACHE_HOME=" + filepath.Join(s.Home, "cache"),
				"OPENCODE_DISABLE_AUTOUPDATE=1", "OPENCODE_DISABLE_MODELS_FETCH=1", "OPENCODE_DISABLE_LSP_DOWNLOAD=1",
				"OPENCODE_DISABLE_DEFAULT_PLUGINS=1", "OPENCODE_DISABLE_SHARE=1",
			}, err
		},
	}
}

// without skips scenarios with an agent that is slow to start.
func without(names ...string) map[string]string {
	skip := map[string]string{}
	for _, name := range names {
		skip[name] = "the program is slow to start; its captures stand for it"
	}
	return skip
}

func geminiAgent() agent {
	return agent{
		name: "gemini", driver: gemini.Gemini{}, program: ".bin/gemini", optional: true, node: oldestNode,
		version: "0.61.0", model: "gemini-2.5-pro", unknown: unknownUUID, saysReset: true, commands: withFullPermissions,
		prepare: func(s *site) ([]string, error) {
			return []string{"GEMINI_API_KEY=not-a-key", "GOOGLE_GEMINI_BASE_URL=" + s.model.URL()}, nil
		},
	}
}

// gooseByProtocol is the same program, driven by the Agent Client Protocol.
func gooseByProtocol() agent {
	a := gooseAgent()
	a.name, a.driver, a.unknown, a.loose = "acp-goose", acp.ACP{}, "20200101_1", false
	a.commands, a.last = withFullPermissions, true
	a.skip = map[string]string{"context": "the program does not tell it by this protocol"}
	return a
}

// withFullPermissions is for agents that ask: there nobody confines commands, so that none is allowed with less.
func withFullPermissions(t *provider.Turn) { t.Permissions = provider.PermitFull }

// openCodeByProtocol is OpenCode, driven by the Agent Client Protocol.
func openCodeByProtocol() agent {
	a := openCodeAgent()
	a.name, a.driver, a.commands, a.last = "acp-opencode", acp.ACP{}, withFullPermissions, true
	return a
}
