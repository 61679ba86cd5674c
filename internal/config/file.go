package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
)

// maxFile is the greatest size of a file of settings, in bytes.
const maxFile = 1 << 20

// file merges a file that may not exist.
func (m *merge) file(layer Layer, path string) error {
	if path == "" {
		return nil
	}
	text, laid := m.o.Overlay[path]
	var problem string
	var err error
	if !laid {
		text, problem, err = readFile(path)
	}
	if err != nil {
		return fmt.Errorf("read settings %s: %w", path, err)
	}
	if problem != "" {
		m.list = append(m.list, diagnostic.Diagnostic{
			File: path, Severity: diagnostic.Error, Code: "no-file", Message: problem,
		})
		return nil
	}
	r := document.Read(path, text)
	if r.Root != nil {
		m.root(r, layer, path)
	}
	m.readers = append(m.readers, r)
	if len(m.commands) > 0 && (layer == Project || layer == Local) {
		sum := sha256.Sum256(text)
		m.config.Trust = append(m.config.Trust, CommandFile{Path: path, SHA256: hex.EncodeToString(sum[:]), Commands: m.commands})
	}
	m.commands = nil
	return nil
}

// readFile returns nothing for a file that does not exist.
func readFile(path string) (text []byte, problem string, err error) {
	info, err := os.Stat(path) // before it is opened: opening a pipe would wait
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		if _, lerr := os.Lstat(path); lerr == nil {
			return nil, "this is a link to a file that is not there", nil
		}
		return nil, "", nil
	case unreadable(err):
		return nil, fmt.Sprintf("this cannot be read: %v", errors.Unwrap(err)), nil
	case err != nil:
		return nil, "", err
	case !info.Mode().IsRegular():
		return nil, "this is not a regular file", nil
	case info.Size() > maxFile:
		return nil, fmt.Sprintf("the file has %d bytes; at most %d are allowed", info.Size(), maxFile), nil
	}
	f, err := os.Open(path)
	if unreadable(err) {
		return nil, fmt.Sprintf("this cannot be read: %v", errors.Unwrap(err)), nil
	}
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	text, err = io.ReadAll(io.LimitReader(f, maxFile))
	return text, "", err
}

// unreadable says that a person has to mend the file: its permissions, or a link that leads to itself.
func unreadable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ELOOP)
}

func (m *merge) root(r *document.Reader, layer Layer, path string) {
	fields, ok := r.Fields(r.Root, "the settings")
	if !ok {
		return
	}
	for _, f := range fields {
		origin := Origin{Layer: layer, File: path, Line: f.Key.Line}
		i := slices.IndexFunc(table, func(k Key) bool { return k.Name == f.Name })
		switch {
		case f.Name == "version":
			if f.Value.Tag != "!!int" || f.Value.Value != "1" {
				r.Error(f.Value, "bad-version", fmt.Sprintf("version %s of the settings is not known", diagnostic.Quote(f.Value.Value)), "write `version: 1`")
			}
		case f.Name == "agents":
			m.agents(r, f, layer, path)
		case f.Name == "providers":
			m.providers(r, f, layer, path)
		case f.Name == "workflows":
			m.workflows(r, f, layer, path)
		case i >= 0:
			m.scalar(r, table[i], f, origin)
		case len(inSection(f.Name)) > 0:
			m.section(r, f, origin)
		case slices.Contains(later, f.Name):
			r.Error(f.Key, "unsupported-key", fmt.Sprintf("%s is not supported yet", diagnostic.Quote(f.Name)), "remove it")
		default:
			r.Unknown(f, "the settings", keyNames(), aliases)
		}
	}
}

// section sets the keys of a map of settings.
func (m *merge) section(r *document.Reader, f document.Field, origin Origin) {
	keys := inSection(f.Name)
	fields, ok := r.Fields(f.Value, "`"+f.Name+"`")
	if !ok {
		return
	}
	for _, field := range fields {
		k, known := keys[field.Name]
		if !known {
			r.Unknown(field, "`"+f.Name+"`", slices.Sorted(maps.Keys(keys)), nil)
			continue
		}
		origin.Line = field.Key.Line
		m.scalar(r, k, field, origin)
	}
}

// scalar sets a key that is one value, or a list of words.
func (m *merge) scalar(r *document.Reader, k Key, f document.Field, origin Origin) {
	var text string
	if k.list {
		var words []string
		for _, item := range r.List(f.Value, "`"+k.Name+"`") {
			words = append(words, item.Text)
		}
		text = strings.Join(words, ", ")
		m.command(k.Name, text)
	} else {
		var ok bool
		if text, ok = r.Text(f.Value, "`"+k.Name+"`"); !ok {
			return
		}
		if k.Name == "sandbox" && text == sandboxOff {
			m.command(k.Name, text) // who takes a fence away must be agreed with
		}
	}
	if problem, help := k.parse(m.config, text); problem != "" {
		r.Error(f.Value, "bad-value", fmt.Sprintf("`%s` %s", k.Name, problem), help)
		return
	}
	if k.runs && text != "true" && text != "false" { // these are no commands to agree with
		m.command(k.Name, text)
	}
	m.values[k.Name] = append(m.values[k.Name], Value{Text: text, Origin: origin})
}
