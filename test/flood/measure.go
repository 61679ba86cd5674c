package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"orchestrator/test/rig"
	"orchestrator/test/screen"
)

// patience is how long one key may take before the screen is called dead.
const patience = 30 * time.Second

// pause lies between two keys, so that each meets another moment.
const pause = 120 * time.Millisecond

// measured is what came out.
type measured struct {
	took      time.Duration
	latencies []time.Duration // from a key to the screen that shows what it does
	owner     memory
	screen    memory
	tasks     int // that are done
	printed   int // lines
	stored    int
}

func measure(ctx context.Context, f flood) (err error) {
	root, err := os.MkdirTemp("", "orc-flood-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	site, err := prepare(ctx, f, root)
	if err != nil {
		return err
	}
	began := time.Now()
	cmd := site.Program(ctx, "run", "plan.yaml", "--yes", "--detach")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("orc run: %w: %s", err, out)
	}
	var m measured
	if err := watch(ctx, site, &m); err != nil {
		return err
	}
	m.took = time.Since(began)
	if err := count(ctx, site, f, &m); err != nil {
		return err
	}
	return report(os.Stdout, f, m)
}

// prepare makes the repository, the plan and the agent.
func prepare(ctx context.Context, f flood, root string) (*rig.Site, error) {
	site, err := rig.NewSite(ctx, f.orc, root)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	printer := fmt.Sprintf("'%s' -print %d -rate %d", self, f.lines(), f.rate)
	script := filepath.Join(root, "agent.sh")
	if err := os.WriteFile(script, []byte(printer+"\nsay done\n"), 0o600); err != nil {
		return nil, err
	}
	work := "run: \"" + strings.ReplaceAll(printer, `"`, `\"`) + `"`
	if f.agents {
		work = "prompt: Print."
		out, err := site.Program(ctx, "config", "set", "--user", "providers.flood.driver", "fake", "providers.flood.command", script,
			"agents.coder.provider", "flood").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("orc config set: %w: %s", err, out)
		}
	}
	var plan strings.Builder
	fmt.Fprintf(&plan, "version: 1\nname: flood\nconcurrency: %d\ndefaults: {agent: coder}\ntasks:\n", f.slots)
	for i := range f.tasks {
		fmt.Fprintf(&plan, "  t%04d: {%s}\n", i, work)
	}
	if err := site.Write("plan.yaml", plan.String()); err != nil {
		return nil, err
	}
	return site, site.Commit(ctx, "A plan")
}

// watch opens the whole screen and presses keys until the run is over.
func watch(ctx context.Context, site *rig.Site, m *measured) (err error) {
	cmd := site.Program(ctx, "ui")
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	t, err := screen.Start(cmd, 140, 45)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	owner, err := ownerOf(site)
	if err != nil {
		return err
	}
	if err := t.Shows(ctx, "1 Tasks"); err != nil {
		return err
	}
	if err := t.Press("l"); err != nil { // the log, which grows fastest
		return err
	}
	begun := time.Now()
	for n := 0; ; n++ {
		m.owner.look(owner, time.Since(begun))
		m.screen.look(t.PID(), time.Since(begun))
		if n%20 == 19 {
			st, err := site.Status(ctx)
			if err != nil {
				return err
			}
			if st.Over() {
				break
			}
		}
		key := "j"
		if n/12%2 == 1 {
			key = "k" // down and up among the first, some of which are at work
		}
		took, err := press(ctx, t, key)
		if err != nil {
			return err
		}
		m.latencies = append(m.latencies, took)
		time.Sleep(pause)
	}
	if err := t.Press("q"); err != nil {
		return err
	}
	return t.Wait()
}

var chosen = regexp.MustCompile(`2 (t\d+) `)

// press says how long it takes until the screen shows another task.
func press(ctx context.Context, t *screen.Terminal, key string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := chosen.FindString(t.Text())
	began := time.Now()
	if err := t.Press(key); err != nil {
		return 0, err
	}
	err := t.Until(ctx, "another task", func(text string) bool {
		now := chosen.FindString(text)
		return now != "" && now != before
	})
	return time.Since(began), err
}

// ownerOf is the process that owns the run.
func ownerOf(site *rig.Site) (int, error) {
	locks, err := filepath.Glob(filepath.Join(site.Home, "data", "orc", "runs", "*", "owner.lock"))
	if err != nil || len(locks) != 1 {
		return 0, fmt.Errorf("find the owner: %d locks, %w", len(locks), err)
	}
	body, err := os.ReadFile(locks[0])
	if err != nil {
		return 0, err
	}
	var lock struct {
		PID int `json:"pid"`
	}
	return lock.PID, json.Unmarshal(body, &lock)
}

// count compares the lines of the logs with what was printed.
func count(ctx context.Context, site *rig.Site, f flood, m *measured) error {
	out, err := site.Program(ctx, "status", "--json=id,state,log").Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	var st struct {
		Tasks []struct {
			ID    string `json:"id"`
			State string `json:"state"`
			Log   string `json:"log"`
		} `json:"tasks"`
	}
	if err := json.Unmarshal(out, &st); err != nil {
		return err
	}
	for _, task := range st.Tasks {
		if task.State == "completed" {
			m.tasks++
		}
		n, err := countLines(task.Log, task.ID)
		if err != nil {
			return err
		}
		m.stored += n
		m.printed += f.lines()
	}
	return nil
}
