package persistence_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
)

// wantRefusal opens a path that must be refused, with an error of a kind that says what to do.
func wantRefusal(t *testing.T, path string, kind error, words ...string) {
	t.Helper()
	s, err := persistence.NewSQLiteStore(t.Context(), path)
	if err == nil {
		s.Close()
		t.Fatal("it opened")
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
	var e *persistence.Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("error without a hint: %v", err)
	}
	for _, word := range append(words, path) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "data", "orc", "orc.db")
	s := openStore(t, path)
	if err := s.CreateRun(t.Context(), persistence.Run{ID: "aa", State: scheduler.RunRunning}, nil); err != nil {
		t.Fatal(err)
	}
	if s.Path() != path {
		t.Errorf("path is %s", s.Path())
	}
	for name, want := range map[string]os.FileMode{
		path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, filepath.Dir(path): 0o700 | os.ModeDir,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", filepath.Base(name), info.Mode(), want)
		}
	}
}

func TestOddPathsAreTheFilesTheyName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a?mode=memory", "a#b", "a b%20c", "a;b&c=d", "日本", ":memory:", "file:x"} {
		s := openStore(t, filepath.Join(dir, name))
		if err := s.CreateRun(t.Context(), persistence.Run{ID: "aa", State: scheduler.RunRunning}, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 7 {
		t.Errorf("%d files: %v", len(entries), entries)
	}
}

func TestADirectoryIsRefused(t *testing.T) {
	wantRefusal(t, t.TempDir(), nil, "directory")
}

func TestAFileInTheWayOfTheFolderIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, filepath.Join(file, "orc.db"), nil)
}

func TestATextFileIsRefusedAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	text := strings.Repeat("dear diary\n", 1000)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, path, persistence.ErrCorrupt, "not a database")
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("the file changed: %v", err)
	}
}

func TestAnotherProgramsDatabaseIsRefusedAndKept(t *testing.T) {
	for name, setup := range map[string]string{
		"with tables":    "CREATE TABLE cookies (x)",
		"with an id":     "PRAGMA application_id = 7",
		"with a version": "PRAGMA user_version = 3",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "orc.db")
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(setup); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			wantRefusal(t, path, persistence.ErrForeign)
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(before) {
				t.Errorf("the file changed: %v", err)
			}
		})
	}
}

func TestADamagedDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	s := openStore(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("cut off", func(t *testing.T) {
		if err := os.WriteFile(path, whole[:4096+100], 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, path, persistence.ErrCorrupt)
	})
	t.Run("overwritten", func(t *testing.T) {
		page := []byte(strings.Repeat("garbage!", (4096-100)/8))
		spoiled := append(append(append([]byte{}, whole[:100]...), page...), whole[100+len(page):]...)
		if err := os.WriteFile(path, spoiled, 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, path, persistence.ErrCorrupt)
	})
}

func TestCheckFindsDamageThatOpeningDoesNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	s := openStore(t, path)
	tasks := make([]*scheduler.Task, 300)
	for i := range tasks {
		tasks[i] = &scheduler.Task{ID: scheduler.TaskID("t" + string(rune('A'+i%50)) + strings.Repeat("x", i/50)), Prompt: strings.Repeat("p", 300)}
	}
	if err := s.CreateRun(t.Context(), persistence.Run{ID: "aa", State: scheduler.RunRunning}, tasks); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Fatalf("a sound database: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(strings.Repeat("\xff", 8192)), info.Size()-8192)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := openStore(t, path).Check(t.Context()); !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// The superuser ignores permissions, so another process gives up its rights first.
func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		create    bool
		file, dir os.FileMode
	}{
		"a read-only file":                   {true, 0o444, 0o777},
		"a read-only file and folder":        {true, 0o444, 0o555},
		"a file in a read-only folder":       {true, 0o666, 0o555},
		"a file that may not be read":        {true, 0o000, 0o777},
		"a new file in an unwritable folder": {false, 0, 0o555},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "store")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := errors.Join(os.Chmod(dir, 0o700), os.RemoveAll(dir)); err != nil {
					t.Error(err)
				}
			})
			path := filepath.Join(dir, "orc.db")
			if c.create {
				if err := openStore(t, path).Close(); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path, c.file); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, c.dir); err != nil {
				t.Fatal(err)
			}
			wantChildSays(t, "nobody", path, "readonly")
		})
	}
}

func TestAFileSizeLimitLosesNothing(t *testing.T) {
	wantChildSays(t, "limited", filepath.Join(t.TempDir(), "orc.db"), "full")
}

// wantChildSays runs another process that must report an error of a kind, with a hint.
func wantChildSays(t *testing.T, role, path, kind string) {
	t.Helper()
	out, err := child(t, role, path).Output()
	if strings.Contains(string(out), "error: skip") {
		t.Skip(string(out))
	}
	lines := strings.Split(string(out), "\n")
	if err != nil || len(lines) < 3 || lines[0] != kind {
		t.Fatalf("%v: %s", err, out)
	}
	if last := lines[len(lines)-2]; !strings.HasPrefix(last, "hint: ") || len(last) < 10 {
		t.Errorf("no hint: %s", out)
	}
}

func TestAFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := mountSmall(dir); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Error(err)
		}
	})
	s := openStore(t, filepath.Join(dir, "orc.db"))
	full, err := fill(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(full, persistence.ErrFull) {
		t.Errorf("got %v", full)
	}
	var e *persistence.Error
	if !errors.As(full, &e) || e.Hint == "" {
		t.Errorf("error without a hint: %v", full)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := growDisk(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveMessage(t.Context(), "aa", "a", persistence.ConversationTurn{Role: "user", Content: "again"}); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestBackupIsACopyAndNeverOverwrites(t *testing.T) {
	for name, open := range map[string]func(t testing.TB) *persistence.SQLiteStore{"file": testStore, "memory": memoryStore} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if err := s.CreateRun(t.Context(), persistence.Run{ID: "aa", State: scheduler.RunRunning}, []*scheduler.Task{{ID: "a"}}); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "back'up?.db")
			if err := s.Backup(t.Context(), file); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if err := s.DeleteRun(t.Context(), "aa"); err != nil {
				t.Fatal(err)
			}
			if _, err := openStore(t, file).GetTask(t.Context(), "aa", "a"); err != nil {
				t.Error(err)
			}
			if err := s.Backup(t.Context(), file); !errors.Is(err, persistence.ErrConflict) {
				t.Errorf("over an existing file: %v", err)
			}
			if _, err := openStore(t, file).GetTask(t.Context(), "aa", "a"); err != nil {
				t.Errorf("the refused backup changed the file: %v", err)
			}
		})
	}
}

func TestABackupIsTheFileThatItsNameSays(t *testing.T) {
	s := testStore(t)
	t.Chdir(t.TempDir())
	for _, name := range []string{"copy.db", "file:copy?mode=memory", ":memory:", "-x"} {
		if err := s.Backup(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			t.Errorf("%s is empty or missing: %v", name, err)
		}
	}
}

func TestALinkToNothingIsRefusedWithAHint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	if err := os.Symlink(path+".gone", path); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, path, persistence.ErrNotFound)
}

func TestDefaultPathFollowsTheEnvironment(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for data, want := range map[string]string{
		"":         filepath.Join(home, ".local/share/orc/orc.db"),
		"/x/data":  "/x/data/orc/orc.db",
		"relative": filepath.Join(home, ".local/share/orc/orc.db"), // the specification says to ignore it
	} {
		t.Setenv("XDG_DATA_HOME", data)
		if got, err := persistence.DefaultPath(); err != nil || got != want {
			t.Errorf("XDG_DATA_HOME=%q: %s, %v; want %s", data, got, err, want)
		}
	}
}

func TestAnUnknownDurabilityIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orc.db")
	if _, err := persistence.OpenSQLite(t.Context(), path, persistence.Options{Durability: "fulll"}); err == nil {
		t.Error("it opened")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was made all the same")
	}
}
