package cli

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// seal keeps other processes of this user from reading the memory and the environment of this one, in which keys may
// be. Root reads all the same.
func seal() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep others from reading this process: %w", err)
	}
	return nil
}

// unsealed runs f while this process can be read: without rights over itself it could not give a child a namespace of
// users. Nothing of a run is alive whenever that is needed.
func unsealed(f func() error) (err error) {
	was, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("look whether others can read this process: %w", err)
	}
	if was != 0 {
		return f()
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("start a supervisor: %w", err)
	}
	err = f()
	if serr := seal(); err == nil {
		err = serr
	}
	return err
}
