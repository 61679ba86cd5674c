package cli

import (
	"testing"

	"orchestrator/internal/config"
	"orchestrator/internal/plan"
)

func TestQuestionsFailInCIUnlessSomebodySays(t *testing.T) {
	for name, c := range map[string]struct {
		plan, setting string
		ci            bool
		want          string
	}{
		"at a desk":              {want: "ask"},
		"in CI":                  {ci: true, want: "fail"},
		"in CI, the plan says":   {ci: true, plan: "questions: ask\n", want: "ask"},
		"in CI, the settings do": {ci: true, setting: "never", want: "never"},
		"both say":               {plan: "questions: fail\n", setting: "never", want: "fail"},
	} {
		p, list := plan.Parse("p.yaml", []byte("version: 1\n"+c.plan+"tasks: {a: {run: x}}\n"), plan.Options{})
		if p == nil {
			t.Fatal(list)
		}
		o := config.LoadOptions{}
		if c.setting != "" {
			o.Environ = []string{"ORC_QUESTIONS=" + c.setting}
		}
		cfg, list, err := config.Load(o)
		if err != nil || cfg == nil {
			t.Fatal(err, list)
		}
		f := newFixture(t)
		if c.ci {
			f.app.Environ = append(f.app.Environ, "CI=true")
		}
		if got := f.app.questions(p, cfg); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
