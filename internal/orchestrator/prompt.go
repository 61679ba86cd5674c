package orchestrator

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/scheduler"
)

// brief is what an attempt is told besides its task: a copy made by the loop when it starts.
type brief struct {
	needs    []needed
	previous *persistence.Attempt // the latest attempt that failed; nil = none
	note     string
	last     *persistence.Attempt        // the one before, however it ended; nil = none
	said     map[scheduler.TaskID]string // the last words of the tasks that are done, for the resolver
}

// needed is a settled dependency.
type needed struct {
	id     scheduler.TaskID
	failed bool
	result string
	err    string
	base   string // its saved work: base..saved
	saved  string
}

const filesTold = 50 // changed files of a dependency that a prompt names

func (e *Engine) briefOf(t *tracked) brief {
	b := brief{note: t.attempt.Note}
	for _, id := range t.task.DependsOn {
		d := e.tasks[id]
		n := needed{id: id, failed: d.task.Status == scheduler.TaskFailed, err: d.task.Error}
		if d.task.Result != nil {
			n.result = *d.task.Result
		}
		if d.attempt != nil {
			n.base, n.saved = d.attempt.Base, d.attempt.Saved
		}
		b.needs = append(b.needs, n)
	}
	b.previous = t.failure
	if t.attempt.Resolve != nil {
		b.previous, b.said = nil, map[scheduler.TaskID]string{}
		for id, d := range e.tasks {
			if d.task.Result != nil {
				b.said[id] = *d.task.Result
			}
		}
	}
	return b
}

// compose writes the prompt: the run's context, the task's own, what its dependencies came to, and what went wrong
// the last time.
func (at *attempt) compose() (string, error) {
	var p strings.Builder
	section := func(title, text string) {
		if text = strings.TrimSpace(text); text == "" {
			return
		}
		if p.Len() > 0 {
			p.WriteString("\n\n")
		}
		if title != "" {
			p.WriteString("## " + title + "\n\n")
		}
		p.WriteString(text)
	}
	if at.a.Resolve != nil {
		section("", at.resolverPrompt())
	} else {
		section("", at.e.frozen.Load().context)
		section("", at.task.Prompt)
	}
	for _, n := range at.toldNeeds() {
		text, err := at.told(n)
		if err != nil {
			return "", err
		}
		title := fmt.Sprintf("Task %s, which this one needs, is done", n.id)
		if n.failed {
			title = fmt.Sprintf("Task %s, which this one needs, FAILED; work without it", n.id)
		}
		section(title, text)
	}
	if prev := at.brief.previous; prev != nil {
		section("The previous attempt failed", prev.Error+"\n\n"+prev.Output)
	}
	section("Note", at.brief.note)
	p.WriteString("\n")
	if err := os.WriteFile(at.e.promptFile(&at.a), []byte(p.String()), 0o600); err != nil {
		return "", fmt.Errorf("write the prompt: %w", err)
	}
	return p.String(), nil
}

// toldNeeds are the dependencies that the prompt tells of; the resolver is told of the conflict alone.
func (at *attempt) toldNeeds() []needed {
	if at.a.Resolve != nil {
		return nil
	}
	return at.brief.needs
}

func (at *attempt) told(n needed) (string, error) {
	if n.failed {
		return n.err, nil
	}
	text := n.result
	if n.saved == "" || n.saved == n.base {
		return text, nil
	}
	changes, err := at.e.o.Repository.Changes(at.ctx, n.base, n.saved)
	if err != nil {
		return "", err
	}
	text += "\n\nChanged files:\n"
	for i, c := range changes {
		if i == filesTold {
			text += fmt.Sprintf("- and %d more\n", len(changes)-i)
			break
		}
		text += "- " + c.Path + "\n"
	}
	return text, nil
}

// environ is the environment of the task's commands: what is allowed of the owner's, and what the command may want to
// know of its task.
func (at *attempt) environ() ([]string, error) {
	a, e := &at.a, at.e
	env := append(at.allowed(),
		"PWD="+at.dir(), "GIT_TERMINAL_PROMPT=0",
		"ORC_RUN="+string(a.Run), "ORC_TASK="+string(a.Task), "ORC_ATTEMPT="+strconv.Itoa(a.Number),
		"ORC_REPOSITORY="+e.o.Repository.Root(), "ORC_WORKSPACE="+at.dir(), "ORC_BASE="+a.Base,
	)
	if at.task.Prompt != "" {
		env = append(env, "ORC_PROMPT_FILE="+e.promptFile(a))
	}
	if item, ok := e.options().Items[a.Task]; ok {
		env = append(env, "ORC_ITEM="+item)
	}
	var failed []string
	for _, n := range at.brief.needs {
		if n.failed {
			failed = append(failed, string(n.id))
		}
	}
	if len(failed) > 0 {
		env = append(env, "ORC_FAILED_NEEDS="+strings.Join(failed, " "))
	}
	if at.brief.note != "" {
		env = append(env, "ORC_NOTE="+at.brief.note)
	}
	if prev := at.brief.previous; prev != nil {
		if err := os.WriteFile(e.previousFile(a), []byte(prev.Output), 0o600); err != nil {
			return nil, fmt.Errorf("write the previous output: %w", err)
		}
		env = append(env, "ORC_PREVIOUS_ERROR="+oneLine(prev.Error), "ORC_PREVIOUS_OUTPUT="+e.previousFile(a))
	}
	return env, nil
}

// providerOf is who works on the task, and with what shell command.
func (e *Engine) providerOf(t *scheduler.Task) (provider.Provider, string, error) {
	return e.providerFor(t, t.AgentRole)
}

// providerFor is the same of a step whose agent is of that role.
func (e *Engine) providerFor(t *scheduler.Task, role string) (provider.Provider, string, error) {
	name, command := "command", t.Command
	if t.Command == "" {
		agent, ok := e.options().Agents[role]
		if !ok {
			return nil, "", fmt.Errorf("no agent %q in this run", role)
		}
		name, command = agent.Provider, agent.Command
	}
	p, ok := e.o.Providers[name]
	if !ok {
		return nil, "", fmt.Errorf("no provider %q in this program", name)
	}
	return p, command, nil
}

func (e *Engine) title(id scheduler.TaskID) string {
	if name := e.definition(id).Name; name != "" {
		return oneLine(name)
	}
	return string(id)
}

func (e *Engine) turn(task scheduler.TaskID, number int, role, content string) persistence.TaskTurn {
	return persistence.TaskTurn{Task: task, ConversationTurn: persistence.ConversationTurn{
		Role: role, Content: e.redacted(strings.ToValidUTF8(content, "\uFFFD")), Timestamp: e.o.Now(), Attempt: number,
	}}
}

// redacted takes secrets out of a text that is to be stored, or told to an agent.
func (e *Engine) redacted(s string) string {
	if e.o.Redact == nil {
		return s
	}
	return e.o.Redact(s)
}

// withoutSecrets takes secrets out of what a turn came to, before anything is made of it.
func (e *Engine) withoutSecrets(r provider.Result) provider.Result {
	r.Error, r.Summary, r.Output = e.redacted(r.Error), e.redacted(r.Summary), e.redacted(r.Output)
	return r
}

// longestSecret is how much more than it keeps of an output is looked at: half a secret would not be known as one.
const longestSecret = 4 << 10

// tail is the end of a log from an offset on, without secrets.
func (e *Engine) tail(log string, from int64) (string, error) {
	text, err := provider.Tail(log, from, outputKept+longestSecret)
	return lastBytes(e.redacted(text), outputKept), err
}

// excerpt is what an event carries of a failing output: its last lines.
func excerpt(s string) string {
	const lines, size = 20, 2 << 10
	s = strings.TrimRight(lastBytes(s, size), "\n")
	for i, n := len(s), 0; i > 0; i-- {
		if s[i-1] == '\n' {
			if n++; n == lines {
				return s[i:]
			}
		}
	}
	return s
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
