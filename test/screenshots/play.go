package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"

	"orchestrator/test/screen"
)

// play goes through one run and takes the pictures on the way.
func (s *stage) play(ctx context.Context) error {
	if out, err := s.Program(ctx, "trust", "--yes").CombinedOutput(); err != nil {
		return fmt.Errorf("orc trust: %w: %s", err, out)
	}
	t, err := s.open(ctx, "orc run", 112, 34)
	if err != nil {
		return err
	}
	err = errors.Join(s.watch(ctx, t), t.Close())
	if err != nil {
		return err
	}
	return s.merge(ctx)
}

// watch is the run, from its start to its failure.
func (s *stage) watch(ctx context.Context, t *screen.Terminal) error {
	if err := t.Shows(ctx, "✓ session-store", "publish-docs not run", "? login-ui", "go test"); err != nil {
		return err
	}
	st, err := s.Status(ctx)
	if err != nil {
		return err
	}
	s.run, s.tasks = st.Run.ID, st.Tasks
	if err := s.take(t, "inline", "orc run: finished tasks above the rule, what runs now below it"); err != nil {
		return err
	}
	if err := s.still(ctx, "orc status", "status", "orc status: what is done, what runs, what waits for you"); err != nil {
		return err
	}
	if err := s.panes(ctx, t); err != nil {
		return err
	}
	if err := s.let("oauth"); err != nil {
		return err
	}
	// The task that fails ends the run, whose screen stays until it is left.
	if err := t.Shows(ctx, "the run has failed"); err != nil {
		return err
	}
	if err := t.Press("q"); err != nil {
		return err
	}
	if err := t.Wait(); exitCode(err) != 1 {
		return fmt.Errorf("the run ended with %v, want exit code 1:\n%s", err, t.Text())
	}
	return s.still(ctx, "orc status", "failure", "A failure: the cause, what was not run because of it, and what to do")
}

// panes are the pictures of the whole screen.
func (s *stage) panes(ctx context.Context, t *screen.Terminal) error {
	if err := t.Press("u"); err != nil {
		return err
	}
	if err := t.Shows(ctx, "1 Tasks"); err != nil {
		return err
	}
	if err := s.choose(ctx, t, "oauth-client"); err != nil {
		return err
	}
	if err := t.Shows(ctx, "needs PKCE", "Now the tests"); err != nil {
		return err
	}
	if err := s.take(t, "panes", "The whole screen: the graph of tasks, and what an agent says and does"); err != nil {
		return err
	}
	if err := s.choose(ctx, t, "login-ui"); err != nil {
		return err
	}
	if err := t.Press("a"); err != nil {
		return err
	}
	if err := t.Shows(ctx, "login-ui asks", "2  Move to /auth/login"); err != nil {
		return err
	}
	if err := s.take(t, "question", "A question of an agent, while the other tasks go on"); err != nil {
		return err
	}
	if err := t.Press("1"); err != nil {
		return err
	}
	return t.Shows(ctx, "told login-ui")
}

var selected = regexp.MustCompile(`2 (\S+) ·`)

// choose moves down the list, from its top, to a task.
func (s *stage) choose(ctx context.Context, t *screen.Terminal, task string) error {
	if err := t.Press("g"); err != nil {
		return err
	}
	for range len(s.tasks) {
		at := selected.FindStringSubmatch(t.Text())
		if at != nil && at[1] == task {
			return nil
		}
		if err := t.Press("j"); err != nil {
			return err
		}
		err := t.Until(ctx, "another task", func(text string) bool {
			now := selected.FindStringSubmatch(text)
			return now != nil && (at == nil || now[1] != at[1])
		})
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%s is not in the list:\n%s", task, t.Text())
}

// still is the picture of a command that ends by itself.
func (s *stage) still(ctx context.Context, line, name, title string) error {
	t, err := s.open(ctx, line, 112, 34)
	if err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := t.Wait(); err != nil && !errors.As(err, &exit) {
		return errors.Join(err, t.Close())
	}
	return errors.Join(s.take(t, name, title), t.Close())
}

// merge has the user's branch and the run change the same file.
func (s *stage) merge(ctx context.Context) error {
	if err := s.Write("web/login.html", "<a href=\"/enter\">Enter</a>\n"); err != nil {
		return err
	}
	if err := s.Commit(ctx, "A page to enter"); err != nil {
		return err
	}
	return s.still(ctx, "orc merge", "conflict", "A conflict: the branch is untouched, and what can be done")
}

// exitCode is the program's; 0 when it ended well, -1 when it did not end by itself.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}
