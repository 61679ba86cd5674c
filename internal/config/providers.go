package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/environ"
	"orchestrator/internal/plan"
	"orchestrator/internal/plan/document"
	"orchestrator/internal/redact"
)

// Provider is a way of starting an agent's program.
type Provider struct {
	Driver  string            // who speaks its language
	Command string            // the program, or with driver command the shell command; empty = the driver's own
	Args    []string          // put in front of a role's own arguments
	Env     []string          // names of variables that it gets beside the usual ones
	Set     map[string]string // variables with their values
}

// Driver is what this program can speak to.
type Driver struct {
	Name    string
	Generic bool // it has no program of its own: a provider names one
}

// providerField is a key of a provider.
type providerField struct {
	name, about string
	shape       map[string]any
}

var (
	textShape  = map[string]any{"type": "string", "pattern": `\S`}
	wordsShape = map[string]any{"anyOf": []any{textShape, map[string]any{"type": "array", "items": textShape}}}
)

var providerFields = []providerField{
	{"driver", "Who speaks the program's language. Default: the provider's own name.", textShape},
	{"command", "The program to start, if not the driver's usual one. With driver command: the shell command of roles that have none.", textShape},
	{"args", "Arguments put in front of a role's own.", wordsShape},
	{"env", "Names of environment variables that it gets beside the usual ones; NAME* stands for all that begin so. Secrets go this way.", wordsShape},
	{"set", "Environment variables with their values; not for secrets.", map[string]any{
		"type": "object", "additionalProperties": map[string]any{"type": []any{"string", "number", "boolean"}},
	}},
}

func providerFieldNames() []string {
	names := make([]string, len(providerFields))
	for i, f := range providerFields {
		names[i] = f.name
	}
	return names
}

var providerAliases = map[string]string{
	"transport": "driver", "type": "driver", "program": "command", "path": "command", "bin": "command", "cmd": "command", "arguments": "args",
	"pass": "env", "environment": "set", "vars": "set", "variables": "set",
}

// providers merges providers by name, and each provider's fields by name.
func (m *merge) providers(r *document.Reader, f document.Field, layer Layer, path string) {
	named, ok := r.Fields(f.Value, "`providers`")
	if !ok {
		return
	}
	for _, n := range named {
		what := "provider " + diagnostic.Quote(n.Name)
		if n.Name == "" || strings.Trim(n.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			r.Error(n.Key, "bad-id", what+" can only have a-z, 0-9, `.`, `_` and `-`", "")
			continue
		}
		fields, ok := r.Fields(n.Value, what)
		if !ok {
			continue
		}
		p := m.config.Providers[n.Name]
		for _, field := range fields {
			m.provider(r, n.Name, field, &p, layer, path)
		}
		m.config.Providers[n.Name] = p
		m.places["providers."+n.Name] = place{reader: r, node: n.Key}
	}
}

// provider reads one field of a provider.
func (m *merge) provider(r *document.Reader, name string, f document.Field, p *Provider, layer Layer, path string) {
	key := "providers." + name + "." + f.Name
	what := "`" + f.Name + "`"
	var text string
	switch f.Name {
	case "driver":
		text, _ = r.Filled(f.Value, what)
		p.Driver = text
	case "command":
		text, _ = r.Filled(f.Value, what)
		p.Command = text
		m.command(key, text)
	case "args":
		p.Args = nil
		for _, item := range r.List(f.Value, what) {
			p.Args = append(p.Args, item.Text)
		}
		text = listed(p.Args)
		m.command(key, text)
		m.refuseSecrets(r, f.Value, p.Args...)
	case "env":
		p.Env = nil
		for _, item := range r.List(f.Value, what) {
			if !environ.IsName(item.Text) {
				r.Error(item.Node, "bad-value", fmt.Sprintf("%s is no name of a variable", diagnostic.Quote(item.Text)),
					"names only, such as MY_API_KEY; values go into `set`")
				continue
			}
			p.Env = append(p.Env, item.Text)
		}
		text = listed(p.Env)
		m.command(key, text)
	case "set":
		m.set(r, key, f, p, layer, path)
		return
	default:
		r.Unknown(f, "provider "+diagnostic.Quote(name), providerFieldNames(), providerAliases)
		return
	}
	m.give(key, text, r, f, layer, path)
}

// set reads variables with their values.
func (m *merge) set(r *document.Reader, key string, f document.Field, p *Provider, layer Layer, path string) {
	variables, ok := r.Fields(f.Value, "`set`")
	if !ok {
		return
	}
	set := maps.Clone(p.Set)
	if set == nil {
		set = map[string]string{}
	}
	for _, v := range variables {
		if !environ.IsName(v.Name) || strings.HasSuffix(v.Name, "*") || strings.HasPrefix(v.Name, "ORC_") {
			r.Error(v.Key, "bad-value", fmt.Sprintf("%s is no name of a variable that can be set", diagnostic.Quote(v.Name)), "")
			continue
		}
		text, ok := r.Text(v.Value, "`"+v.Name+"`")
		if !ok {
			continue
		}
		m.refuseSecrets(r, v.Value, text)
		set[v.Name] = text
		m.command(key+"."+v.Name, text)
		m.give(key+"."+v.Name, text, r, v, layer, path)
	}
	p.Set = set
}

// refuseSecrets keeps keys out of files, which are copied, committed and shown.
func (m *merge) refuseSecrets(r *document.Reader, n *document.Node, texts ...string) {
	if slices.ContainsFunc(texts, redact.HasForm) {
		r.Error(n, "secret", "this looks like a secret key",
			"put it into an environment variable and name that in the provider's `env`; agents also use their own logins")
	}
}

// checkProviders completes the providers and says what none of the layers says.
func (m *merge) checkProviders() {
	drivers := append([]Driver{{Name: plan.CommandProvider}}, m.o.Drivers...)
	names := make([]string, len(drivers))
	for i, d := range drivers {
		names[i] = d.Name
		if _, has := m.config.Providers[d.Name]; !has && !d.Generic {
			m.config.Providers[d.Name] = Provider{Driver: d.Name}
		}
	}
	for _, name := range m.config.ProviderNames() {
		p := m.config.Providers[name]
		key := "providers." + name
		given := len(m.values[key+".driver"]) > 0
		if p.Driver == "" && !given {
			p.Driver = name
		}
		i := slices.Index(names, p.Driver)
		switch {
		case p.Driver == "": // what is wrong with it is said
		case i < 0 && !given:
			m.at(key, "missing-key", fmt.Sprintf("provider `%s` has no `driver`", name), oneOfHelp(name, names))
		case i < 0:
			m.at(key+".driver", "bad-value", fmt.Sprintf("`driver` cannot be %s", diagnostic.Quote(p.Driver)), oneOfHelp(p.Driver, names))
		case drivers[i].Generic && p.Command == "":
			m.at(key, "missing-key", fmt.Sprintf("provider `%s` has no `command`", name), "driver "+p.Driver+" speaks to any program: name it")
		}
		m.config.Providers[name] = p
	}
}
