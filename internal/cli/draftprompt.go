package cli

import (
	"fmt"
	"slices"
	"strings"

	"orchestrator/internal/config"
	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan"
)

// draftRules is how a plan is to be made; the format comes behind it.
const draftRules = `You plan work for coding agents; you do not do it. Read the repository you are in as far as the goal needs it, then
write a plan that reaches the goal. You cannot change files, and need not: nothing you write to disk is kept.

Rules
- Small tasks: each is one thing that one agent finishes in one sitting and that can be checked by itself.
- Agents know only what their prompt says, the files of the repository, and the results of the tasks that they need.
  Name files, functions and what shall be true afterwards.
- ` + "`needs`" + ` only where a task uses what another makes. What does not depend on one another runs in parallel.
- ` + "`writes`" + ` names the files that a task may change, as globs. Tasks that shall run in parallel must not overlap in
  what they write; where two must change the same file, let one need the other.
- ` + "`verify`" + ` for each task: a command of this repository that fails when the work is not done. Look for how tests and
  linters are run here, and use that; do not invent programs.
- Keep every command short and harmless: it is shown to a person, who has to agree to it.
- Your last message is the plan: one fenced block of YAML, whole, and nothing that has to be filled in.
`

const draftExample = "```yaml" + `
version: 1
name: add-sessions
description: Sessions in SQLite, with their documentation.
context: |
  Go service. Read CONTRIBUTING.md first.
defaults:
  agent: coder
  retry: 1
tasks:
  store:
    name: A store of sessions
    prompt: |
      Add internal/session: Store with Create, Get and Delete on SQLite, sessions end after 24 hours.
      Cover it with tests.
    writes: [internal/session/**]
    verify: go test ./internal/session/...
  manual:
    name: What a session is
    prompt: Describe sessions and their lifetime in docs/sessions.md.
    writes: [docs/sessions.md]
    verify: test -s docs/sessions.md
  handlers:
    needs: [store]
    prompt: Use session.Store in internal/http for /login and /logout.
    writes: [internal/http/**]
    verify: [go vet ./..., go test ./internal/http/...]
` + "```"

// draftPrompt is what the agent is asked first.
func draftPrompt(goal string, cfg *config.Config) string {
	var b strings.Builder
	b.WriteString(draftRules)
	b.WriteString("\nAgents (roles) that tasks can name\n")
	for _, role := range cfg.AgentNames() {
		fmt.Fprintf(&b, "- %s: %s\n", role, roleAbout(cfg.Agents[role]))
	}
	fmt.Fprintf(&b, "\nThe format\n%s\nAn example\n\n%s\n\n## The goal\n\n%s\n", plan.Guide(), draftExample, strings.TrimSpace(goal))
	return b.String()
}

// roleAbout is what a planner has to know of a role.
func roleAbout(agent plan.Agent) string {
	about := "changes files"
	if agent.Permissions == plan.Permissions[0] {
		about = "only reads: its result is what it says"
	}
	if agent.Provider != "" {
		about += ", " + agent.Provider
		if agent.Model != "" {
			about += " " + agent.Model
		}
	}
	return about
}

const noBlock = "Your last message had no plan in it. Answer with the whole plan in one fenced block of YAML (```yaml … ```), as told.\n"

// correction is what the agent is told of a plan that is not good yet.
func correction(list diagnostic.List) (string, error) {
	var b strings.Builder
	if list.HasErrors() {
		b.WriteString("The plan has errors. Repair them, and answer with the whole plan again, in one fenced block of YAML.\n\n")
	} else {
		b.WriteString("The plan can be run, and this is worth a second look. Repair what is not meant (let tasks that overlap need one another\n" +
			"or write other files; give each task a `verify`), and answer with the whole plan again, in one fenced block of YAML.\n\n")
	}
	if err := diagnostic.Write(&b, list, diagnostic.Text, diagnostic.Style{Limit: 50}); err != nil {
		return "", fmt.Errorf("say what is wrong with the plan: %w", err)
	}
	return b.String(), nil
}

// doubtful are the findings for which a plan without errors is sent back once.
func doubtful(list diagnostic.List) diagnostic.List {
	var doubts diagnostic.List
	for _, d := range list {
		if slices.Contains([]string{"overlap", "no-verify"}, d.Code) {
			doubts = append(doubts, d)
		}
	}
	return doubts
}
