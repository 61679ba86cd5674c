package persistence

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// remote are the file systems, by the number that statfs gives, on which SQLite's locks and shared memory do not hold:
// databases in WAL mode were damaged there.
var remote = map[uint32]string{
	0x6969:     "NFS",
	0xff534d42: "CIFS",
	0xfe534d42: "SMB",
	0x517b:     "SMB",
	0x01021997: "9P",
	0x5346414f: "AFS",
	0x6b414653: "AFS",
	0x73757245: "Coda",
}

// networkOf names the network file system that a folder is on; empty when it is on none. The folder need not exist
// yet: its nearest parent counts.
func networkOf(dir string) (string, error) {
	for {
		var st syscall.Statfs_t
		err := syscall.Statfs(dir, &st)
		if err == nil {
			return remote[uint32(st.Type)], nil
		}
		if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
			dir = parent
			continue
		}
		return "", fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
}
