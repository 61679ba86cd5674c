// Package sandbox confines a command and all that it starts: they write in the folders that their Policy names and
// nowhere else, and do not read what it hides. There are two ways to do so, see Level; Find tells which of them this
// machine has by trying it.
//
// Confining is done by other words in front of the command's own (Sandbox.Wrap): those of bubblewrap, or those with
// which this very program restricts itself and then becomes the command (Main). Nothing of it has to be undone.
//
// What it does not do: the network is as it was. With LevelLandlock, metadata (chmod, utime) of what may be read can
// be changed, and sockets with a path can be connected to.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"orchestrator/internal/process"
)

// Mode is what a person wants.
type Mode string

// The modes. Required means that nothing may run without a sandbox, Auto that it is used where there is one.
const (
	Auto     Mode = "auto"
	Required Mode = "required"
	Off      Mode = "off"
)

// Level is how commands are confined.
type Level string

// The levels, firmest first. In LevelBubblewrap a command has mounts and process numbers of its own, so that what is
// hidden is not there, and programs with sandboxes of their own still start. In LevelLandlock the kernel refuses
// what is not allowed, and such programs fail.
const (
	LevelBubblewrap Level = "bubblewrap"
	LevelLandlock   Level = "landlock"
	LevelNone       Level = "none"
)

// Policy is what a command may do with files. Paths are absolute; those that do not exist are left out. Of two that
// lie in one another the inner one decides about what is in it.
type Policy struct {
	Write    []string `json:"write"`     // files, and folders with all that is in them
	ReadOnly []string `json:"read_only"` // inside of folders that may be written
	Hide     []string `json:"hide"`      // what is not even read
}

// Sandbox is a way of confining commands. The nil Sandbox confines nothing.
type Sandbox struct {
	level   Level
	program string   // bubblewrap's; or that which restricts itself
	args    []string // with which the latter does
}

// Level says how it confines.
func (s *Sandbox) Level() Level {
	if s == nil {
		return LevelNone
	}
	return s.level
}

// Wrap returns the spec of the confined command. A program that does not exist is a *process.LaunchError, as it
// would be without a sandbox.
func (s *Sandbox) Wrap(spec process.Spec, p Policy) (process.Spec, error) {
	if s == nil || len(spec.Argv) == 0 {
		return spec, nil
	}
	path, err := find(spec.Argv[0], spec.Dir, spec.Env)
	if err != nil {
		return spec, err
	}
	argv := append([]string{path}, spec.Argv[1:]...)
	rules := p.resolve()
	if s.level == LevelBubblewrap {
		spec.Argv = slices.Concat([]string{s.program}, bubblewrapArgs(rules, spec.Dir), []string{"--"}, argv)
		return spec, nil
	}
	text, err := rules.encode()
	if err != nil {
		return spec, fmt.Errorf("confine %s: %w", spec.ID, err)
	}
	spec.Argv = slices.Concat([]string{s.program}, s.args, []string{text, "--"}, argv)
	return spec, nil
}

// Unwrapped is the command in what Wrap has made of it, and whether there was something around it.
func Unwrapped(argv []string) (inner []string, wrapped bool) {
	if len(argv) < 2 || filepath.Base(argv[0]) != "bwrap" && argv[1] != DefaultArg {
		return argv, false
	}
	if i := slices.Index(argv, "--"); i >= 0 {
		return argv[i+1:], true
	}
	return argv, false
}

// find looks for a program as execvp does, in the command's PATH and from its folder.
func find(name, dir string, env []string) (string, error) {
	fail := func(errno syscall.Errno) error {
		return &process.LaunchError{Op: "find program", Path: name, Err: errno}
	}
	if strings.ContainsRune(name, filepath.Separator) {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if errno := runnable(path); errno != 0 {
			return "", fail(errno)
		}
		return path, nil
	}
	found := syscall.ENOENT
	for _, place := range filepath.SplitList(get(env, "PATH")) {
		if !filepath.IsAbs(place) {
			place = filepath.Join(dir, place)
		}
		path := filepath.Join(place, name)
		switch runnable(path) {
		case 0:
			return path, nil
		case syscall.EACCES:
			found = syscall.EACCES
		}
	}
	return "", fail(found)
}

func runnable(path string) syscall.Errno {
	info, err := os.Stat(path)
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno
	case err != nil:
		return syscall.EINVAL
	case info.IsDir(), info.Mode()&0o111 == 0:
		return syscall.EACCES
	}
	return 0
}

// get is the value of a variable; the last entry counts.
func get(env []string, name string) string {
	value := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}
