package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/view"
)

// turnDocument is a turn of a task's conversation in JSON.
type turnDocument struct {
	Role    string    `json:"role"`
	Content string    `json:"content"`
	Time    time.Time `json:"time"`
	Attempt int       `json:"attempt"`
}

// conversation reads what was said in a task.
type conversation struct {
	store persistence.Store
	run   scheduler.RunID
	task  scheduler.TaskID
}

// pageTurns is how many turns are read at a time: a conversation may be larger than the memory.
const pageTurns = 200

// each calls do with one part of the conversation after another.
func (c conversation) each(ctx context.Context, do func(turns []persistence.ConversationTurn) error) error {
	for after := int64(0); ; {
		page, err := c.store.HistoryPage(ctx, c.run, c.task, after, pageTurns)
		if err != nil || len(page.Turns) == 0 {
			return err
		}
		if err := do(page.Turns); err != nil || len(page.Turns) < pageTurns {
			return err
		}
		after = page.Last
	}
}

// whole is the conversation for a document.
func (c conversation) whole(ctx context.Context) ([]turnDocument, error) {
	all := []turnDocument{}
	err := c.each(ctx, func(turns []persistence.ConversationTurn) error {
		for _, turn := range turns {
			all = append(all, turnDocument{turn.Role, turn.Content, turn.Timestamp.UTC(), turn.Attempt})
		}
		return nil
	})
	return all, err
}

// writeConversation shows the last turns, or with -v all, which are printed as they are read, after what b holds.
func (a *App) writeConversation(ctx context.Context, b *strings.Builder, said conversation, pt paint) error {
	if a.globals.verbose {
		begun := false
		return said.each(ctx, func(turns []persistence.ConversationTurn) error {
			if !begun {
				fmt.Fprintf(b, "\n%s\n", pt.bold("Conversation"))
				begun = true
			}
			a.writeTurns(b, turns, pt)
			_, err := io.WriteString(a.Stdout, b.String())
			b.Reset()
			return err
		})
	}
	turns, before, err := said.store.LastTurns(ctx, said.run, said.task, turnsShown)
	if err != nil || len(turns) == 0 {
		return err
	}
	fmt.Fprintf(b, "\n%s\n", pt.bold("Conversation"))
	if before > 0 {
		fmt.Fprintf(b, "  %s\n", pt.dim(fmt.Sprintf("… %s before (-v shows all)", view.Plural(before, "turn"))))
	}
	a.writeTurns(b, turns, pt)
	return nil
}

func (a *App) writeTurns(b *strings.Builder, turns []persistence.ConversationTurn, pt paint) {
	for _, turn := range turns {
		fmt.Fprintf(b, "  %s %s\n", pt.dim(turn.Timestamp.Local().Format("15:04:05")), pt.cyan(view.Sanitize(turn.Role)))
		a.writeLines(b, turn.Content, turnLines, "    ", pt)
	}
}
