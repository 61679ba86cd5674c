package plan

import (
	"strings"

	"orchestrator/internal/plan/document"
)

// fallback is what an agent of the plan falls back on.
type fallback struct {
	of string
	to document.Item
}

// checkFallbacks says which agents fall back on themselves.
func (c *checker) checkFallbacks() {
	for _, f := range c.fallbacks {
		if circle := FallbackCircle(c.draft.Agents, f.of); circle != "" {
			c.Error(f.to.Node, "bad-fallback", "agents fall back on each other: "+circle, "remove one of these `fallback`")
			return
		}
	}
}

// FallbackCircle follows the fallbacks of a role: "a → b → a" when they lead back to it, else empty.
func FallbackCircle(agents map[string]Agent, role string) string {
	path := []string{role}
	for next := agents[role].Fallback; next != "" && len(path) <= len(agents); next = agents[next].Fallback {
		path = append(path, next)
		if next == role {
			return strings.Join(path, " → ")
		}
	}
	return ""
}
