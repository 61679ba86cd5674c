package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Guide explains the format to somebody who is to write a plan: all keys, made from the table that the checker uses.
func Guide() string {
	var b strings.Builder
	b.WriteString("Keys of the plan:\n")
	guideLevel(&b, planKeys)
	b.WriteString("\nKeys of a task (exactly one of prompt, prompt_file and run):\n")
	guideLevel(&b, taskKeys)
	fmt.Fprintf(&b, "\nKeys of `defaults`, which hold for every task that does not have them: %s\n", strings.Join(names(defaultsKeys), ", "))
	return b.String()
}

func guideLevel[T any](b *strings.Builder, keys []key[T]) {
	for _, k := range keys {
		required := ""
		if k.required {
			required = " (required)"
		}
		fmt.Fprintf(b, "- `%s`%s: %s\n", k.name, required, k.about)
	}
}

// FromAnswer finds the plan in what an agent said: the last fenced block that has tasks, or all of a text that is
// nothing but a plan. ok is false when there is none.
func FromAnswer(answer string) (text []byte, ok bool) {
	found := ""
	lines := strings.SplitAfter(answer, "\n")
	for i := 0; i < len(lines); i++ {
		indent, fence, word := openingFence(lines[i])
		if fence == "" {
			continue
		}
		var block strings.Builder
		for i++; i < len(lines) && !closesFence(lines[i], indent, fence); i++ {
			block.WriteString(outdent(lines[i], indent))
		}
		if language := strings.ToLower(word); hasTasks(block.String()) && (language == "" || language == "yaml" || language == "yml" || language == "json") {
			found = block.String()
		}
	}
	if found == "" && hasTasks(answer) && startsPlan(answer) {
		found = answer
	}
	if found == "" {
		return nil, false
	}
	return []byte(strings.TrimRight(found, " \t\r\n") + "\n"), true
}

// openingFence takes apart a line that begins a block; fence is empty when it does not.
func openingFence(line string) (indent int, fence, word string) {
	rest := strings.TrimLeft(line, " ")
	indent = len(line) - len(rest)
	for _, mark := range []string{"`", "~"} {
		if after := strings.TrimLeft(rest, mark); len(rest)-len(after) >= 3 {
			word, _, _ = strings.Cut(strings.TrimSpace(after), " ")
			return indent, rest[:len(rest)-len(after)], word
		}
	}
	return indent, "", ""
}

// closesFence says whether a line ends a block. A fence that stands further in than the block's own is part of it: of
// a prompt, for example.
func closesFence(line string, indent int, fence string) bool {
	rest := strings.TrimLeft(line, " ")
	return len(line)-len(rest) <= indent && strings.HasPrefix(rest, fence) && strings.Trim(strings.TrimSpace(rest), fence[:1]) == ""
}

// outdent takes away the spaces by which a whole block stands further in.
func outdent(line string, indent int) string {
	for range indent {
		line = strings.TrimPrefix(line, " ")
	}
	return line
}

func hasTasks(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "tasks:") || strings.Contains(line, `"tasks"`) {
			return true
		}
	}
	return false
}

// startsPlan says whether a text without a fence begins as a plan does.
func startsPlan(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line == "---" || strings.HasPrefix(line, "#") {
			continue
		}
		key, _, colon := strings.Cut(line, ":")
		return colon && slices.Contains(names(planKeys), key) || strings.HasPrefix(line, "{")
	}
	return false
}
