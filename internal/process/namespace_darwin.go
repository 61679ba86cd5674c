package process

import (
	"os/exec"
	"syscall"
)

const (
	recvFlags  = 0
	maxRSSUnit = 1 // bytes in a unit of ru_maxrss
)

// supervisorAttr says how a supervisor is started: in a session of its own, because Ctrl-C reaches
// the terminal's whole foreground group and the owner alone decides.
func supervisorAttr(level Level) (*syscall.SysProcAttr, error) {
	if level != LevelGroup {
		return nil, ErrUnsupported
	}
	return &syscall.SysProcAttr{Setsid: true}, nil
}

func startUnmasked(cmd *exec.Cmd) error { return cmd.Start() }

func enterLevel(level Level) error {
	if level != LevelGroup {
		return ErrUnsupported
	}
	return nil
}

func commandAttr(Level, *int) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
