//go:build orcfault

package fault

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	variable     = "ORC_FAULT"
	logVariable  = "ORC_FAULT_LOG"
	beatVariable = "ORC_FAULT_HEARTBEAT"
)

// target is where this process dies; an empty name means nowhere.
var target, nth = parse(os.Getenv(variable))

var passed atomic.Int64

func parse(text string) (name string, n int64) {
	if text == "" {
		return "", 0
	}
	name, number, ok := strings.Cut(text, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || n < 1 || !slices.Contains(points, name) {
		fmt.Fprintf(os.Stderr, "%s=%s: want name:n, n from 1, name one of %s\n", variable, text, strings.Join(points, " "))
		os.Exit(2)
	}
	return name, n
}

// Point is an instant at which the process may die.
func Point(name string) {
	if name != target || passed.Add(1) != nth {
		return
	}
	if path := os.Getenv(logVariable); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return // another process has died already: its successor counts anew
		}
		if err == nil {
			_, err = f.WriteString(name + "\n")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "fault:", err)
			os.Exit(2)
		}
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // the first process of a namespace is immune to its own signals
	syscall.Exit(128 + int(syscall.SIGKILL))
}

// Heartbeat is how often an owner says that it lives, so that a test need not wait long for the lease of a frozen one
// to run out; 0 = as often as otherwise.
func Heartbeat() time.Duration {
	text := os.Getenv(beatVariable)
	if text == "" {
		return 0
	}
	beat, err := time.ParseDuration(text)
	if err != nil || beat <= 0 {
		fmt.Fprintf(os.Stderr, "%s=%s: want a duration\n", beatVariable, text)
		os.Exit(2)
	}
	return beat
}

// Environ is what a process that is started with a clean environment needs to have faults.
func Environ() []string {
	var env []string
	for _, name := range []string{variable, logVariable} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
