// Command demo shows what orc does. It makes a scratch repository with a small Go program (repo/), runs plan.yaml on
// it with orc, and shows what came of it. Nothing outside the scratch folder changes: orc's own files go there too.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	orc := flag.String("orc", "bin/orc", "the program to show")
	source := flag.String("source", "examples/demo", "folder of plan.yaml and repo/")
	flag.Parse()
	if err := demo(*orc, *source); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(orc, source string) error {
	program, err := filepath.Abs(orc)
	if err != nil {
		return fmt.Errorf("find orc: %w", err)
	}
	s, err := newScratch(program, source)
	if err != nil {
		return err
	}
	fmt.Printf("A small Go program in a scratch repository: %s\n", s.repo)
	fmt.Printf("$ orc run plan.yaml\n\n")
	before, err := s.checkout()
	if err != nil {
		return err
	}
	// The soft failure makes the run end with exit code 1: finished, with failures.
	code, err := s.run()
	if err != nil {
		return err
	}
	run, err := s.status()
	if err != nil {
		return err
	}
	after, err := s.checkout()
	if err != nil {
		return err
	}
	if err := s.show(run); err != nil {
		return err
	}
	faults := judge(run, code)
	if after != before {
		faults = append(faults, fmt.Errorf("the checkout changed:\n%s\nwas:\n%s", after, before))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	fmt.Printf("\nAs designed: 7 tasks done and merged, 1 failed softly, 1 needed a second attempt. Your branch is as it was.\n")
	s.hints()
	return nil
}
