package persistence_test

import "syscall"

func mountSmall(dir string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m") }

func growDisk(dir string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m")
}

func unmount(dir string) error { return syscall.Unmount(dir, 0) }
