package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
)

// templateFunctions are what a --template may call beside Go's own.
var templateFunctions = template.FuncMap{
	"join": func(sep string, list []any) string {
		words := make([]string, len(list))
		for i, v := range list {
			words[i] = fmt.Sprint(v)
		}
		return strings.Join(words, sep)
	},
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
}

func (o *output) parseTemplate() (*template.Template, error) {
	t, err := template.New("template").Funcs(templateFunctions).Option("missingkey=error").Parse(o.text)
	if err != nil {
		return nil, usageError("see https://pkg.go.dev/text/template", "--template: %w", err)
	}
	return t, nil
}

// execute prints what the template makes of the document, whose fields go by their JSON names.
func (o *output) execute(a *App, doc any) error {
	t, err := o.parseTemplate()
	if err != nil {
		return err
	}
	body, err := o.encode(doc, false)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // a float would be printed with an exponent
	var in any
	if err := dec.Decode(&in); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, in); err != nil {
		return usageError("--json= lists the fields", "--template: %w", err)
	}
	_, err = a.Stdout.Write(out.Bytes())
	return err
}
