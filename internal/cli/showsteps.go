package cli

import (
	"fmt"
	"slices"
	"strings"

	"orchestrator/internal/persistence"
	"orchestrator/internal/view"
)

// stepDocument is a step of a task's workflow that an attempt has entered.
type stepDocument struct {
	Step     int    `json:"step"`  // 1, 2, 3 …; 1 is the task's own work
	Agent    string `json:"agent"` // role
	Session  string `json:"session"`
	Review   bool   `json:"review"`
	Rounds   int    `json:"rounds"`   // of a review: verdicts given so far
	Approved *bool  `json:"approved"` // the last verdict; null = none, or no review
	Findings string `json:"findings"` // of that verdict, or the summary of a step that worked
	Present  bool   `json:"present"`  // where the attempt is, or ended
}

// stepsOf are the steps of a workflow that an attempt has entered; none where the task has no workflow.
func stepsOf(own string, at persistence.Attempt) []stepDocument {
	list := []stepDocument{}
	if at.Work == nil || at.Work.Step == 0 && len(at.Work.Aside) == 0 {
		return list
	}
	for _, w := range append([]*persistence.Work{at.Work}, works(at.Work.Aside)...) {
		d := stepDocument{
			Step: w.Step + 1, Agent: w.Role, Session: w.Session, Review: w.Judges, Rounds: w.Round, Findings: w.Words, Present: w.Step == at.Work.Step,
		}
		if d.Agent == "" {
			d.Agent = own
		}
		if w.Judges && w.Round > 0 {
			approved := w.Approves
			d.Approved = &approved
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(x, y stepDocument) int { return x.Step - y.Step })
	return list
}

func works(aside map[int]*persistence.Work) []*persistence.Work {
	var list []*persistence.Work
	for _, w := range aside {
		list = append(list, w)
	}
	return list
}

// presentStep says what the step is that an attempt is at: "reviewer reviews, round 2"; empty where there is no
// workflow, or in its first step.
func presentStep(at persistence.Attempt) string {
	w := at.Work
	switch {
	case w == nil || w.Step == 0 || w.Role == "":
		return ""
	case w.Judges:
		return fmt.Sprintf("%s reviews, round %d", w.Role, w.Round+1)
	}
	return w.Role + " works on it"
}

// writeSteps shows how far an attempt came in its task's workflow.
func (a *App) writeSteps(b *strings.Builder, steps []stepDocument, pt paint) {
	for _, s := range steps {
		word := "worked"
		switch {
		case s.Review && s.Approved == nil:
			word = "reviews"
		case s.Review && *s.Approved:
			word = "approved"
		case s.Review:
			word = "wants changes"
		case s.Present:
			word = "works"
		}
		if s.Review && s.Rounds > 0 {
			word += ", " + view.Plural(s.Rounds, "round")
		}
		fmt.Fprintf(b, "  step %d  %s %s\n", s.Step, pt.cyan(view.SanitizeLine(s.Agent)), word)
		if s.Review {
			for _, line := range view.LastLines(view.Sanitize(s.Findings), outputLines) {
				fmt.Fprintf(b, "    %s\n", pt.dim(line))
			}
		}
	}
}
