//go:build !linux

package sandbox

func landlockVersion() (int, error) { return 0, errUnsupported }
