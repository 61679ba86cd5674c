package workspacetest

import (
	"os"
	"syscall"
	"testing"
)

// ino is the number of a file on its file system: the same as long as it is the same file.
func ino(t *testing.T, path string) uint64 {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("no inode for %s", path)
	}
	return sys.Ino
}
