package plan

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

const keysPage = "../../docs/plan-keys.md"

const keysPageHead = `# Every key of a plan

How a plan is written, with examples, is in [plan.md](plan.md). This page is made of the keys that the checker knows, as is the
JSON Schema that ` + "`orc plan schema`" + ` prints.
`

// docs/plan-keys.md is made of the keys.
func TestThePageOfKeysIsTrue(t *testing.T) {
	var b strings.Builder
	b.WriteString(keysPageHead)
	writeKeys(t, &b, "The plan", "", planKeys)
	writeKeys(t, &b, "A task", "`tasks.<id>`", taskKeys)
	writeKeys(t, &b, "Defaults", "`defaults`: for every task that does not have the key itself", defaultsKeys)
	writeKeys(t, &b, "Lists", "`for_each`, where it is no list", eachKeys)
	writeKeys(t, &b, "Retries", "`retry`, where it is no number", retryKeys)
	writeKeys(t, &b, "Budgets", "`budget` of a plan, of `defaults` and of a task", budgetKeys)
	writeKeys(t, &b, "Workspaces", "`workspace` of a plan, of `defaults` and of a task", workspaceKeys)
	writeKeys(t, &b, "Merging", "`merge`", mergeKeys)
	writeKeys(t, &b, "Agents", "`agents.<role>`, as in the settings ([configuration.md](configuration.md#agents))", agentKeys)
	writeKeys(t, &b, "Workflows", "`workflows.<name>`", workflowKeys)
	writeKeys(t, &b, "Steps", "Each of `workflows.<name>.steps`", stepKeys)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(keysPage, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(keysPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is stale: UPDATE_GOLDEN=1 go test ./internal/plan -run PageOfKeys", keysPage)
	}
}

func writeKeys[T any](t *testing.T, b *strings.Builder, title, where string, keys []key[T]) {
	t.Helper()
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if where != "" {
		b.WriteString(where + "\n\n")
	}
	b.WriteString("| Key | What it does | Example |\n|---|---|---|\n")
	for _, k := range keys {
		name, about := "`"+k.name+"`", strings.ReplaceAll(strings.ReplaceAll(k.about, "\n", " "), "|", `\|`)
		if k.required {
			name += " (required)"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, about, exampleOf(t, k.name, k.examples))
	}
}

// exampleOf is the first example in the short form of YAML that is also JSON; a long one says nothing in a table.
func exampleOf(t *testing.T, name string, examples []any) string {
	t.Helper()
	if len(examples) == 0 {
		return ""
	}
	value, err := json.Marshal(examples[0])
	if err != nil {
		t.Fatal(err)
	}
	if text, isText := examples[0].(string); isText && !strings.ContainsAny(text, "\n:#*`") {
		value = []byte(text)
	}
	if len(value) > 60 {
		return ""
	}
	return "`" + name + ": " + strings.ReplaceAll(string(value), "|", `\|`) + "`"
}
