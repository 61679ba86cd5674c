package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
	"github.com/spf13/cobra"
)

// schema is the version of every JSON document that the program prints.
const schema = 1

// everything is the value of a bare --json.
const everything = "*"

// output is what a reading command prints for programs: a document, whole or chosen fields of it, or what a jq
// expression or a template makes of it.
type output struct {
	fields  string
	expr    string // jq
	text    string // template
	doc     reflect.Type
	primary string // the member whose fields may be named without a prefix
}

// newOutput adds --json, --jq and --template to a command that prints documents like doc.
func newOutput(cmd *cobra.Command, doc any, primary string) *output {
	o := &output{doc: reflect.TypeOf(doc), primary: primary}
	f := cmd.Flags()
	f.StringVar(&o.fields, "json", "", "print JSON, or only some `FIELDS` of it (--json=a,b.c; --json= lists them)")
	f.Lookup("json").NoOptDefVal = everything
	f.StringVar(&o.expr, "jq", "", "filter the JSON by a jq `EXPR`; strings come out raw")
	f.StringVar(&o.text, "template", "", "print the JSON by a Go template `TEXT`; functions: join, json")
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[jsonFields] = strings.Join(fieldNames(o.doc), ", ")
	cmd.Annotations[jsonDocument] = o.doc.Name()
	return o
}

// prints says that the command prints documents like doc instead, because of its flags.
func (o *output) prints(doc any, primary string) {
	o.doc, o.primary = reflect.TypeOf(doc), primary
}

// jsonFields is the annotation that tells the help page which fields a command's JSON has.
const jsonFields = "json"

// jsonDocument is the annotation that names the type of its document, for docs/json.md.
const jsonDocument = "document"

// wanted says whether a program reads the output. It also answers `--json=`, which asks for the names.
func (o *output) wanted(a *App, cmd *cobra.Command) (wanted bool, err error) {
	flags := cmd.Flags()
	switch {
	case o.expr != "" && o.text != "":
		return false, usageError("", "--jq and --template exclude one another")
	case o.expr == "" && o.text == "" && !flags.Changed("json"):
		return false, nil
	}
	if o.expr == "" && o.text == "" && o.fields == "" {
		_, err := fmt.Fprintln(a.Stdout, strings.Join(fieldNames(o.doc), "\n"))
		if err == nil {
			err = silentOK
		}
		return false, err
	}
	if _, err := o.selection(); err != nil {
		return false, err
	}
	if o.expr != "" {
		_, err = o.compile()
	}
	if o.text != "" {
		_, err = o.parseTemplate()
	}
	return err == nil, err
}

// silentOK ends a command that has done what it was asked, from deep inside.
var silentOK error = &ExitError{Code: ExitOK}

// write prints the document.
func (o *output) write(a *App, doc any) error {
	if o.expr != "" {
		return o.filter(a, doc)
	}
	if o.text != "" {
		return o.execute(a, doc)
	}
	body, err := o.encode(doc, a.isTerminal(a.Stdout))
	if err != nil {
		return err
	}
	_, err = a.Stdout.Write(body)
	return err
}

// encode makes JSON of the chosen fields, with a newline at its end.
func (o *output) encode(doc any, indent bool) ([]byte, error) {
	sel, err := o.selection()
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if indent {
		enc.SetIndent("", "  ")
	}
	if err := enc.Encode(project(reflect.ValueOf(doc), sel)); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return buf.Bytes(), nil
}

func (o *output) compile() (*gojq.Code, error) {
	query, err := gojq.Parse(o.expr)
	if err != nil {
		return nil, usageError("see https://jqlang.org/manual/", "--jq: %w", err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, usageError("see https://jqlang.org/manual/", "--jq: %w", err)
	}
	return code, nil
}

// filter prints what the jq expression makes of the document: strings raw, one result a line.
func (o *output) filter(a *App, doc any) error {
	code, err := o.compile()
	if err != nil {
		return err
	}
	body, err := o.encode(doc, false)
	if err != nil {
		return err
	}
	var in any
	if err := json.Unmarshal(body, &in); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	for it := code.Run(in); ; {
		v, ok := it.Next()
		if !ok {
			return nil
		}
		if err, bad := v.(error); bad {
			return usageError("", "--jq: %w", err)
		}
		line, raw := v.(string)
		if !raw {
			b, err := gojq.Marshal(v)
			if err != nil {
				return fmt.Errorf("write JSON: %w", err)
			}
			line = string(b)
		}
		if _, err := io.WriteString(a.Stdout, line+"\n"); err != nil {
			return err
		}
	}
}

// selection is a tree of chosen names; an empty one chooses everything below.
type selection map[string]selection

// selection reads the value of --json.
func (o *output) selection() (selection, error) {
	sel := selection{}
	if o.fields == "" || o.fields == everything {
		return sel, nil
	}
	for name := range strings.SplitSeq(o.fields, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		path := strings.Split(name, ".")
		if !hasField(o.doc, path) && o.primary != "" && hasField(o.doc, append([]string{o.primary}, path...)) {
			path = append([]string{o.primary}, path...)
		}
		if !hasField(o.doc, path) {
			names := fieldNames(o.doc)
			for _, n := range names {
				if rest, ok := strings.CutPrefix(n, o.primary+"."); ok {
					names = append(names, rest)
				}
			}
			h := "--json= lists the fields"
			if best := closest(name, names); best != "" {
				h = didYouMean(best) + " " + h
			}
			return nil, usageError(h, "--json: there is no field %q", name)
		}
		at := sel
		for i, p := range path {
			sub, chosen := at[p]
			if chosen && len(sub) == 0 {
				break // all of it is chosen already
			}
			if !chosen || i == len(path)-1 {
				sub = selection{}
				at[p] = sub
			}
			at = sub
		}
	}
	return sel, nil
}

// members returns the JSON names of a document's fields in order, with their types.
func members(t reflect.Type) (names []string, types []reflect.Type) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		names, types = append(names, jsonName(f)), append(types, f.Type)
	}
	return names, types
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		return f.Name
	}
	return name
}

// document returns the struct behind pointers and slices, or nil.
func document(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.Implements(reflect.TypeFor[json.Marshaler]()) {
		return nil
	}
	return t
}

func hasField(t reflect.Type, path []string) bool {
	for _, p := range path {
		if t = document(t); t == nil {
			return false
		}
		names, types := members(t)
		i := slices.Index(names, p)
		if i < 0 {
			return false
		}
		t = types[i]
	}
	return true
}

// fieldNames lists what --json can choose: members and members of members.
func fieldNames(t reflect.Type) []string {
	var all []string
	names, types := members(t)
	for i, name := range names {
		all = append(all, name)
		if sub := document(types[i]); sub != nil {
			inner, _ := members(sub)
			for _, n := range inner {
				all = append(all, name+"."+n)
			}
		}
	}
	return all
}

// project keeps what was chosen of a document, in the document's order. The version always stays.
func project(v reflect.Value, sel selection) any {
	if len(sel) == 0 {
		return v.Interface()
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return project(v.Elem(), sel)
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = project(v.Index(i), sel)
		}
		return list
	case reflect.Struct:
		var obj object
		for _, f := range reflect.VisibleFields(v.Type()) {
			if f.Anonymous || !f.IsExported() {
				continue
			}
			name := jsonName(f)
			sub, chosen := sel[name]
			if chosen || name == "schema" {
				obj = append(obj, member{name, project(v.FieldByIndex(f.Index), sub)})
			}
		}
		return obj
	}
	return v.Interface()
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	buf.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			buf.WriteByte(',')
		}
		if err := enc.Encode(m.name); err != nil {
			return nil, err
		}
		buf.WriteByte(':')
		if err := enc.Encode(m.value); err != nil {
			return nil, err
		}
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}
