package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// DefaultArg is the hidden argument for which a program's main calls Main.
const DefaultArg = "__confine"

// Options say where to look.
type Options struct {
	Executable string   // this program
	Args       []string // hidden arguments that make it call Main; default: DefaultArg
	Env        []string // PATH of it is where bubblewrap is looked for
}

// Found is what a machine has. Best is nil when it has nothing.
type Found struct {
	Best    *Sandbox
	Reasons []string // why what is firmer than Best cannot be used
}

// String says it for people.
func (f Found) String() string {
	text := string(f.Best.Level())
	if len(f.Reasons) > 0 {
		text += " (" + strings.Join(f.Reasons, "; ") + ")"
	}
	return text
}

// patience is how long a program may take to start in a sandbox.
const patience = 20 * time.Second

// Find tries the levels, firmest first, and stops at the first that really confines a command.
func Find(ctx context.Context, o Options) Found {
	if o.Args == nil {
		o.Args = []string{DefaultArg}
	}
	var f Found
	for _, try := range []func(context.Context, Options) (*Sandbox, error){findBubblewrap, findLandlock} {
		s, err := try(ctx, o)
		if err == nil {
			f.Best = s
			return f
		}
		f.Reasons = append(f.Reasons, err.Error())
	}
	return f
}

// FindLevel tries one level.
func FindLevel(ctx context.Context, o Options, level Level) (*Sandbox, error) {
	if o.Args == nil {
		o.Args = []string{DefaultArg}
	}
	switch level {
	case LevelBubblewrap:
		return findBubblewrap(ctx, o)
	case LevelLandlock:
		return findLandlock(ctx, o)
	}
	return nil, fmt.Errorf("there is no sandbox %q", level)
}

// attempt runs a command that does nothing.
func attempt(ctx context.Context, argv []string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		if line, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n"); line != "" {
			err = errors.New(line)
		}
		return err
	}
	return nil
}
