package progress

import (
	"cmp"
	"fmt"

	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// command is a command that leads on, and what it does.
type command struct{ text, does string }

// next prints the commands that lead on from here.
func (s *summary) next() {
	commands := s.commands()
	width := 0
	for _, c := range commands {
		width = max(width, len(c.text))
	}
	s.line("")
	for _, c := range commands {
		s.line("  %-*s    %s", width, c.text, c.does)
	}
}

func (s *summary) commands() []command {
	switch s.run.State {
	case scheduler.RunCompleted:
		return s.afterSuccess()
	case scheduler.RunFailed:
		return s.afterFailure()
	case scheduler.RunCanceled:
		return append(s.finished(), command{"orc clean", "remove its workspaces and branches"})
	case scheduler.RunPaused:
		return []command{{"orc status", "how each task stands"}, {"orc resume", "go on"}}
	case scheduler.RunWaiting:
		return s.whenWaiting()
	}
	return []command{{"orc status", "how it stands"}, {"orc cancel", "stop it; its work is kept"}}
}

func (s *summary) afterSuccess() []command {
	if !s.merges() {
		return []command{{"orc status", "what each task did"}}
	}
	merge := command{"orc merge", "bring it into " + cmp.Or(s.run.BaseRef, "your branch")}
	if s.run.BaseRef != "" && s.run.BaseRef == s.run.Base { // a commit: there is no branch that it could go into by itself
		merge = command{"orc merge --into BRANCH", "bring it into a branch"}
	}
	return []command{{"orc diff", "what changed"}, merge}
}

func (s *summary) afterFailure() []command {
	var commands []command
	if failures := s.run.Failures(); len(failures) > 0 {
		id := failures[0].ID
		commands = append(commands,
			command{"orc logs " + id, "what it printed"},
			command{"orc retry " + id, "try again, then go on"})
	} else {
		commands = append(commands, command{"orc resume", "go on"})
	}
	return append(commands, s.finished()...)
}

func (s *summary) whenWaiting() []command {
	var commands []command
	if waits := s.run.Waits(); len(waits) > 0 {
		id := waits[0].ID
		commands = append(commands,
			command{"orc diff " + id, "what it changed"},
			command{"orc retry " + id, "do it again on top of what is merged"})
	}
	return append(commands, command{"orc status", "how each task stands"}, command{"orc resume", "go on"})
}

// finished offers the work of the tasks that are done.
func (s *summary) finished() []command {
	if !s.merges() {
		return nil
	}
	done := "the finished task"
	if n := s.run.Counts()[view.Done]; n > 1 {
		done = fmt.Sprintf("the %d finished tasks", n)
	}
	return []command{{"orc merge", "take " + done + " now"}}
}

// merges says whether a task that is done has work on the run's branch.
func (s *summary) merges() bool {
	for _, t := range s.run.Tasks {
		if t.Status == scheduler.TaskCompleted && t.Commit != "" {
			return true
		}
	}
	return false
}
