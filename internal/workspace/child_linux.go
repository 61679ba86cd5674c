package workspace

import (
	"syscall"
)

const terminate = syscall.SIGTERM

// childAttributes lets a git command die with us, and keeps a terminal's interrupt away from it: half of a git command
// helps nobody, and our own context ends it where it has to end.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
