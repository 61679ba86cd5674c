//go:build !race

package scheduler

// underRace thins out the longest tests: the race detector makes them ten times slower, and nothing here is concurrent.
const underRace = false
