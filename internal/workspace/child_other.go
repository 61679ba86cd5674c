//go:build !linux

package workspace

import "syscall"

const terminate = syscall.SIGTERM

// childAttributes keeps a terminal's interrupt away from git commands; our own context ends them where they have to.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
