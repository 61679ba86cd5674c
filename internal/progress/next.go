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
	if len(s.run.Parts) > 0 {
		commands = append(commands, command{"orc resume --budget " + view.More("", s.run.Parts), "give the run more, and go on"})
	}
	for i, t := range s.run.Waits() {
		if i == maxCauses {
			break
		}
		switch t.Wants {
		case "start":
			commands = append(commands, command{"orc approve " + t.ID, "let it start, or --reject \"why\""})
		case "review":
			commands = append(commands, command{"orc show " + t.ID, "what its reviewer says"},
				command{"orc approve " + t.ID, "accept it as it is, or --reject \"why\""})
		case "merge":
			commands = append(commands, command{"orc diff " + t.ID, "what it changed"},
				command{"orc approve " + t.ID, "merge it, or --reject \"why\""})
		case "budget":
			if len(s.run.Parts) == 0 {
				commands = append(commands, command{"orc resume --budget " + view.More(t.ID, t.Parts), "give it more, and go on"})
			}
		default:
			switch {
			case len(t.Paths) == 0:
				commands = append(commands, command{"orc answer " + t.ID + " '…'", "in your words, or the number of an option"})
			case i == 0:
				commands = append(commands,
					command{"orc diff " + t.ID, "what it changed"},
					command{"orc retry " + t.ID, "do it again on top of what is merged"})
			}
		}
	}
	commands = append(commands, command{"orc status", "how each task stands"})
	switch {
	case s.conflictsOnly():
		commands = append(commands, s.finished()...)
	case len(s.run.Parts) == 0:
		commands = append(commands, command{"orc resume", "go on"})
	}
	return commands
}

// conflictsOnly says that the run waits for nothing but what a person does about conflicts: going on without that would
// change nothing.
func (s *summary) conflictsOnly() bool {
	waits := s.run.Waits()
	for _, t := range waits {
		if t.Wants != "" || len(t.Paths) == 0 {
			return false
		}
	}
	return len(waits) > 0 && len(s.run.Parts) == 0
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
