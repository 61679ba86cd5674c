package plan

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// repository makes a folder with a .git, a plan in plans/ and files; it returns the plan's path.
func repository(t *testing.T, promptFile string, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("repo/.git/HEAD", "ref: refs/heads/main\n")
	write("repo/plans/plan.yaml", "version: 1\nagents: {c: {provider: command, command: x}}\ntasks: {a: {agent: c, prompt_file: "+promptFile+"}}\n")
	for name, text := range files {
		write(name, text)
	}
	return filepath.Join(root, "repo/plans/plan.yaml")
}

func TestPromptFilesAreReadFromTheRepository(t *testing.T) {
	for name, c := range map[string]struct{ file, at string }{
		"beside the plan": {"a.md", "repo/plans/a.md"},
		"below it":        {"x/../x/a.md", "repo/plans/x/a.md"},
		"in the root":     {"../a.md", "repo/a.md"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := repository(t, c.file, map[string]string{c.at: "\ufeffDo it.\n"})
			p, list, err := Load(plan, Options{})
			if err != nil || p == nil {
				t.Fatal(err, list)
			}
			if err := os.Remove(filepath.Join(filepath.Dir(plan), c.file)); err != nil {
				t.Fatal(err)
			}
			if got := p.Tasks()[0].Prompt; got != "Do it.\n" {
				t.Errorf("the prompt is %q", got)
			}
		})
	}
}

func TestPromptFilesThatCannotBeUsed(t *testing.T) {
	big := strings.Repeat("x", MaxPromptFile+1)
	for name, c := range map[string]struct {
		file  string
		files map[string]string
		links map[string]string
		want  string
	}{
		"outside":         {"../../a.md", map[string]string{"a.md": "x"}, nil, "outside the repository"},
		"a link out":      {"a.md", map[string]string{"a.md": "x"}, map[string]string{"repo/plans/a.md": "../../a.md"}, "outside the repository"},
		"an absolute one": {"a.md", nil, map[string]string{"repo/plans/a.md": "/etc/passwd"}, "outside the repository"},
		"a linked folder": {"out/a.md", map[string]string{"dir/a.md": "x"}, map[string]string{"repo/plans/out": "../../dir"}, "outside the repository"},
		"empty":           {"a.md", map[string]string{"repo/plans/a.md": " \n"}, nil, "is empty"},
		"NUL":             {"a.md", map[string]string{"repo/plans/a.md": "a\x00"}, nil, "NUL byte"},
		"not UTF-8":       {"a.md", map[string]string{"repo/plans/a.md": "a\xff"}, nil, "not valid UTF-8"},
		"too large":       {"a.md", map[string]string{"repo/plans/a.md": big}, nil, "at most 16777216"},
		"missing":         {"a.md", nil, nil, "does not exist"},
		"a folder":        {"sub", map[string]string{"repo/plans/sub/x": ""}, nil, "is a folder"},
		"a broken link":   {"a.md", nil, map[string]string{"repo/plans/a.md": "nowhere"}, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := repository(t, c.file, c.files)
			root := filepath.Dir(filepath.Dir(filepath.Dir(plan)))
			for link, target := range c.links {
				if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
					t.Fatal(err)
				}
			}
			p, list, err := Load(plan, Options{})
			if err != nil || p != nil || len(list) != 1 {
				t.Fatal(err, p, list)
			}
			if d := list[0]; !strings.Contains(d.Message, c.want) || d.Code != "bad-prompt-file" || d.Line != 3 {
				t.Errorf("got %s, want %q", d, c.want)
			}
		})
	}
}

func TestAPromptFileThatIsAPipeIsRefusedWithoutWaiting(t *testing.T) {
	plan := repository(t, "pipe", nil)
	if err := syscall.Mkfifo(filepath.Join(filepath.Dir(plan), "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, list, err := Load(plan, Options{})
	if err != nil || len(list) != 1 || !strings.Contains(list[0].Message, "not a regular file") {
		t.Errorf("got %v %v", list, err)
	}
}

func TestALinkInsideTheRepositoryIsFollowed(t *testing.T) {
	plan := repository(t, "a.md", map[string]string{"repo/prompts/a.md": "x"})
	if err := os.Symlink("../prompts/a.md", filepath.Join(filepath.Dir(plan), "a.md")); err != nil {
		t.Fatal(err)
	}
	if p, list, err := Load(plan, Options{}); err != nil || p == nil {
		t.Error(err, list)
	}
}

func TestWithoutARepositoryPromptFilesStayInThePlansFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.md"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	src := []byte("version: 1\nagents: {c: {provider: command, command: x}}\ntasks: {a: {agent: c, prompt_file: ../a.md}}\n")
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	if p, _ := Parse("-", src, Options{Dir: sub}); p != nil {
		t.Error("a file outside the plan's folder is read")
	}
}
