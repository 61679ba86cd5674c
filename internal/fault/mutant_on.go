//go:build orcmutant

package fault

import "os"

var planted = os.Getenv("ORC_MUTANT")

// Mutant says whether the bug of this name is planted.
func Mutant(name string) bool { return name == planted }
