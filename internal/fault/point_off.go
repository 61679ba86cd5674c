//go:build !orcfault

package fault

// Point does nothing in this build.
func Point(string) {}

// Environ is what a process that is started with a clean environment needs to have faults: nothing in this build.
func Environ() []string { return nil }
