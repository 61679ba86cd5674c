package cli

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"orchestrator/internal/process"
)

// supervisorArgs are the hidden arguments with which this program becomes a supervisor. The commands that it starts
// get the user's mask for new files, not ours.
func (a *App) supervisorArgs() []string {
	return []string{process.DefaultArg, fmt.Sprintf("%04o", a.Umask)}
}

// supervise is the whole life of a supervisor, if args say that this process is one.
func supervise(args []string) (code int, is bool) {
	if len(args) == 0 || args[0] != process.DefaultArg {
		return 0, false
	}
	if len(args) > 1 {
		mask, err := strconv.ParseUint(args[1], 8, 9)
		if err != nil {
			fmt.Fprintln(os.Stderr, "supervise:", err)
			return ExitUsage, true
		}
		syscall.Umask(int(mask))
	}
	return process.Main(args[1:]), true
}

// asUser runs f with the user's mask for new files.
func (a *App) asUser(f func() error) error {
	ours := syscall.Umask(a.Umask)
	defer syscall.Umask(ours)
	return f()
}
