package tui

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"orchestrator/internal/event"
	"orchestrator/internal/view"
)

// demo plays a run in real time, to be looked at by a person:
//
//	go test -c -o tui.test ./internal/tui && ORC_TEST_TUI_CHILD=demo ./tui.test
type demo struct {
	steps []event.Event
	next  int
}

func (d *demo) Next(ctx context.Context) ([]event.Event, error) {
	if d.next == len(d.steps) {
		return nil, io.EOF
	}
	if d.next > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(1500 * time.Millisecond):
		}
	}
	e := d.steps[d.next]
	d.next++
	e.Seq, e.Run, e.Time = int64(d.next), "7f3c", time.Now()
	return []event.Event{e}, nil
}

func playDemo() int {
	conflict := event.Event{Kind: event.TaskConflict, Task: "handlers", Attempt: 1, Detail: event.Detail{Paths: []string{"internal/http/router.go"}}}
	source := &demo{steps: []event.Event{
		begun(), started("schema", 1), completed("schema"), started("oauth-client", 1), started("docs", 1),
		failed("docs"), skipped("publish-docs", "docs"), completed("oauth-client"), started("handlers", 1), started("e2e", 1),
		conflict, completed("e2e"),
		{Kind: event.RunWaiting},
	}}
	n := 0
	result, err := Run(context.Background(), Options{
		In: os.Stdin, Out: os.Stdout, Run: view.New(seed()), Source: source,
		Stop: func(bool) error { return nil },
		Tail: func(task string) string {
			n++
			return fmt.Sprintf("\x1b[31m日本語 line %d of %s\x1b[0m\x1b]0;owned\a, which is rather long and goes on and on", n, task)
		},
		Unicode: true, Motion: os.Getenv("ORC_REDUCED_MOTION") == "", Color: os.Getenv("NO_COLOR") == "",
	})
	fmt.Printf("%+v %v\n", result, err)
	return 0
}
