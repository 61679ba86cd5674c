package plan

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
)

// Load reads and checks the plan file at path. The plan is nil when the list has errors. An error says that the file
// could not be read for a reason that is not the plan's fault; a file that is missing or is not a file is a finding.
func Load(path string, o Options) (*Plan, diagnostic.List, error) {
	text, finding, err := readPlan(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read plan %s: %w", path, err)
	}
	if finding != nil {
		return nil, diagnostic.List{*finding}, nil
	}
	p, list := Parse(path, text, o)
	return p, list, nil
}

func readPlan(path string) ([]byte, *diagnostic.Diagnostic, error) {
	wrong := func(code, message, help string) *diagnostic.Diagnostic {
		return &diagnostic.Diagnostic{File: path, Severity: diagnostic.Error, Code: code, Message: message, Help: help}
	}
	// Looked at before it is opened: opening a pipe would wait for its other end.
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, wrong("no-file", "there is no such file", "name the plan file, or write one: orc init"), nil
	case err != nil:
		return nil, nil, err
	case info.IsDir():
		return nil, wrong("no-file", "this is a folder, not a plan file", "name the file, such as "+filepath.Join(path, "plan.yaml")), nil
	case info.Mode().IsRegular() && info.Size() > document.MaxBytes:
		return nil, wrong("too-large", fmt.Sprintf("the file has %d bytes; at most %d are allowed", info.Size(), document.MaxBytes), ""), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	// One byte more than allowed, so that Parse can tell; a pipe has no size.
	text, err := io.ReadAll(io.LimitReader(f, document.MaxBytes+1))
	return text, nil, err
}

// Parse checks the text of a plan file. name is the file's path as the person gave it; prompt files are read relative
// to its folder unless o.Dir says otherwise. The plan is nil when the list has errors. The list is sorted.
func Parse(name string, src []byte, o Options) (*Plan, diagnostic.List) {
	c := &checker{Reader: document.Read(name, src), o: o}
	c.files.dir, c.files.frozen = o.Dir, o.Prompts != nil
	if c.files.dir == "" {
		c.files.dir = filepath.Dir(name)
	}
	defer c.files.close()
	c.check()
	if c.Findings().HasErrors() {
		return nil, c.Findings()
	}
	p := &c.draft.Plan
	p.Source = Source{Path: name, Text: src}
	p.isolation = o.DefaultIsolation
	if p.Name == "" {
		p.Name = nameOf(name)
	}
	c.warn()
	p.forgetNodes()
	return p, c.Findings()
}

// forgetNodes lets go of the YAML tree, which is many times larger than the plan.
func (p *Plan) forgetNodes() {
	forget := func(items []document.Item) {
		for i := range items {
			items[i].Node = nil
		}
	}
	p.defaults.agent.Node, p.defaults.workflow.Node = nil, nil
	for name, w := range p.workflows {
		w.roles = nil
		p.workflows[name] = w
	}
	forgetTasks := func(tasks []task) {
		for i := range tasks {
			t := &tasks[i]
			t.each = nil
			t.key, t.agent.Node, t.workflow.Node, t.depAt, t.needs = nil, nil, nil, nil, nil
			forget(t.writes)
		}
	}
	forgetTasks(p.tasks)
	forgetTasks(p.templates)
}

// nameOf is the file's name without its extension.
func nameOf(path string) string {
	base := filepath.Base(path)
	name := strings.TrimSuffix(base, filepath.Ext(base))
	if name == "" || name == "-" || name == "." {
		return "plan"
	}
	return name
}
