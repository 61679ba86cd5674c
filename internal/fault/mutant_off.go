//go:build !orcmutant

package fault

// Mutant is false in this build: no bug is planted.
func Mutant(string) bool { return false }
