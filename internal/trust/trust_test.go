package trust

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTrustIsForAPathAndItsContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "trust.json")
	s := open(t, path)
	plan := Item{Path: "/r/plan.yaml", SHA256: Hash([]byte("one"))}
	other := Item{Path: "/r/.orc/config.yaml", SHA256: Hash([]byte("two"))}
	if got := s.Unknown([]Item{plan, other}); len(got) != 2 {
		t.Fatalf("an empty memory trusts: %v unknown", got)
	}
	if err := s.Add(at, plan, other); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if got := s.Unknown([]Item{plan, other}); len(got) != 0 {
		t.Errorf("unknown after trusting: %v", got)
	}
	changed := Item{Path: plan.Path, SHA256: Hash([]byte("one, changed"))}
	moved := Item{Path: "/elsewhere/plan.yaml", SHA256: plan.SHA256}
	if got := s.Unknown([]Item{changed, moved}); len(got) != 2 {
		t.Errorf("trusted although changed or moved; unknown: %v", got)
	}
	if !s.Changed(changed) || s.Changed(plan) || s.Changed(moved) {
		t.Error("only a known path with another content has changed")
	}
	if err := s.Add(at, changed); err != nil {
		t.Fatal(err)
	}
	if got := s.Unknown([]Item{plan}); len(got) != 1 {
		t.Error("the former content is still trusted")
	}
	for name, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want %#o", name, st.Mode(), err, mode)
		}
	}
	if gone, err := s.Revoke("/r"); err != nil || len(gone) != 2 {
		t.Errorf("revoked %v, %v", gone, err)
	}
	if gone, err := s.Revoke("/r"); err != nil || gone != nil {
		t.Errorf("revoked again %v, %v", gone, err)
	}
	if got := open(t, path).Entries(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestRevokingTakesNoNeighbour(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "trust.json"))
	if err := s.Add(at, Item{Path: "/r/a"}, Item{Path: "/r/ab"}, Item{Path: "/r/a/b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Revoke("/r/a"); err != nil {
		t.Fatal(err)
	}
	if got := s.Entries(); len(got) != 1 || got[0].Path != "/r/ab" {
		t.Errorf("left: %v", got)
	}
}

func TestAMemoryThatCannotBeReliedOnTrustsNothing(t *testing.T) {
	item := Item{Path: "/r/plan.yaml", SHA256: Hash([]byte("one"))}
	good := `{"schema":1,"trusted":[{"path":"/r/plan.yaml","sha256":"` + item.SHA256 + `","at":"2026-05-01T12:00:00Z"}]}`
	for name, put := range map[string]func(path string) error{
		"cut off":            func(p string) error { return os.WriteFile(p, []byte(good[:40]), 0o600) },
		"of another version": func(p string) error { return os.WriteFile(p, []byte(strings.Replace(good, ":1", ":2", 1)), 0o600) },
		"with unknown words": func(p string) error { return os.WriteFile(p, []byte(strings.Replace(good, "at", "when", 1)), 0o600) },
		"open to others": func(p string) error {
			if err := os.WriteFile(p, []byte(good), 0o600); err != nil {
				return err
			}
			return os.Chmod(p, 0o622)
		},
		"a folder": func(p string) error { return os.Mkdir(p, 0o700) },
		"a link": func(p string) error {
			if err := os.WriteFile(p+".target", []byte(good), 0o600); err != nil {
				return err
			}
			return os.Symlink(p+".target", p)
		},
	} {
		path := filepath.Join(t.TempDir(), "trust.json")
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path)
		if err == nil {
			t.Errorf("a memory that is %s is read", name)
		}
		if got := s.Unknown([]Item{item}); len(got) != 1 {
			t.Errorf("a memory that is %s trusts", name)
		}
		if err := s.Add(at, item); err == nil {
			t.Errorf("a memory that is %s is overwritten", name)
		}
	}
	path := filepath.Join(t.TempDir(), "trust.json")
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := open(t, path).Unknown([]Item{item}); len(got) != 0 {
		t.Error("a sound memory does not trust")
	}
}

func TestDigestDependsOnContentsAndNotOnOrder(t *testing.T) {
	a, b := Item{Path: "/r/a", SHA256: "1"}, Item{Path: "/r/b", SHA256: "2"}
	if Digest([]Item{a, b}) != Digest([]Item{b, a}) {
		t.Error("the order counts")
	}
	// Another checkout of the same files has the same digest, so that CI can name it.
	if Digest([]Item{a}) != Digest([]Item{{Path: "/other/a", SHA256: "1"}}) {
		t.Error("the folder counts")
	}
	if Digest([]Item{a}) == Digest([]Item{{Path: "/r/a", SHA256: "2"}}) {
		t.Error("the content does not count")
	}
}
