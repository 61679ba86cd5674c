package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
)

// questionDocument is a question of an agent's, in JSON.
type questionDocument struct {
	ID      int64     `json:"id"`
	Text    string    `json:"text"`
	Options []string  `json:"options"`
	AskedAt time.Time `json:"asked_at"`

	// Where an agent is asked before the person.
	Referred string `json:"referred"` // the role that is asked now; empty = the person is
	Remark   string `json:"remark"`   // why that role does not answer
}

// openQuestions are those of an attempt that wait for an answer.
func openQuestions(at persistence.Attempt) []questionDocument {
	if at.Work == nil || at.Outcome != "" {
		return nil
	}
	var list []questionDocument
	for _, q := range at.Work.Asking() {
		list = append(list, newQuestionDocument(q))
	}
	return list
}

func newQuestionDocument(q persistence.Question) questionDocument {
	d := questionDocument{ID: q.ID, Text: q.Text, Options: append([]string{}, q.Options...), AskedAt: q.AskedAt.UTC()}
	if r := q.Referral; r != nil {
		d.Remark = r.Remark
		if q.Referred() {
			d.Referred = r.Role
		}
	}
	return d
}

// String is the question in a line, with whom it waits for where that is not the person alone.
func (d questionDocument) String() string {
	switch {
	case d.Referred != "":
		return "asks " + d.Referred + ": " + firstLine(d.Text)
	case d.Remark != "":
		return "asks: " + firstLine(d.Text) + " (" + firstLine(d.Remark) + ")"
	}
	return "asks: " + firstLine(d.Text)
}

// pressing finds the first of the questions that only the person can answer now.
func pressing(list []questionDocument) (questionDocument, bool) {
	i := slices.IndexFunc(list, func(d questionDocument) bool { return d.Referred == "" })
	if i < 0 {
		return questionDocument{}, false
	}
	return list[i], true
}

// numbered names options by the numbers that stand for them: "1 Keep it".
func numbered(options []string) []string {
	list := make([]string, 0, len(options))
	for i, o := range options {
		list = append(list, fmt.Sprintf("%d %s", i+1, o))
	}
	return list
}

func newAnswer(a *App) *cobra.Command {
	var question int64
	cmd := &cobra.Command{
		Use:   "answer [RUN] TASK ANSWER",
		Short: "Answer a question of an agent",
		Long: `Answers the question that a task's agent waits with, in your own words or by the number of one of its options.
The questions that are open: orc status. Where an agent is asked first (questions: orchestrator) you need not wait for it:
the first answer counts. An answer given while nobody owns the run is used when it is resumed.`,
		Example: `  orc answer login-ui 1
  orc answer login-ui "keep it, but add a redirect"
  orc answer 7f3c login-ui 2 --question 14`,
		Args:              between(2, 3),
		ValidArgsFunction: a.completeRunThenTasks,
	}
	cmd.Flags().Int64Var(&question, "question", 0, "the `ID` of the question, when several are open")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		return a.withStore(ctx, func(st persistence.Store) error {
			run, task, err := a.oneTask(ctx, st, args[:len(args)-1])
			if err != nil {
				return err
			}
			attempts, err := st.ListAttempts(ctx, run.ID, task.ID)
			if err != nil {
				return err
			}
			var open []questionDocument
			if len(attempts) > 0 {
				open = openQuestions(attempts[len(attempts)-1])
			}
			chosen, err := choose(open, question)
			if err != nil {
				return usageError("orc status "+string(run.ID), "%s: %w", task.ID, err)
			}
			text, err := answerText(args[len(args)-1], chosen.Options)
			if err != nil {
				return usageError("orc status "+string(run.ID), "%s: %w", task.ID, err)
			}
			word := orchestrator.AnswerRequest{Task: task.ID, Question: chosen.ID, Text: a.secrets.String(text)}
			taken, err := a.hand(ctx, st, run, orchestrator.RequestAnswer, word)
			if err != nil {
				return err
			}
			if !taken {
				return a.tell("Stored. Nobody owns the run now; its agent is told when it goes on: orc resume %s", run.ID)
			}
			return a.tell("Told %s: %s", task.ID, firstLine(text))
		})
	}
	return cmd
}

// choose finds the question that is meant.
func choose(open []questionDocument, id int64) (questionDocument, error) {
	if len(open) == 0 {
		return questionDocument{}, errorf("its agent asks nothing now")
	}
	if id == 0 && len(open) == 1 {
		return open[0], nil
	}
	var ids []string
	for _, q := range open {
		if q.ID == id {
			return q, nil
		}
		ids = append(ids, strconv.FormatInt(q.ID, 10))
	}
	return questionDocument{}, errorf("name one of its open questions with --question: %s", strings.Join(ids, ", "))
}

// answerText is the option that a number stands for, or the person's own words.
func answerText(arg string, options []string) (string, error) {
	if strings.TrimSpace(arg) == "" {
		return "", errorf("the answer is empty")
	}
	n, err := strconv.Atoi(arg)
	switch isNumber := err == nil; {
	case !isNumber || len(options) == 0:
		return arg, nil
	case n < 1 || n > len(options):
		return "", errorf("there is no option %d: %s", n, some(numbered(options)))
	}
	return options[n-1], nil
}
