package workspace_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"orchestrator/internal/workspace/clone"
	"orchestrator/internal/workspace/workspacetest"
)

const nobody = 65534

// asNobody runs the calling test again as an unprivileged user when root runs it, because root can read everything.
// It says whether the caller is to go on.
func asNobody(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 {
		return true
	}
	dir, err := os.MkdirTemp("", "nobody-")
	must(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("this program cannot be copied: ", err)
	}
	program := filepath.Join(dir, "test")
	must(t, os.WriteFile(program, b, 0o755))
	must(t, os.Chown(dir, nobody, nobody))
	cmd := exec.Command(program, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
	return false
}

func TestSealSavesWhatCannotBeRead(t *testing.T) {
	if !asNobody(t) {
		return
	}
	r, s := working(t)
	workspacetest.Write(t, s.Dir, "new/secret.txt", "secret\n")
	workspacetest.Write(t, s.Dir, "new/closed/deep/x.txt", "x\n")
	workspacetest.Write(t, s.Dir, "src/deep/er.txt", "changed\n")
	for path, mode := range map[string]os.FileMode{
		"README": 0, "new/secret.txt": 0o200, "new/closed/deep": 0, "src/deep": 0o100, "bin": 0o600,
	} {
		must(t, os.Chmod(filepath.Join(s.Dir, path), mode))
	}
	must(t, os.Chmod(filepath.Join(s.Dir, "new/closed"), 0))
	must(t, os.Chmod(s.Dir, 0o500))
	saved := r.Seal(s)
	files := r.Files(saved.Commit)
	for name, want := range map[string]string{
		"README": "100644 a repository\n", "new/secret.txt": "100644 secret\n", "new/closed/deep/x.txt": "100644 x\n",
		"src/deep/er.txt": "100644 changed\n", "bin/tool": "100755 #!/bin/sh\n",
	} {
		if files[name] != want {
			t.Errorf("%s is %q", name, files[name])
		}
	}
	for _, name := range []string{"README", "new/secret.txt", "new/closed", "new/closed/deep", "src/deep", "bin"} {
		noticed(t, saved, name)
	}
	must(t, clone.New(r.Repo).Remove(t.Context(), s))
	if _, err := os.Lstat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}
