package cli

import (
	"fmt"
	"strings"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/view"
)

// askedDocument is a question that an agent asked, with what became of it.
type askedDocument struct {
	questionDocument
	Answer     string         `json:"answer"`
	AnsweredAt *time.Time     `json:"answered_at"` // null = not answered
	AnsweredBy string         `json:"answered_by"` // person, or the role of an agent; empty = nobody did
	Log        string         `json:"log"`         // what the agent printed that was asked before the person; empty = none was
	Usage      *usageDocument `json:"usage"`       // of that agent; it is part of the attempt's
}

// askedOf are the questions of an attempt's agent, in order.
func askedOf(at persistence.Attempt) []askedDocument {
	list := []askedDocument{}
	if at.Work == nil {
		return list
	}
	for _, q := range at.Work.Questions {
		d := askedDocument{questionDocument: newQuestionDocument(q), Answer: q.Answer, AnsweredAt: moment(q.AnsweredAt), AnsweredBy: q.By}
		if r := q.Referral; r != nil && r.Turn > 0 {
			d.Log, d.Usage = r.Log, &usageDocument{CostExact: true, UsageExact: true}
			for _, u := range r.Used {
				d.Usage.add(u)
			}
		}
		list = append(list, d)
	}
	return list
}

// writeQuestions shows what an agent asked, and who answered.
func (a *App) writeQuestions(b *strings.Builder, list []askedDocument, pt paint) {
	for _, d := range list {
		fmt.Fprintf(b, "  %s\n", view.SanitizeLine(d.questionDocument.String()))
		switch {
		case d.AnsweredAt == nil:
		case d.AnsweredBy == "":
			fmt.Fprintf(b, "    %s\n", pt.dim("nobody is asked here"))
		default:
			fmt.Fprintf(b, "    %s %s\n", pt.cyan(view.SanitizeLine(d.AnsweredBy)+":"), view.SanitizeLine(firstLine(d.Answer)))
		}
	}
}
