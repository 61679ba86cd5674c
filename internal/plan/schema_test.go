package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// validator knows the part of draft-07 that the schema uses; any other word is an error.
type validator struct{ definitions map[string]any }

func newValidator(t *testing.T) (validator, map[string]any) {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	return validator{definitions: root["definitions"].(map[string]any)}, root
}

// check says what is wrong with a value; "" when it is valid.
func (v validator) check(schema map[string]any, value any) string {
	if ref, ok := schema["$ref"].(string); ok {
		return v.check(v.definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any), value)
	}
	for _, word := range slices.Sorted(maps.Keys(schema)) {
		if wrong := v.word(schema, word, schema[word], value); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (v validator) word(schema map[string]any, word string, arg, value any) string {
	object, isObject := value.(map[string]any)
	text, isText := value.(string)
	number, isNumber := value.(float64)
	array, isArray := value.([]any)
	switch word {
	case "$schema", "$id", "title", "description", "examples", "definitions":
	case "type":
		allowed, several := arg.([]any)
		if !several {
			allowed = []any{arg}
		}
		if !slices.ContainsFunc(allowed, func(a any) bool { return hasType(value, a.(string)) }) {
			return fmt.Sprintf("%v is not %v", value, arg)
		}
	case "const":
		if !reflect.DeepEqual(arg, value) {
			return fmt.Sprintf("%v is not %v", value, arg)
		}
	case "enum":
		if !slices.Contains(arg.([]any), value) {
			return fmt.Sprintf("%v is none of %v", value, arg)
		}
	case "minimum":
		if isNumber && number < arg.(float64) {
			return fmt.Sprintf("%v is less than %v", value, arg)
		}
	case "exclusiveMinimum":
		if isNumber && number <= arg.(float64) {
			return fmt.Sprintf("%v is not more than %v", value, arg)
		}
	case "maximum":
		if isNumber && number > arg.(float64) {
			return fmt.Sprintf("%v is more than %v", value, arg)
		}
	case "maxLength":
		if isText && float64(len([]rune(text))) > arg.(float64) {
			return text + " is too long"
		}
	case "pattern":
		if isText && !regexp.MustCompile(arg.(string)).MatchString(text) {
			return fmt.Sprintf("%q does not match %s", text, arg)
		}
	case "not":
		if v.check(arg.(map[string]any), value) == "" {
			return fmt.Sprintf("%v matches %v", value, arg)
		}
	case "anyOf", "oneOf", "allOf":
		fits := 0
		for _, s := range arg.([]any) {
			if v.check(s.(map[string]any), value) == "" {
				fits++
			}
		}
		if fits == 0 || word == "oneOf" && fits != 1 || word == "allOf" && fits != len(arg.([]any)) {
			return fmt.Sprintf("%v fits %d of %s", value, fits, word)
		}
	case "items":
		if isArray {
			for _, item := range array {
				if wrong := v.check(arg.(map[string]any), item); wrong != "" {
					return wrong
				}
			}
		}
	case "required":
		for _, name := range arg.([]any) {
			if _, has := object[name.(string)]; isObject && !has {
				return fmt.Sprintf("%v is missing", name)
			}
		}
	case "minProperties":
		if isObject && float64(len(object)) < arg.(float64) {
			return "too few properties"
		}
	case "propertyNames":
		for name := range object {
			if wrong := v.check(arg.(map[string]any), name); wrong != "" {
				return wrong
			}
		}
	case "properties":
		for name, s := range arg.(map[string]any) {
			if property, has := object[name]; has {
				if wrong := v.check(s.(map[string]any), property); wrong != "" {
					return name + ": " + wrong
				}
			}
		}
	case "additionalProperties":
		properties, _ := schema["properties"].(map[string]any)
		for name, property := range object {
			if _, known := properties[name]; known {
				continue
			}
			s, isSchema := arg.(map[string]any)
			if !isSchema {
				return name + " is not allowed"
			}
			if wrong := v.check(s, property); wrong != "" {
				return name + ": " + wrong
			}
		}
	default:
		return "the validator does not know " + word
	}
	return ""
}

func hasType(value any, name string) bool {
	switch v := value.(type) {
	case map[string]any:
		return name == "object"
	case []any:
		return name == "array"
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case float64:
		return name == "number" || name == "integer" && v == float64(int(v))
	}
	return name == "null"
}

// values turns YAML into what JSON would give; ok is false for what JSON cannot say.
func values(src []byte) (value any, ok bool) {
	if err := yaml.Load(src, &value); err != nil {
		return nil, false
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, false
	}
	value = nil
	return value, json.Unmarshal(text, &value) == nil
}

func TestEveryKeyIsInTheSchemaAndTheOtherWayRound(t *testing.T) {
	_, root := newValidator(t)
	definitions := root["definitions"].(map[string]any)
	for name, level := range map[string]struct {
		schema any
		keys   []string
	}{
		"plan": {root, names(planKeys)}, "task": {definitions["task"], names(taskKeys)}, "defaults": {definitions["defaults"], names(defaultsKeys)},
		"agent": {definitions["agent"], names(agentKeys)}, "retry": {definitions["retry"], names(retryKeys)},
		"budget": {definitions["budget"], names(budgetKeys)},
	} {
		properties := level.schema.(map[string]any)["properties"].(map[string]any)
		if got, want := slices.Sorted(maps.Keys(properties)), slices.Sorted(slices.Values(level.keys)); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, the checker %v", name, got, want)
		}
		for key, property := range properties {
			p := property.(map[string]any)
			if text, _ := p["description"].(string); len(text) < 10 || !strings.HasSuffix(text, ".") {
				t.Errorf("%s.%s has the description %q", name, key, text)
			}
			if examples, _ := p["examples"].([]any); len(examples) == 0 {
				t.Errorf("%s.%s has no examples", name, key)
			}
		}
	}
}

func TestExamplesOfTheSchemaAreValid(t *testing.T) {
	v, root := newValidator(t)
	var walk func(path string, schema map[string]any)
	walk = func(path string, schema map[string]any) {
		for _, group := range []string{"properties", "definitions"} {
			entries, _ := schema[group].(map[string]any)
			for name, s := range entries {
				walk(path+"."+name, s.(map[string]any))
			}
		}
		examples, _ := schema["examples"].([]any)
		for _, e := range examples {
			if wrong := v.check(schema, e); wrong != "" {
				t.Errorf("%s: example %v: %s", path, e, wrong)
			}
		}
	}
	walk("plan", root)
}

// beyond are mistakes that a schema cannot see: they are about the graph, the disk, or the YAML itself.
var beyond = []string{
	"unknown-task", "self-need", "cycle", "unknown-agent", "no-agent", "bad-prompt-file", "duplicate-key", "bad-glob", "control-character",
	"bad-version", "bad-value", "bad-duration", "bad-fallback",
}

func TestSchemaAndCheckerAgreeOnWholePlans(t *testing.T) {
	v, root := newValidator(t)
	for _, folder := range []string{"good", "warn", "bad"} {
		files, err := filepath.Glob("testdata/" + folder + "/*.yaml")
		if err != nil || len(files) == 0 {
			t.Fatal(folder, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			value, ok := values(src)
			if !ok {
				continue // no JSON, so no schema
			}
			wrong := v.check(root, value)
			_, list := Parse(file, src, Options{})
			onlyBeyond := true
			for _, d := range list.Errors() {
				onlyBeyond = onlyBeyond && slices.Contains(beyond, d.Code)
			}
			switch {
			case folder != "bad" && wrong != "":
				t.Errorf("%s is a good plan, and the schema says: %s", file, wrong)
			case folder == "bad" && wrong == "" && !onlyBeyond:
				t.Errorf("%s fits the schema, and the checker says:\n%v", file, list)
			}
		}
	}
}

func TestSchemaAndCheckerAgreeOnSingleValues(t *testing.T) {
	v, root := newValidator(t)
	plan := func(top, task string) string {
		return "version: 1\nagents: {c: {provider: command, command: x}}\n" + top + "\ntasks:\n  a: {" + task + "}\n"
	}
	inTask := []string{"run: x, name: n", "run: x, writes: w", "run: x, verify: v", "run: x, needs: []"}
	for _, value := range []string{
		"1", "0", "-1", "1000", "999", "1001", "1.5", "x", `""`, `" "`, "true", "~", "[]", "[x]", `[""]`, "[1]", "[[x]]", "{}", "{attempts: 1}",
		"{attempts: 0}", "{attempts: x}", "{attempts: 1, y: 1}", "1s", "1h30m", "+5m", ".5s", "0.s", "5 m", "1d", "1us", "hard", "soft", "clone", "none", `"two\nlines"`,
	} {
		for _, key := range []string{"name", "verify", "retry", "timeout", "on_failure", "isolation"} {
			inTask = append(inTask, "run: x, "+key+": "+value)
		}
		inTask = append(inTask, "run: "+value, "prompt: "+value+", agent: c")
	}
	for _, task := range inTask {
		agree(t, v, root, plan("", task))
	}
	for _, key := range []string{"name", "description", "base", "concurrency", "context", "defaults"} {
		for _, value := range []string{"1", "1024", "1025", "0", "x", "~", "[x]", "{}", "true", "1.5", `"a\nb"`, "{agent: c}", "{retry: 2}", "{run: x}"} {
			agree(t, v, root, plan(key+": "+value, "run: x"))
		}
	}
	for _, id := range []string{"a", "a.b", "a..b", "a.", "a.lock", "A", "-a", "1", "a b", strings.Repeat("a", 64), strings.Repeat("a", 65)} {
		agree(t, v, root, fmt.Sprintf("version: 1\ntasks: {%q: {run: x}}\n", id))
	}
}

func agree(t *testing.T, v validator, root map[string]any, src string) {
	t.Helper()
	value, ok := values([]byte(src))
	if !ok {
		t.Fatalf("no JSON:\n%s", src)
	}
	wrong := v.check(root, value)
	p, list := Parse("p", []byte(src), Options{})
	if (p != nil) != (wrong == "") {
		t.Errorf("the schema says %q, the checker %v:\n%s", wrong, list, src)
	}
}

func TestSchemaIsStable(t *testing.T) {
	if !bytes.Equal(Schema(), Schema()) {
		t.Error("the schema differs from one call to the next")
	}
}
