package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// RequiredFilter is a git filter without which files that it applies to can be neither written nor saved.
type RequiredFilter struct {
	Name     string
	Commands []string // what git runs: the process, or clean and smudge; empty = nothing is configured
}

// RequiredFilters lists the filters that are configured as required and that a .gitattributes file of a commit, or the
// repository's or the user's own attributes, name.
func (r *Repository) RequiredFilters(ctx context.Context, commit string) ([]RequiredFilter, error) {
	const op = "look for required git filters"
	if err := checkID(commit); err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	required, err := r.configuredFilters(ctx)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	if len(required) == 0 {
		return nil, nil
	}
	named, err := r.namedFilters(ctx, commit)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	return slices.DeleteFunc(required, func(f RequiredFilter) bool { return !named[f.Name] }), nil
}

// configuredFilters lists the filters that are required, by name.
func (r *Repository) configuredFilters(ctx context.Context) ([]RequiredFilter, error) {
	out, err := r.run(ctx, r.plumbing("config", "-z", "--type=bool", "--get-regexp", `^filter\..*\.required$`))
	if exitCode(err) == 1 {
		return nil, nil // there is none
	}
	if err != nil {
		return nil, err
	}
	values := map[string]bool{} // the last one counts
	for _, f := range fields(out) {
		key, value, _ := strings.Cut(f, "\n")
		values[strings.TrimSuffix(strings.TrimPrefix(key, "filter."), ".required")] = value == "true"
	}
	var list []RequiredFilter
	for name, required := range values {
		if !required {
			continue
		}
		f := RequiredFilter{Name: name}
		for _, keys := range [][]string{{"process"}, {"clean", "smudge"}} {
			for _, key := range keys {
				out, err := r.run(ctx, r.plumbing("config", "-z", "--get", "filter."+name+"."+key))
				if err != nil && exitCode(err) != 1 {
					return nil, err
				}
				if command := strings.TrimSuffix(string(out), "\x00"); command != "" {
					f.Commands = append(f.Commands, command)
				}
			}
			if len(f.Commands) > 0 {
				break // git does without the others then
			}
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b RequiredFilter) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// namedFilters are the filters that attributes name, whatever files they name them for.
func (r *Repository) namedFilters(ctx context.Context, commit string) (map[string]bool, error) {
	out, err := r.run(ctx, r.plumbing("ls-tree", "-r", "-z", "--full-tree", commit))
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, f := range fields(out) {
		meta, name, _ := strings.Cut(f, "\t")
		m := strings.Fields(meta)
		if path.Base(name) != attributesFile || len(m) != 3 || !strings.HasPrefix(m[0], "100") {
			continue
		}
		text, err := r.run(ctx, r.plumbing("cat-file", "blob", m[2]))
		if err != nil {
			return nil, err
		}
		filtersIn(string(text), named)
	}
	own, err := r.attributeFiles(ctx)
	if err != nil {
		return nil, err
	}
	for _, file := range own {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read attributes: %w", err)
		}
		filtersIn(string(text), named)
	}
	return named, nil
}

// attributeFiles are the files of attributes that are in no commit: the repository's and the user's.
func (r *Repository) attributeFiles(ctx context.Context) ([]string, error) {
	files := []string{filepath.Join(r.common, "info", "attributes")}
	out, err := r.run(ctx, r.plumbing("config", "-z", "--type=path", "--get", "core.attributesFile"))
	if err != nil && exitCode(err) != 1 {
		return nil, err
	}
	switch file := strings.TrimSuffix(string(out), "\x00"); {
	case file != "":
		files = append(files, file)
	case r.environment("XDG_CONFIG_HOME") != "":
		files = append(files, filepath.Join(r.environment("XDG_CONFIG_HOME"), "git", "attributes"))
	case r.environment("HOME") != "":
		files = append(files, filepath.Join(r.environment("HOME"), ".config", "git", "attributes"))
	}
	return files, nil
}

// filtersIn adds the filters that a file of attributes names.
func filtersIn(text string, named map[string]bool) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			if name, ok := strings.CutPrefix(word, "filter="); ok {
				named[name] = true
			}
		}
	}
}
