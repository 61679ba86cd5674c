package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// approval is a task that waits for a person's yes.
type approval struct {
	task    *scheduler.Task
	attempt persistence.Attempt
}

func (x approval) item() orchestrator.Approved {
	return orchestrator.Approved{Task: x.task.ID, Attempt: x.attempt.Number, Wants: x.attempt.Consent.Wants}
}

// approvals are the tasks that wait for a yes, in plan order.
func (p *picture) approvals() []approval {
	var list []approval
	for _, t := range p.tasks {
		at := p.last(t.ID)
		if t.Status == scheduler.TaskRunning && at.Asks().TakesYes() {
			list = append(list, approval{t, at})
		}
	}
	return list
}

func newApprove(a *App) *cobra.Command {
	var all bool
	var reject string
	cmd := &cobra.Command{
		Use:   "approve [RUN] [TASK...]",
		Short: "Say yes or no to tasks that wait for it (approve: start, merge; reviews)",
		Long: `Says yes to tasks that wait for it: to their start, to the merge of their work, which is saved and can be looked
at with orc diff TASK, or to work that its reviewer rejects again and again. Without tasks it goes through all that
wait, or lists them where nobody can be asked.

With --reject it says no, with the reason. Work that is rejected goes back: its agent is told why and goes on in its
own session; that spends none of the attempts that the plan allows. A command runs again. A task that is not to start
has failed, and its on_failure says what that means.

A word given while nobody owns the run is used when it is resumed. More budget: orc resume --budget.`,
		Example: `  orc approve
  orc approve e2e
  orc approve --all
  orc approve e2e --reject "keep the old route"`,
		ValidArgsFunction: a.completeRunThenTasks,
	}
	cmd.Flags().BoolVar(&all, "all", false, "say it to every task that waits")
	cmd.Flags().StringVar(&reject, "reject", "", "say no, with the reason `WHY`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		if cmd.Flags().Changed("reject") && strings.TrimSpace(reject) == "" {
			return usageError(`orc approve TASK --reject "why"`, "a rejection needs a reason: the next attempt is told it")
		}
		return a.withStore(ctx, func(st persistence.Store) error {
			run, tasks, err := a.findTasks(ctx, st, args)
			if err != nil {
				return err
			}
			if all && len(tasks) > 0 {
				return usageError("orc approve --all", "choose --all or tasks")
			}
			p, err := a.load(ctx, st, run)
			if err != nil {
				return err
			}
			open := p.approvals()
			switch {
			case len(tasks) > 0:
				chosen, err := named(p, open, tasks)
				if err != nil {
					return err
				}
				return a.giveWord(ctx, st, run, chosen, reject)
			case len(open) == 0:
				return a.tell("Nothing of run %s waits for a yes.", run.ID)
			case all:
				return a.giveWord(ctx, st, run, open, reject)
			case reject != "":
				return usageError("orc approve TASK --reject \"why\"", "name what is rejected, or choose --all")
			case a.canAsk():
				return a.walk(ctx, st, run, open)
			}
			return a.listApprovals(open)
		})
	}
	return cmd
}

// named are the open approvals of the tasks named.
func named(p *picture, open []approval, tasks []*scheduler.Task) ([]approval, error) {
	var chosen []approval
	for _, t := range tasks {
		found := false
		for _, x := range open {
			if x.task.ID == t.ID {
				chosen, found = append(chosen, x), true
			}
		}
		if at := p.last(t.ID); !found && at.Asks() == persistence.WishBudget {
			return nil, usageError("orc resume --budget "+view.More(string(t.ID), at.Consent.Parts), "%s waits for more budget, not for a yes", t.ID)
		}
		if !found {
			return nil, usageError("orc status "+string(p.run.ID), "%s does not wait for a yes: it is %s", t.ID, p.mark(t).word)
		}
	}
	return chosen, nil
}

// giveWord hands a person's word to the run's owner, or stores it for the next one.
func (a *App) giveWord(ctx context.Context, st persistence.Store, run persistence.Run, chosen []approval, reject string) error {
	word := orchestrator.ApproveRequest{Reject: reject != "", Reason: reject}
	names := make([]scheduler.TaskID, 0, len(chosen))
	for _, x := range chosen {
		word.Items = append(word.Items, x.item())
		names = append(names, x.task.ID)
	}
	taken, err := a.hand(ctx, st, run, orchestrator.RequestApprove, word)
	if err != nil {
		return err
	}
	did := "Approved"
	if word.Reject {
		did = "Rejected"
	}
	if !taken {
		return a.tell("%s %s. Nobody owns the run now; it counts when the run goes on: orc resume %s", did, taskNames(names), run.ID)
	}
	return a.tell("%s %s.", did, taskNames(names))
}

// walk asks about each task that waits.
func (a *App) walk(ctx context.Context, st persistence.Store, run persistence.Run, open []approval) error {
	for _, x := range open {
		question := fmt.Sprintf("%s %s. %s?", x.task.ID, view.WantsText(string(x.attempt.Consent.Wants)), x.effect())
		yes, err := a.confirmContext(ctx, question, false)
		if err != nil {
			return err
		}
		if !yes {
			if err := a.tell("It waits on. No: orc approve %s --reject 'why'", x.task.ID); err != nil {
				return err
			}
			continue
		}
		if err := a.giveWord(ctx, st, run, []approval{x}, ""); err != nil {
			return err
		}
	}
	return nil
}

// effect is what a yes does.
func (x approval) effect() string {
	switch x.attempt.Consent.Wants {
	case persistence.WishStart:
		return "Let it start"
	case persistence.WishReview:
		return fmt.Sprintf("Accept its work as it is (orc show %s)", x.task.ID)
	}
	return fmt.Sprintf("Merge %s, +%d −%d (orc diff %s)", view.Plural(x.attempt.Files, "file"), x.attempt.Additions, x.attempt.Deletions, x.task.ID)
}

// listApprovals shows what waits, with the commands that answer it.
func (a *App) listApprovals(open []approval) error {
	var t table
	for _, x := range open {
		commands := "orc approve " + string(x.task.ID)
		if x.attempt.Consent.Wants == persistence.WishMerge {
			commands = "orc diff " + string(x.task.ID) + "   " + commands
		}
		t.add(plain(string(x.task.ID)), plain(view.WantsText(string(x.attempt.Consent.Wants))), cell{text: commands})
	}
	return t.write(a.Stdout, "", a.width(a.Stdout))
}
