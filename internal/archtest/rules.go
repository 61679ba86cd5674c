package archtest

// anything stands for "may import every package of ours".
const anything = "*"

// arrows says which packages of ours a package may import; one that is missing here may not exist. The parent
// rule for "provider/*" and "workspace/*" is for drivers: they see their port and never one another.
//
// Test files are free of these rules, but not of the fences.
var arrows = map[string][]string{
	"cmd/orc": {"internal/cli"},

	// The domain: standard library only, so that its rules can be tested by the hundred thousand.
	"internal/scheduler": {},
	"internal/event":     {},
	// Child processes: knows no word of the domain.
	"internal/process": {"internal/fault"},
	// What was run, for people to read.
	"internal/commandlog": {},
	// Instants to die at and bugs to plant, for test/torture; nothing in a build without tags.
	"internal/fault": {},

	// What keeps secrets and strangers' commands where they belong.
	"internal/environ": {},
	"internal/redact":  {},
	"internal/trust":   {},
	"internal/sandbox": {"internal/process"},

	// Files that people write, and what is wrong with them.
	"internal/diagnostic":    {},
	"internal/plan":          {"internal/scheduler", "internal/diagnostic", "internal/plan/document"},
	"internal/plan/document": {"internal/diagnostic"},
	"internal/plan/tasklist": {},
	"internal/config": {
		"internal/scheduler", "internal/diagnostic", "internal/plan", "internal/plan/document", "internal/environ", "internal/redact",
	},

	"internal/persistence":            {"internal/scheduler", "internal/event", "internal/fault"},
	"internal/persistence/storetest":  {"internal/persistence", "internal/scheduler", "internal/event"},
	"internal/persistence/storefault": {"internal/persistence", "internal/scheduler", "internal/event"},

	"internal/provider":              {"internal/process"},
	"internal/provider/*":            {"internal/provider", "internal/provider/stream", "internal/process"},
	"internal/provider/providertest": {"internal/provider", "internal/provider/stream", "internal/process"},

	"internal/workspace":   {"internal/scheduler", "internal/process", "internal/fault"},
	"internal/workspace/*": {"internal/workspace", "internal/scheduler", "internal/process"},

	"internal/orchestrator": {
		"internal/scheduler", "internal/event", "internal/persistence",
		"internal/process", "internal/provider", "internal/workspace", "internal/fault", "internal/environ",
	},

	"internal/invariants": {"internal/scheduler", "internal/event", "internal/persistence"},
	// What an agent reaches us by; what its tools do is wired in cli.
	"internal/mcp": {},

	"internal/view":     {"internal/event", "internal/scheduler"},
	"internal/progress": {"internal/view", "internal/event", "internal/scheduler"},
	"internal/tui":      {"internal/view", "internal/event", "internal/scheduler"},

	// The only place that joins things together.
	"internal/cli": {anything},

	"internal/archtest": {},

	// Programs that look at orc from outside: they run the binary and read what it prints, and torture what it stores.
	"examples/demo": {},
	"test/rig":      {},
	"test/bench":    {"internal/scheduler", "test/rig"},
	"test/torture":  {"test/rig", "internal/fault", "internal/invariants", "internal/persistence", "internal/scheduler"},
	// A program on a terminal, and those that look at it: pictures for the manual, and how fast it is in a flood.
	"test/screen":      {},
	"test/screenshots": {"test/rig", "test/screen"},
	"test/flood":       {"test/rig", "test/screen"},
	// Programs that look at the store alone, at what only it can show.
	"test/benchstore": {"internal/persistence", "internal/scheduler"},
	"test/killstore":  {"internal/persistence", "internal/scheduler", "internal/event"},

	// The agents' model, and the suite that drives real agents both through their drivers and through orc.
	"test/stubmodel":       {},
	"test/stubmodel/serve": {"test/stubmodel"},
	"test/conformance": {
		"internal/process", "internal/provider", "internal/provider/claude", "internal/provider/codex",
		"internal/provider/goose", "internal/provider/opencode", "internal/provider/gemini", "internal/provider/acp",
		"test/rig", "test/stubmodel",
	},
}

// fences says where a third party may be imported; one that is missing here may be imported nowhere.
var fences = map[string][]string{
	"charm.land/bubbletea":                 {"internal/tui"},
	"charm.land/lipgloss":                  {"internal/tui"},
	"charm.land/bubbles":                   {"internal/tui"},
	"github.com/charmbracelet":             {"internal/tui"},
	"github.com/charmbracelet/x/vt":        {"test/screen"}, // a terminal's screen
	"github.com/charmbracelet/ultraviolet": {"test/screen"},
	"github.com/charmbracelet/x/ansi":      {"internal/tui", "internal/progress", "internal/cli", "test/screenshots"}, // widths and truncation; colours
	"github.com/spf13/cobra":               {"internal/cli"},
	"github.com/spf13/pflag":               {"internal/cli"},
	"github.com/itchyny/gojq":              {"internal/cli"},
	"github.com/modelcontextprotocol":      {"internal/mcp"},
	"modernc.org":                          {"internal/persistence"},
	"go.yaml.in/yaml":                      {"internal/plan", "internal/config"},
	"github.com/adrg/xdg":                  {"internal/config", "internal/persistence", "internal/cli"},
	"golang.org/x/sys":                     {"internal/persistence", "internal/sandbox", "internal/cli", "cmd/orc"},
	"golang.org/x/term":                    {"internal/cli", "internal/progress", "internal/tui"},
	"github.com/coder/acp-go-sdk":          {"internal/provider/acp"},
	"github.com/creack/pty":                {testsOnly, "test/screen"},
	"github.com/google/go-cmp":             {testsOnly},
	"github.com/rogpeppe/go-internal":      {testsOnly},
	"go.uber.org/goleak":                   {testsOnly},
	"pgregory.net/rapid":                   {testsOnly},
}

// testsOnly stands for test files and contract suites (packages called …test).
const testsOnly = "tests"
