package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/internal/mcp"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/provider"
	"orchestrator/internal/redact"
	"orchestrator/internal/scheduler"
)

// newMCP holds the servers that other programs start; `agent` is the one that agents get with their task.
func newMCP(a *App) *cobra.Command {
	agent := &cobra.Command{
		Use: "agent", Args: between(0, 0), Short: "Tools for the agent of one task, on standard input and output",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serveAgent(cmd.Context()) },
	}
	return groupCommand(a, &cobra.Command{Use: "mcp", Hidden: true, Short: "Model Context Protocol servers"}, agent)
}

// tools is the server that agents are offered: this program, with what it needs to find the database.
func (o *ownership) tools(self string) *provider.Server {
	env := map[string]string{}
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		if value, ok := o.app.LookupEnv(name); ok {
			env[name] = value
		}
	}
	return &provider.Server{Name: "orc", Command: self, Args: []string{"mcp", "agent"}, Env: env}
}

// serveAgent is the whole life of an agent's server.
func (a *App) serveAgent(ctx context.Context) error {
	if socket := a.Getenv(orchestrator.SocketVariable); socket != "" {
		return a.relayAgent(socket)
	}
	d := &desk{app: a, secrets: a.secrets, goneAfter: ownerGoneAfter, run: scheduler.RunID(a.Getenv("ORC_RUN")), task: scheduler.TaskID(a.Getenv("ORC_TASK"))}
	var errs []error
	if d.run == "" || d.task == "" {
		errs = append(errs, errors.New("ORC_RUN or ORC_TASK is not set"))
	}
	attempt, err := strconv.Atoi(a.Getenv("ORC_ATTEMPT"))
	errs = append(errs, err)
	d.attempt = attempt
	d.generation, err = strconv.ParseInt(a.Getenv("ORC_GENERATION"), 10, 64)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return usageError("it is started by the agent of a task, not by hand", "orc mcp agent is bound to no task: %w", err)
	}
	return a.withStore(ctx, func(st persistence.Store) error {
		d.store = st
		in, ok := a.Stdin.(io.ReadCloser)
		if !ok {
			in = io.NopCloser(a.Stdin)
		}
		return mcp.Serve(ctx, in, nopCloser{a.Stdout}, thisVersion().Version, d)
	})
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// desk is the attempt that the server is bound to.
type desk struct {
	app        *App
	store      persistence.Store
	secrets    *redact.Redactor // what is taken out of what the agent says
	run        scheduler.RunID
	task       scheduler.TaskID
	attempt    int
	generation int64
	goneAfter  time.Duration // how long nobody must own the run before a question is given up
}

// ownerGoneAfter is longer than an owner needs after the sleep of a machine to be heard of again.
const ownerGoneAfter = 30 * time.Second

var _ mcp.Task = (*desk)(nil)

var (
	errReplaced  = errors.New("this attempt is not under way any more: end your turn")
	errOwnerGone = errors.New("nobody owns the run any more: end your turn; the run goes on when a person resumes it")
)

// present checks that the owner that started the agent still owns the run.
func (d *desk) present(ctx context.Context) error {
	lease, err := d.store.GetLease(ctx, d.run)
	if err != nil {
		return fmt.Errorf("look for the run's owner: %w", err)
	}
	if lease.Generation != d.generation {
		return errReplaced
	}
	return nil
}

// say hands a request to the owner and waits until it has taken it.
func (d *desk) say(ctx context.Context, kind, text string, options []string) (id int64, err error) {
	if err := d.present(ctx); err != nil {
		return 0, err
	}
	said := orchestrator.AgentRequest{Task: d.task, Attempt: d.attempt, Generation: d.generation, Text: d.secrets.String(text)}
	for _, o := range options {
		said.Options = append(said.Options, d.secrets.String(o))
	}
	req, err := d.app.newRequest(d.run, kind, said)
	if err != nil {
		return 0, err
	}
	if id, err = d.store.AddRequest(ctx, req); err != nil {
		return 0, err
	}
	return id, d.app.answered(ctx, d.store, persistence.Run{ID: d.run}, id)
}

func (d *desk) Hello(ctx context.Context) error {
	_, err := d.say(ctx, orchestrator.RequestHello, "", nil)
	return err
}

func (d *desk) Complete(ctx context.Context, summary string) error {
	_, err := d.say(ctx, orchestrator.RequestDone, summary, nil)
	return err
}

func (d *desk) Report(ctx context.Context, text string) error {
	_, err := d.say(ctx, orchestrator.RequestDoing, text, nil)
	return err
}

// askEvery is how often a server looks for the answer to a question.
const askEvery = 250 * time.Millisecond

// Ask waits as long as the owner lives: a person may be asleep.
func (d *desk) Ask(ctx context.Context, text string, options []string) (string, error) {
	id, err := d.say(ctx, orchestrator.RequestAsk, text, options)
	if err != nil {
		return "", err
	}
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	version := int64(-1)
	heard := time.Now()
	for {
		if time.Since(heard) > d.goneAfter/2 {
			switch alive, err := d.app.ownerAlive(ctx, d.store, persistence.Run{ID: d.run}); {
			case err != nil:
				return "", err
			case alive:
				heard = time.Now()
			case time.Since(heard) > d.goneAfter:
				return "", errOwnerGone
			}
		}
		v, err := d.store.DataVersion(ctx)
		if err != nil {
			return "", err
		}
		if v != version {
			version = v
			if answer, ok, err := d.answer(ctx, id); ok || err != nil {
				return answer, err
			}
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (d *desk) answer(ctx context.Context, id int64) (string, bool, error) {
	if err := d.present(ctx); err != nil {
		return "", false, err
	}
	attempts, err := d.store.ListAttempts(ctx, d.run, d.task)
	if err != nil {
		return "", false, err
	}
	for _, at := range attempts {
		if at.Number != d.attempt || at.Work == nil {
			continue
		}
		for _, q := range at.Work.Questions {
			if q.ID == id && !q.AnsweredAt.IsZero() {
				return q.Answer, true, nil
			}
		}
	}
	return "", false, nil
}

func (d *desk) Context(ctx context.Context) (mcp.PlanContext, error) {
	run, err := d.store.GetRun(ctx, d.run)
	if err != nil {
		return mcp.PlanContext{}, err
	}
	tasks, err := d.store.ListTasks(ctx, d.run)
	if err != nil {
		return mcp.PlanContext{}, err
	}
	c := mcp.PlanContext{Run: string(run.ID), Name: run.Name, Context: run.Context, Task: string(d.task), Tasks: []mcp.PlanTask{}}
	for _, t := range tasks {
		pt := mcp.PlanTask{ID: string(t.ID), Name: t.Name, State: string(t.Status), Needs: []string{}, Writes: append([]string{}, t.WritesFiles...), Result: t.Error}
		for _, need := range t.DependsOn {
			pt.Needs = append(pt.Needs, string(need))
		}
		if t.Result != nil {
			pt.Result = *t.Result
		}
		c.Tasks = append(c.Tasks, pt)
	}
	return c, nil
}
