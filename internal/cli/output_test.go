package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type pet struct {
	Name string `json:"name"`
	Legs int    `json:"legs"`
}

type house struct {
	Schema int    `json:"schema"`
	Owner  *pet   `json:"owner"`
	Pets   []pet  `json:"pets"`
	Street string `json:"street"`
}

var home = house{Schema: 1, Owner: &pet{"ann", 2}, Pets: []pet{{"rex", 4}, {"tweety", 2}}, Street: "a<b"}

func TestOutputChoosesFields(t *testing.T) {
	for fields, want := range map[string]string{
		"*":               `{"schema":1,"owner":{"name":"ann","legs":2},"pets":[{"name":"rex","legs":4},{"name":"tweety","legs":2}],"street":"a<b"}`,
		"street":          `{"schema":1,"street":"a<b"}`,
		"name":            `{"schema":1,"pets":[{"name":"rex"},{"name":"tweety"}]}`,
		"legs, name":      `{"schema":1,"pets":[{"name":"rex","legs":4},{"name":"tweety","legs":2}]}`,
		"owner.name":      `{"schema":1,"owner":{"name":"ann"}}`,
		"owner,pets.legs": `{"schema":1,"owner":{"name":"ann","legs":2},"pets":[{"legs":4},{"legs":2}]}`,
		"pets,pets.legs":  `{"schema":1,"pets":[{"name":"rex","legs":4},{"name":"tweety","legs":2}]}`,
		"pets.legs,pets":  `{"schema":1,"pets":[{"name":"rex","legs":4},{"name":"tweety","legs":2}]}`,
		"schema,street,":  `{"schema":1,"street":"a<b"}`,
	} {
		o := &output{fields: fields, doc: reflect.TypeFor[house](), primary: "pets"}
		got, err := o.encode(home, false)
		if err != nil {
			t.Errorf("%s: %v", fields, err)
			continue
		}
		if diff := cmp.Diff(want+"\n", string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", fields, diff)
		}
	}
}

func TestOutputRefusesUnknownFields(t *testing.T) {
	for fields, want := range map[string]string{"nam": "`name`", "owner.leg": "`owner.legs`", "street.x": "", "zzzzzz": ""} {
		o := &output{fields: fields, doc: reflect.TypeFor[house](), primary: "pets"}
		_, err := o.selection()
		if exitCode(err) != ExitUsage {
			t.Errorf("%s: exit code %d of %v, want %d", fields, exitCode(err), err, ExitUsage)
		}
		if want != "" && !strings.Contains(hint(err), want) {
			t.Errorf("%s: hint %q does not suggest %s", fields, hint(err), want)
		}
	}
}

func TestOutputFiltersByJQ(t *testing.T) {
	for expr, want := range map[string]string{
		".pets[].name":                         "rex\ntweety\n",
		".schema":                              "1\n",
		".owner":                               `{"legs":2,"name":"ann"}` + "\n",
		".pets | map(.legs) | add":             "6\n",
		"empty":                                "",
		".nothing":                             "null\n",
		`.pets[] | select(.legs == 2) | .name`: "tweety\n",
	} {
		var out bytes.Buffer
		a := &App{Stdout: &out}
		o := &output{expr: expr, doc: reflect.TypeFor[house](), primary: "pets"}
		if err := o.write(a, home); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expr, diff)
		}
	}
}

func TestOutputExplainsWrongJQ(t *testing.T) {
	for _, expr := range []string{".[", "nosuchfunction", "error(\"x\")", "$ENV.HOME | ascii_downcase | .x"} {
		o := &output{expr: expr, doc: reflect.TypeFor[house]()}
		err := o.write(&App{Stdout: &bytes.Buffer{}}, home)
		if exitCode(err) != ExitUsage || !strings.Contains(err.Error(), "--jq: ") {
			t.Errorf("%s: got %v", expr, err)
		}
	}
}

func TestOutputHidesTheEnvironmentFromJQ(t *testing.T) {
	t.Setenv("ORC_TEST_SECRET", "hunter2")
	var out bytes.Buffer
	o := &output{expr: "env.ORC_TEST_SECRET", doc: reflect.TypeFor[house]()}
	if err := o.write(&App{Stdout: &out}, home); err != nil {
		t.Fatal(err)
	}
	if out.String() != "null\n" {
		t.Errorf("got %q", out.String())
	}
}

// Every document that a command prints has the version first, and no field whose name --json could not choose.
func TestDocumentsKeepTheContract(t *testing.T) {
	for _, doc := range []any{statusDocument{}, showDocument{}, historyDocument{}, versionDocument{}, logLine{}} {
		names := fieldNames(reflect.TypeOf(doc))
		if names[0] != "schema" {
			t.Errorf("%T begins with %q, not with its schema", doc, names[0])
		}
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatal(err)
		}
		for m := range members {
			if !hasField(reflect.TypeOf(doc), []string{m}) {
				t.Errorf("%T has %q, which --json cannot choose", doc, m)
			}
			if strings.ToLower(m) != m {
				t.Errorf("%T has a field without a JSON name: %q", doc, m)
			}
		}
	}
}

func TestStatusHasThePromisedFields(t *testing.T) {
	for _, path := range []string{
		"run.id", "run.name", "run.state", "run.branch", "run.base", "run.repository", "run.created_at", "run.finished_at",
		"run.concurrency", "run.interrupted", "run.error", "tasks.id", "tasks.name", "tasks.state", "tasks.attempts",
		"tasks.agent", "tasks.needs", "tasks.error", "tasks.result", "tasks.phase", "tasks.started_at", "tasks.ended_at",
		"tasks.duration_ms", "tasks.files", "tasks.additions", "tasks.deletions", "tasks.commit", "tasks.workspace",
	} {
		if !hasField(reflect.TypeFor[statusDocument](), strings.Split(path, ".")) {
			t.Errorf("orc status --json has no %s", path)
		}
	}
}

func TestSilentErrorsHaveNoWords(t *testing.T) {
	var out bytes.Buffer
	if code := (&App{}).report(&out, silent(ExitConflict)); code != ExitConflict || out.Len() > 0 {
		t.Errorf("code %d, output %q", code, out.String())
	}
	if silent(ExitOK) != nil {
		t.Error("success is an error")
	}
	if !errors.Is(silentOK, silentOK) || exitCode(silentOK) != ExitOK {
		t.Error("silentOK fails")
	}
}
