package persistence_test

import "syscall"

func mountSmall(dir string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m") }

func growDisk(dir string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m")
}

// freezeDisk makes a disk read-only, with its files open, and thaws it again.
func freezeDisk(dir string, frozen bool) error {
	flags := uintptr(syscall.MS_REMOUNT)
	if frozen {
		flags |= syscall.MS_RDONLY
	}
	return syscall.Mount("tmpfs", dir, "tmpfs", flags, "size=8m")
}

func unmount(dir string) error { return syscall.Unmount(dir, 0) }
