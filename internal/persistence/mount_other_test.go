//go:build !linux

package persistence_test

import "errors"

func mountSmall(string) error { return errors.ErrUnsupported }

func growDisk(string) error { return errors.ErrUnsupported }

func unmount(string) error { return errors.ErrUnsupported }

func freezeDisk(string, bool) error { return errors.ErrUnsupported }
