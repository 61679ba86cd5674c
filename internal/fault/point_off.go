//go:build !orcfault

package fault

import "time"

// Point does nothing in this build.
func Point(string) {}

// Heartbeat is 0 in this build: owners say as often as otherwise that they live.
func Heartbeat() time.Duration { return 0 }

// Environ is what a process that is started with a clean environment needs to have faults: nothing in this build.
func Environ() []string { return nil }
