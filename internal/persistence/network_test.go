//go:build linux

package persistence

import (
	"path/filepath"
	"testing"
)

func TestLocalFolderIsOnNoNetworkAlsoBeforeItExists(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "not", "yet"), "/dev/shm", "/proc"} {
		if name, err := networkOf(dir); name != "" || err != nil {
			t.Errorf("%s: %q, %v", dir, name, err)
		}
	}
}
