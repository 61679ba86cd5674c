package main

import (
	"fmt"
	"os"
)

// exitFailures is orc's exit code for a run that finished with failures.
const exitFailures = 1

// designed says how each task of plan.yaml ends, and after how many attempts.
var designed = map[string]struct {
	state    string
	attempts int
}{
	"lines":     {"completed", 1},
	"columns":   {"completed", 1},
	"longest":   {"completed", 2},
	"toolchain": {"completed", 1},
	"licence":   {"failed", 1},
	"wire":      {"completed", 1},
	"manual":    {"completed", 1},
	"ship":      {"completed", 1},
}

// judge compares what happened with what was designed.
func judge(st status, code int) []error {
	var faults []error
	if code != exitFailures {
		faults = append(faults, fmt.Errorf("orc run ended with exit code %d, want %d", code, exitFailures))
	}
	if len(st.Tasks) != len(designed) {
		faults = append(faults, fmt.Errorf("%d tasks, want %d", len(st.Tasks), len(designed)))
	}
	for _, t := range st.Tasks {
		want := designed[t.ID]
		if t.State != want.state || t.Attempts != want.attempts {
			faults = append(faults, fmt.Errorf("task %s is %s after %d attempts, want %s after %d",
				t.ID, t.State, t.Attempts, want.state, want.attempts))
		}
	}
	return faults
}

// show prints the tasks and what was merged.
func (s *scratch) show(st status) error {
	fmt.Printf("\n$ orc status\n\n")
	cmd := s.command(s.orc, "status")
	cmd.Stdout = os.Stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("orc status: %w", err)
	}
	fmt.Printf("\n$ git log --graph --oneline %s\n\n", st.Run.Branch)
	graph, err := s.git("log", "--graph", "--oneline", st.Run.Branch, "--")
	if err != nil {
		return err
	}
	fmt.Print(graph)
	manual, err := s.git("show", st.Run.Branch+":README.md")
	if err != nil {
		return err
	}
	fmt.Printf("\n$ git show %s:README.md\n\n%s", st.Run.Branch, manual)
	return nil
}

// hints says how to look further.
func (s *scratch) hints() {
	fmt.Printf(`
Look further:
  cd %s
  export XDG_DATA_HOME=%s/data XDG_CONFIG_HOME=%s/config XDG_STATE_HOME=%s/state
  %s show longest            both attempts of one task
  %s logs licence            what a task printed
  %s diff                    everything the run changed
  %s merge                   bring it into main
  rm -rf %s   when you have seen enough
`, s.repo, s.root, s.root, s.root, s.orc, s.orc, s.orc, s.orc, s.root)
}
