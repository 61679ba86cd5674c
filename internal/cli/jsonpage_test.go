package cli

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const jsonPage = "../../docs/json.md"

// docs/json.md is made of the types of the documents and the comments in them.
func TestJSONPageIsTrue(t *testing.T) {
	want := writeJSONPage(t)
	if *update {
		if err := os.WriteFile(jsonPage, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(jsonPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale: go test ./internal/cli -run JSONPage -update", jsonPage)
	}
}

const jsonPageHead = `# What programs read

Every command that reads takes ` + "`--json`, `--json=FIELDS`, `--jq EXPR` and `--template TEXT`" + ` ([cli.md](cli.md#reading-by-program)). The document
is on standard output, everything else on standard error. Each has ` + "`\"schema\": 1`" + `: fields may be added within a schema, and none
changes its meaning or goes. Times are UTC in RFC 3339.

This page is made of the program's own types.
`

const streamHead = `
## Events

` + "`orc run`, `orc resume` and `orc edit` with `--json` (or `--progress json`)" + ` print one event a line (NDJSON) the moment that it is
stored, each with ` + "`\"schema\": 1`" + `. Sequence numbers of a run have no gaps. Readers skip kinds and fields that they do not know. Here
a field that does not belong to its kind is left out.

| type | What happened |
|---|---|
`

// source is what is declared in a folder of Go files.
type source struct {
	structs map[string]*ast.StructType
	docs    map[string]string
	kinds   [][2]string // the constants of type Kind with their comments
}

func readSource(t *testing.T, dir string) *source {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no source in %s: %v", dir, err)
	}
	s := &source{structs: map[string]*ast.StructType{}, docs: map[string]string{}}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if gen, ok := d.(*ast.GenDecl); ok {
				s.read(gen)
			}
		}
	}
	return s
}

func (s *source) read(gen *ast.GenDecl) {
	for _, spec := range gen.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if st, ok := spec.Type.(*ast.StructType); ok {
				s.structs[spec.Name.Name] = st
				s.docs[spec.Name.Name] = gen.Doc.Text()
			}
		case *ast.ValueSpec:
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Kind" && len(spec.Values) == 1 {
				if word, ok := spec.Values[0].(*ast.BasicLit); ok {
					s.kinds = append(s.kinds, [2]string{strings.Trim(word.Value, `"`), cleanComment(spec.Comment)})
				}
			}
		}
	}
}

func cleanComment(c *ast.CommentGroup) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(c.Text()), " "), "|", `\|`)
}

func writeJSONPage(t *testing.T) string {
	own, events := readSource(t, "."), readSource(t, "../event")
	maps.Copy(own.structs, readSource(t, "../diagnostic").structs)
	var b strings.Builder
	b.WriteString(jsonPageHead)
	named := map[string]string{} // types that were written, and under which command
	everyCommand(newRoot(&App{}), func(c *cobra.Command) {
		if name := c.Annotations[jsonDocument]; name != "" {
			fmt.Fprintf(&b, "\n## %s\n\n", c.CommandPath())
			own.table(t, &b, name, named, c.CommandPath())
		}
	})
	b.WriteString(streamHead)
	for _, k := range events.kinds {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k[0], k[1])
	}
	b.WriteString("\n")
	events.table(t, &b, "Event", named, "Events")
	return b.String()
}

// table lists the fields of a type, and after it those of the types in it that were not listed before.
func (s *source) table(t *testing.T, b *strings.Builder, name string, named map[string]string, where string) {
	named[name] = where
	var inner []string
	b.WriteString("| Field | Value | |\n|---|---|---|\n")
	s.rows(t, b, name, named, &inner)
	for _, in := range inner {
		if named[in] == "" {
			fmt.Fprintf(b, "\n`%s`:\n\n", shownType(in))
			s.table(t, b, in, named, where)
		}
	}
}

func (s *source) rows(t *testing.T, b *strings.Builder, name string, named map[string]string, inner *[]string) {
	st := s.structs[name]
	if st == nil {
		t.Fatalf("the type %s of a document is not found", name)
	}
	for _, f := range st.Fields.List {
		if len(f.Names) == 0 { // its fields are this one's
			s.rows(t, b, strings.TrimPrefix(typeText(f.Type), "*"), named, inner)
			continue
		}
		if f.Tag == nil || !f.Names[0].IsExported() {
			continue
		}
		key, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
		text, of := s.valueText(f.Type)
		if of != "" {
			*inner = append(*inner, of)
			if at := named[of]; at != "" {
				text += ": see " + at
			}
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", key, text, cleanComment(f.Comment))
	}
}

// valueText says what a field holds, and which of our types.
func (s *source) valueText(e ast.Expr) (text, of string) {
	switch e := e.(type) {
	case *ast.StarExpr:
		text, of = s.valueText(e.X)
		return text + " or null", of
	case *ast.ArrayType:
		text, of = s.valueText(e.Elt)
		return "list of " + text, of
	case *ast.MapType:
		text, of = s.valueText(e.Value)
		return text + " by name", of
	}
	switch name := typeText(e); {
	case s.structs[name] != nil:
		return shownType(name), name
	case name == "string" || strings.HasPrefix(name, "scheduler.") || strings.HasPrefix(name, "persistence.") || name == "Kind":
		return "text", ""
	case strings.HasPrefix(name, "int"), strings.HasPrefix(name, "float"):
		return "number", ""
	case name == "bool":
		return "true or false", ""
	case name == "time.Time":
		return "time", ""
	default:
		return "text", ""
	}
}

func shownType(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(name[:1])+name[1:], "Document"), "JSON")
}

func typeText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if pkg := typeText(e.X); pkg != "diagnostic" {
			return pkg + "." + e.Sel.Name
		}
		return e.Sel.Name
	case *ast.StarExpr:
		return "*" + typeText(e.X)
	}
	return ""
}
