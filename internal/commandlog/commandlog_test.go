package commandlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// read gives the entries of a file, and fails the test for a line that is none.
func read(t *testing.T, path string) []Entry {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []Entry
	for line := range bytes.Lines(text) {
		e, ok := Parse(line)
		if !ok {
			t.Fatalf("not an entry: %q", line)
		}
		list = append(list, e)
	}
	return list
}

func closed(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasAddedIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "commands.log")
	want := []Entry{
		{Time: noon, What: Git, Task: "a", Dir: "/r", Args: []string{"status", "-z"}, Took: time.Millisecond},
		{Time: noon, What: Start, Task: "a", ID: "a.1", Args: []string{"sh", "-c", "exit 3"}, Boxed: true},
		{Time: noon, What: End, Task: "a", ID: "a.1", Args: []string{"sh", "-c", "exit 3"}, Exit: 3, Took: time.Second},
	}
	for _, e := range want { // each by an owner of its own: the record is continued
		l, err := Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Add(e)
		closed(t, l)
		closed(t, l)
		l.Add(e) // too late, and no harm
	}
	if got := read(t, path); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func TestWhatComesTooFastIsCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "commands.log")
	l := &Log{path: path, clean: strings.Clone, entries: make(chan Entry, 2), stop: make(chan struct{}), done: make(chan struct{})}
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // nobody writes yet
		l.Add(Entry{Time: noon, What: Git, Args: []string{fmt.Sprint(i)}})
	}
	go l.work()
	closed(t, l)
	got := read(t, path)
	if len(got) != 3 || got[0].What != Lost || got[0].Count != 3 || got[2].Args[0] != "1" {
		t.Errorf("got %+v", got)
	}
}

func TestSecretsAreTakenOutAndLinesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "commands.log")
	clean := func(s string) string { return strings.ReplaceAll(s, "hunter2hunter2", "[redacted]") }
	l, err := Open(path, clean)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--token=hunter2hunter2", strings.Repeat("x", mostInArg-5) + "hunter2hunter2", strings.Repeat("日", 1<<20)}
	for range 2 * mostArgs {
		args = append(args, "more")
	}
	l.Add(Entry{Time: noon, What: Start, Args: args, Error: "no hunter2hunter2"})
	closed(t, l)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("hunt")) || len(text) > 4096 || bytes.Contains(text, []byte("�")) {
		t.Errorf("%d bytes: %.900s", len(text), text)
	}
	if args[0] != "--token=hunter2hunter2" {
		t.Error("the caller's arguments were changed")
	}
}

func TestAFullFileIsPutAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "commands.log")
	if err := os.WriteFile(path, bytes.Repeat([]byte("old\n"), mostBytes/4), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &Log{path: path, clean: strings.Clone}
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	l.write(Entry{Time: noon, What: Git, Args: []string{"one"}})
	l.flush()
	l.write(Entry{Time: noon, What: Git, Args: []string{"two"}})
	l.flush()
	if l.err != nil {
		t.Fatal(l.err)
	}
	if err := l.file.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); len(got) != 1 || got[0].Args[0] != "two" {
		t.Errorf("got %+v", got)
	}
	if old, err := os.ReadFile(path + Aside); err != nil || !bytes.HasSuffix(old, []byte("\n")) || !bytes.Contains(old, []byte("one")) {
		t.Errorf("aside: %v", err)
	}
}

func TestAnErrorIsSaidOnceAndStopsNobody(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l := &Log{
		path: filepath.Join(dir, "commands.log"), clean: strings.Clone,
		entries: make(chan Entry, 2), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	l.size = mostBytes // the file is put aside, and is not there
	l.write(Entry{Time: noon, What: Git})
	l.flush()
	go l.work()
	for range 9 {
		l.Add(Entry{Time: noon, What: Git})
	}
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "write the log of commands") {
		t.Errorf("a file that is gone could be put aside: %v", err)
	}
	(*Log)(nil).Add(Entry{})
	closed(t, nil)
}

func TestCommandIsWhatAShellWouldTake(t *testing.T) {
	for want, e := range map[string]Entry{
		"git commit -m 'it'\\''s done'":              {What: Git, Args: []string{"commit", "-m", "it's done"}},
		`sh -c "a\nb" ''`:                            {What: Start, Args: []string{"sh", "-c", "a\nb", ""}},
		"claude -p: no such file  (in the sandbox)":  {What: Start, Args: []string{"claude", "-p"}, Error: "no such\nfile", Boxed: true},
		"7 more, which came too fast to be recorded": {What: Lost, Count: 7},
	} {
		if got := e.Command(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, line := range []string{"", "{", `{"time":"2026"}`, "[]", `{"args":["x"]}`} {
		if _, ok := Parse([]byte(line)); ok {
			t.Errorf("%q was taken for an entry", line)
		}
	}
}

// BenchmarkAdd is what recording costs those who run commands.
func BenchmarkAdd(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "commands.log"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	e := Entry{Time: noon, What: Git, Task: "a", Dir: "/r", Args: []string{"rev-parse", "--verify", "HEAD"}}
	b.ReportAllocs()
	for b.Loop() {
		l.Add(e)
	}
}
