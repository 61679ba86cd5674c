//go:build race

package orchestrator_test

// underRace says that the race detector slows everything down.
const underRace = true
