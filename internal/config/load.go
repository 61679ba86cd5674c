package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan"
	"orchestrator/internal/plan/document"
)

// LoadOptions name everything that settings can come from. Empty ones are left out.
type LoadOptions struct {
	Home          string            // the user's home folder
	XDGConfigHome string            // $XDG_CONFIG_HOME; "" or a relative path means Home/.config, on every system
	ProjectDir    string            // the repository's root
	Environ       []string          // NAME=value; of variables given twice the last counts, empty ones do not
	Flags         map[string]string // by key, without dashes, such as "concurrency"
	Drivers       []Driver          // beside "command", which is always there
	Overlay       map[string][]byte // by path: a text to take instead of what is in the file
}

// UserFile is the path of the user's file; empty when there is no place for it.
func (o LoadOptions) UserFile() string {
	switch {
	case filepath.IsAbs(o.XDGConfigHome):
		return filepath.Join(o.XDGConfigHome, "orc", "config.yaml")
	case o.Home != "":
		return filepath.Join(o.Home, ".config", "orc", "config.yaml")
	}
	return ""
}

// ProjectFile is the path of the project's committed file; empty without a project.
func (o LoadOptions) ProjectFile() string { return o.inProject("config.yaml") }

// LocalFile is the path of the project's local file; empty without a project.
func (o LoadOptions) LocalFile() string { return o.inProject("config.local.yaml") }

func (o LoadOptions) inProject(name string) string {
	if o.ProjectDir == "" {
		return ""
	}
	return filepath.Join(o.ProjectDir, ".orc", name)
}

// Load reads and merges the layers. Files need not exist. The config is nil when the list has errors. An error says
// that a file exists and could not be read.
func Load(o LoadOptions) (*Config, diagnostic.List, error) {
	m := merge{
		o: o, config: &Config{Agents: make(map[string]plan.Agent), Providers: make(map[string]Provider), Workflows: make(map[string]plan.Workflow)},
		values: make(map[string][]Value), places: make(map[string]place),
	}
	m.builtIn()
	for _, file := range []struct {
		layer Layer
		path  string
	}{{User, o.UserFile()}, {Project, o.ProjectFile()}, {Local, o.LocalFile()}} {
		if err := m.file(file.layer, file.path); err != nil {
			return nil, nil, err
		}
	}
	m.environment(o.Environ)
	m.flags(o.Flags)
	m.checkProviders()
	m.checkAgents()
	m.checkWorkflows()
	for _, r := range m.readers {
		m.list = append(m.list, r.Findings()...)
	}
	m.list.Sort()
	if m.list.HasErrors() {
		return nil, m.list, nil
	}
	m.collect()
	return m.config, m.list, nil
}

// merge is settings on their way.
type merge struct {
	o       LoadOptions
	config  *Config
	values  map[string][]Value // by key, the lowest layer first
	places  map[string]place   // of a key: where it was last given; of "agents.ROLE": where that was last defined
	readers []*document.Reader
	list    diagnostic.List // what is wrong outside of the files' texts
	// commands are what the file that is being read would run, or give to what runs.
	commands []string
}

type place struct {
	reader *document.Reader
	node   *document.Node
}

// at records what is wrong with a key where it was last given.
func (m *merge) at(key, code, message, help string) {
	p := m.places[key]
	p.reader.Error(p.node, code, message, help)
}

func (m *merge) builtIn() {
	for _, k := range table {
		if k.parse == nil {
			continue
		}
		if problem, _ := k.parse(m.config, k.Default); problem != "" {
			panic(fmt.Sprintf("config: the default of %s %s", k.Name, problem))
		}
		m.values[k.Name] = []Value{{Text: k.Default, Origin: Origin{Layer: BuiltIn}}}
	}
	for role, permissions := range rolePermissions {
		m.config.Agents[role] = plan.Agent{Permissions: permissions}
		m.values["agents."+role+".permissions"] = []Value{{Text: permissions, Origin: Origin{Layer: BuiltIn}}}
	}
	for name, w := range builtInWorkflows {
		m.config.Workflows[name] = w
		m.values["workflows."+name] = []Value{{Text: w.String(), Origin: Origin{Layer: BuiltIn}}}
	}
}

// environment reads ORC_* variables. Those that name no key belong to others.
func (m *merge) environment(environ []string) {
	set := make(map[string]string)
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			set[name] = value
		}
	}
	for _, k := range table {
		name := k.Variable()
		if value := set[name]; name != "" && value != "" {
			m.outside(k, value, "environment", Origin{Layer: Environment, Name: name})
		}
	}
}

func (m *merge) flags(flags map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		i := slices.IndexFunc(table, func(k Key) bool { return k.Name == name && k.parse != nil })
		origin := Origin{Layer: Flag, Name: "--" + strings.ReplaceAll(name, "_", "-")}
		if i < 0 {
			m.list = append(m.list, diagnostic.Diagnostic{
				File: "command line", Severity: diagnostic.Error, Code: "unknown-key",
				Message: fmt.Sprintf("`%s` sets no setting", origin.Name), Help: "settings: " + strings.Join(keyNames(), ", "),
			})
			continue
		}
		m.outside(table[i], flags[name], "command line", origin)
	}
}

// outside sets a value that is in no file; what is wrong with it names the variable or flag.
func (m *merge) outside(k Key, text, place string, origin Origin) {
	problem, help := k.parse(m.config, text)
	if problem != "" {
		m.list = append(m.list, diagnostic.Diagnostic{
			File: place, Severity: diagnostic.Error, Code: "bad-value",
			Message: fmt.Sprintf("`%s` %s", origin.Name, problem), Help: help,
		})
		return
	}
	m.values[k.Name] = append(m.values[k.Name], Value{Text: text, Origin: origin})
}

// collect puts the values with their origins in the order of the keys.
func (m *merge) collect() {
	add := func(key string) {
		values := m.values[key]
		if len(values) == 0 {
			return
		}
		s := Setting{Key: key, Value: values[len(values)-1]}
		for i := len(values) - 2; i >= 0; i-- {
			s.Overridden = append(s.Overridden, values[i])
		}
		m.config.settings = append(m.config.settings, s)
	}
	for _, k := range table {
		switch k.Name {
		case "agents":
			for _, role := range m.config.AgentNames() {
				for _, field := range agentFields {
					add("agents." + role + "." + field)
				}
			}
		case "providers":
			for _, name := range m.config.ProviderNames() {
				at := "providers." + name + "."
				for _, field := range []string{"driver", "command", "args", "env"} {
					add(at + field)
				}
				for _, variable := range slices.Sorted(maps.Keys(m.config.Providers[name].Set)) {
					add(at + "set." + variable)
				}
			}
		case "workflows":
			for _, name := range slices.Sorted(maps.Keys(m.config.Workflows)) {
				add("workflows." + name)
			}
		default:
			add(k.Name)
		}
	}
}
