// Package archtest keeps the house in order: which package may import which, which third party lives in which
// room, that every package says what it is for, and that the map in docs/architecture.md is complete. It parses
// the files itself, inside the test's process, so that a changed file always makes the test run again.
package archtest

import (
	"cmp"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the path in go.mod.
const module = "orchestrator"

// file is one Go file: what it imports and whether it carries its package's comment.
type file struct {
	path    string // slash-separated, relative to the root
	folder  string
	test    bool
	imports []string
	comment bool
}

// load parses every Go file of the module below root: no test data, no hidden folder, no nested module.
func load(root fs.FS) ([]file, error) {
	var files []file
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == "." {
				return nil
			}
			base := d.Name()
			if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
				return fs.SkipDir
			}
			if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		f, err := parse(root, name)
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tree: %w", err)
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.path, b.path) })
	return files, nil
}

func parse(root fs.FS, name string) (file, error) {
	src, err := fs.ReadFile(root, name)
	if err != nil {
		return file{}, err
	}
	tree, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return file{}, err
	}
	f := file{path: name, folder: path.Dir(name), test: strings.HasSuffix(name, "_test.go")}
	if tree.Doc != nil {
		text := strings.TrimSpace(tree.Doc.Text())
		f.comment = text != "" && (tree.Name.Name == "main" || strings.HasPrefix(text, "Package "+tree.Name.Name+" "))
	}
	for _, spec := range tree.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		f.imports = append(f.imports, target)
	}
	return f, nil
}

// local returns the folder of an import of our own module.
func local(target string) (folder string, ok bool) {
	return strings.CutPrefix(target, module+"/")
}

// thirdParty says whether the import comes from neither the standard library nor our own module.
func thirdParty(target string) bool {
	first, _, _ := strings.Cut(target, "/")
	return strings.Contains(first, ".")
}

// within says whether folder is parent or lies below it.
func within(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}
