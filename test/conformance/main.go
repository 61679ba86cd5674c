// Command conformance runs the real agent programs against a scripted model server, and says for each of them
// whether orc drives it as it promises: a turn that edits a file, a second turn in the same session, a turn that is
// killed and gone on with, and every kind of failure. It installs the programs in pinned versions below a cache
// folder, starts them with scrubbed environments and homes of their own, and where it can in a network of their own
// that has nothing but the loopback interface.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"orchestrator/internal/process"
)

// options are what the command line says.
type options struct {
	orc     string
	cache   string // holds the installed programs and, while the suite runs, everything it writes
	agents  []string
	only    []string // names of scenarios; empty = all
	keep    bool
	install bool // only install
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == process.DefaultArg {
		os.Exit(process.Main(os.Args[2:]))
	}
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		code = max(code, 2)
	}
	os.Exit(code)
}

func parse() (options, error) {
	var o options
	var agents, only string
	flag.StringVar(&o.orc, "orc", "bin/orc", "the `program` to run plans with")
	flag.StringVar(&o.cache, "cache", "", "`folder` for the installed programs and scratch files (default: orc-conformance in the user's cache folder)")
	flag.StringVar(&agents, "agents", "", "run only these, separated by commas (default: all)")
	flag.StringVar(&only, "only", "", "run only these scenarios, separated by commas; run = those of the whole run (default: all)")
	flag.BoolVar(&o.keep, "keep", false, "keep the scratch files of a good run too")
	flag.BoolVar(&o.install, "install", false, "only install the programs")
	flag.Parse()
	if flag.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if o.cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("find the cache folder (or give -cache): %w", err)
		}
		o.cache = filepath.Join(dir, "orc-conformance")
	}
	for _, path := range []*string{&o.cache, &o.orc} {
		abs, err := filepath.Abs(*path)
		if err != nil {
			return o, fmt.Errorf("find %s: %w", *path, err)
		}
		*path = abs
	}
	o.agents, o.only = words(agents), spread(words(only))
	return o, o.check()
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// spread replaces the word run by the names of all parts of the run.
func spread(names []string) []string {
	i := slices.Index(names, "run")
	if i < 0 {
		return names
	}
	var all []string
	for _, p := range parts() {
		all = append(all, p.name)
	}
	return slices.Replace(names, i, i+1, all...)
}

// check refuses names that nothing has, which would make a run that proves nothing.
func (o options) check() error {
	known := map[string]bool{}
	for _, a := range agents() {
		known[a.name] = true
	}
	for _, name := range o.agents {
		if !known[name] {
			return fmt.Errorf("no agent is called %q", name)
		}
	}
	for _, s := range scenarios() {
		known[s.name] = true
	}
	for _, p := range parts() {
		known[p.name] = true
	}
	for _, name := range o.only {
		if !known[name] {
			return fmt.Errorf("no scenario is called %q", name)
		}
	}
	return nil
}

// run installs, goes where nothing can phone out, and judges.
func run(ctx context.Context, o options) (code int, err error) {
	if os.Getenv(aloneVariable) == "" {
		if err := install(ctx, o); err != nil {
			return 2, err
		}
		if o.install {
			return 0, nil
		}
		code, err := runAlone(ctx)
		if !errors.Is(err, errNotAlone) {
			return code, err
		}
		fmt.Printf("note: the agents can reach the network: %v\n", err)
	} else if err := raiseLoopback(); err != nil {
		return 2, err
	}
	began := time.Now()
	r, err := judge(ctx, o)
	if err != nil {
		return 2, err
	}
	fmt.Printf("\n%s\n%s in %s\n", r.table(), r.verdict(), time.Since(began).Round(time.Second))
	if r.failed() {
		return 1, nil
	}
	return 0, nil
}
