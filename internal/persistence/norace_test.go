//go:build !race

package persistence_test

// underRace says that the race detector slows everything down.
const underRace = false
