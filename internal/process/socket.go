package process

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// socketPair makes the channel between owner and supervisor. It is the lifeline as well: the kernel
// closes the owner's end with the owner.
func socketPair() (*net.UnixConn, *os.File, error) {
	// Held against a fork elsewhere in the program that would let the ends leak into its child.
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "lifeline"), os.NewFile(uintptr(fds[1]), "lifeline")
	conn, err := net.FileConn(ours)
	if err = errors.Join(err, ours.Close()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("wrap socket: %w", err), theirs.Close())
	}
	return conn.(*net.UnixConn), theirs, nil
}
