package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"orchestrator/internal/config"
	"orchestrator/internal/diagnostic"
	"orchestrator/internal/environ"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/plan"
	"orchestrator/internal/process"
	"orchestrator/internal/provider"
	"orchestrator/internal/view"
	"orchestrator/internal/workspace"
)

const (
	draftTime  = time.Hour        // the longest that the writing of a plan takes
	draftBeat  = 30 * time.Second // a silent agent is said to be still at work
	draftName  = "draft"
	draftWords = 512 << 10 // bytes of what an agent said that are looked through for a plan
)

// drafter has one agent write a plan, in a clone of the repository that is gone afterwards.
type drafter struct {
	app      *App
	cfg      *config.Config
	role     string
	agent    persistence.Agent
	repo     *workspace.Repository
	scratch  *scratch
	launcher provider.Launcher
	env      []string
	wrap     func(argv []string, dir string, env []string) ([]string, []string, error)
	output   string // where the plan will be: what it is called in findings, and where its prompt files are looked for
	progress *draftProgress

	turns   int
	session string
	usage   provider.Usage // of all turns
	before  provider.Usage
}

// draft is a plan that an agent wrote.
type draft struct {
	text  []byte // as it said it; empty = it said none
	plan  *plan.Plan
	list  diagnostic.List
	sent  int // times that it was sent back
	usage provider.Usage
}

// turnError is a turn of an agent that failed.
type turnError struct {
	role   string
	result provider.Result
}

func (e *turnError) Error() string {
	text := e.result.Error
	if text == "" {
		text = "it ended with: " + string(e.result.Kind)
	}
	if !e.result.RetryAt.IsZero() {
		text += ", again from " + e.result.RetryAt.Format(time.TimeOnly)
	}
	return fmt.Sprintf("the agent %s wrote no plan: %s", e.role, text)
}

// write has the agent write the plan. It is sent back, with what the checker says, at most rounds times.
func (d *drafter) write(ctx context.Context, goal string, rounds int) (out draft, err error) {
	_, head, err := d.repo.Head(ctx)
	if err != nil {
		return out, err
	}
	if d.scratch, err = d.app.newScratch(ctx, d.repo, draftName, head); err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, d.scratch.remove(ctx)) }()
	stop := d.progress.start()
	defer stop()
	err = d.app.supervised(ctx, d.cfg, d.scratch.folder, draftTime, func(ctx context.Context, l provider.Launcher) (err error) {
		if d.launcher, err = d.confine(ctx, l); err != nil {
			return err
		}
		out, err = d.converse(ctx, goal, rounds)
		return err
	})
	out.usage = d.usage
	return out, err
}

// confine gives the launcher of the agent's program.
func (d *drafter) confine(ctx context.Context, l provider.Launcher) (provider.Launcher, error) {
	d.env = append(environ.Allowed(d.app.Environ, slices.Concat(d.cfg.Env, d.agent.Pass)...), "PWD="+d.scratch.work(), "GIT_TERMINAL_PROMPT=0")
	for name, value := range d.agent.Set {
		d.env = append(d.env, name+"="+value)
	}
	c := &confiner{app: d.app, repo: d.repo, writes: d.app.sandboxWrites(d.cfg)}
	l, cell, err := c.confined(ctx, d.scratch, d.agent, true, d.env, l)
	if cell != nil {
		d.wrap = func(argv []string, dir string, env []string) ([]string, []string, error) {
			s, err := cell.Wrap(process.Spec{ID: "probe", Argv: argv, Dir: dir, Env: env})
			return s.Argv, s.Env, err
		}
	}
	return l, err
}

// converse asks for the plan and sends it back while it is not good. A good plan that was sent back for its warnings
// alone is kept, in case that nothing better comes.
func (d *drafter) converse(ctx context.Context, goal string, rounds int) (draft, error) {
	first := draftPrompt(goal, d.cfg)
	message := first
	var good, last draft
	doubted := false
	for sent := 0; ; sent++ {
		said, err := d.turn(ctx, message)
		if err != nil {
			return last, err
		}
		next := d.read(said)
		next.sent = sent
		if next.text != nil {
			last = next
		}
		doubts := doubtful(next.list)
		if next.plan != nil {
			good = next
			if doubted || len(doubts) == 0 {
				return good, nil
			}
		}
		if sent == rounds {
			if good.plan != nil {
				return good, nil
			}
			last.sent = sent
			return last, nil
		}
		doubted = doubted || next.plan != nil
		if message, err = d.again(first, next, doubts); err != nil {
			return last, err
		}
	}
}

// read checks what the agent said.
func (d *drafter) read(said string) draft {
	text, ok := plan.FromAnswer(d.app.secrets.String(said))
	if !ok {
		return draft{}
	}
	p, list := d.check(text)
	return draft{text: text, plan: p, list: list}
}

// check is what orc plan check would say.
func (d *drafter) check(text []byte) (*plan.Plan, diagnostic.List) {
	o := planOptions(d.cfg)
	o.DefaultIsolation = d.cfg.Isolation
	return plan.Parse(d.output, text, o)
}

// again says what is wrong. An agent without a session gets all that was said before, too.
func (d *drafter) again(first string, got draft, doubts diagnostic.List) (message string, err error) {
	switch {
	case got.text == nil:
		d.progress.say("no plan in its answer; asked again")
		message = noBlock
	case got.plan == nil:
		d.progress.say("%s; sent back", got.list.Summary())
		message, err = correction(got.list.Errors())
	default:
		d.progress.say("%s; sent back once", view.Plural(len(doubts), "doubt"))
		message, err = correction(doubts)
	}
	if d.session == "" && got.text != nil {
		message = first + "\n## Your plan so far\n\n```yaml\n" + string(got.text) + "```\n\n" + message
	} else if d.session == "" {
		message = first + "\n" + message
	}
	return message, err
}

// turn runs one turn, and returns what the agent said in it.
func (d *drafter) turn(ctx context.Context, message string) (string, error) {
	d.turns++
	name := fmt.Sprintf("%s.%d", draftName, d.turns)
	req := provider.Turn{
		ID: name, Dir: d.scratch.work(), Command: d.agent.Command, Prompt: message, PromptFile: filepath.Join(d.scratch.folder, name+".md"),
		Log: filepath.Join(d.scratch.folder, name+".log"), Grace: d.cfg.Grace, OutputLimit: d.cfg.OutputLimit, State: d.scratch.state(),
		Program: d.agent.Program, Args: d.agent.Args, Model: d.agent.Model, Permissions: provider.PermitRead,
		Instructions: d.agent.Instructions, Session: d.session, Resume: d.session != "", Before: d.before, Wrap: d.wrap,
	}
	req.Env = append(slices.Clone(d.env), "ORC_PROMPT_FILE="+req.PromptFile)
	if err := os.WriteFile(req.PromptFile, []byte(message), 0o600); err != nil {
		return "", fmt.Errorf("write the prompt: %w", err)
	}
	p := d.app.providers()[d.agent.Provider]
	agent, is := p.(provider.Agent)
	if is && !req.Resume {
		req.Session = agent.NewSession()
	}
	var said strings.Builder
	req.Sink = func(e provider.Event) error {
		if e.Kind == provider.EventText && said.Len() < draftWords {
			said.WriteString(e.Text + "\n\n")
		}
		d.progress.saw(&e)
		return nil
	}
	r, err := p.Turn(ctx, d.launcher, req)
	if err != nil {
		return "", err
	}
	d.used(r)
	// What was not permitted may have been an attempt to do what it was only to plan; what it said counts.
	if r.Kind != "" && r.Kind != provider.KindRefused {
		r.Error = d.app.secrets.String(r.Error)
		return "", &turnError{d.role, r}
	}
	if is {
		d.session, d.before = r.Session, r.Counters
	}
	if !is {
		return r.Output, nil
	}
	// The last words come last: they count where they hold a plan.
	return said.String() + r.Summary, nil
}

// used adds up what turns cost.
func (d *drafter) used(r provider.Result) {
	u := &d.usage
	u.Input, u.Output, u.Cost = u.Input+r.Usage.Input, u.Output+r.Usage.Output, u.Cost+r.Usage.Cost
	u.Priced = u.Priced || r.Usage.Priced
	if r.Usage.Model != "" {
		u.Model = r.Usage.Model
	}
}

// draftProgress says on a stream what the agent does, a line each.
type draftProgress struct {
	out   io.Writer
	name  string
	quiet bool

	mu    sync.Mutex
	began time.Time
	at    time.Time // of the last line
	last  string
	err   error // of the stream
}

// start begins to say that the agent is still at work when it says nothing; the returned function ends that.
func (p *draftProgress) start() (stop func()) {
	p.began = time.Now()
	p.at = p.began
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(draftBeat)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				p.beat()
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
	})
}

func (p *draftProgress) beat() {
	p.mu.Lock()
	quiet := time.Since(p.at) < draftBeat
	p.mu.Unlock()
	if !quiet {
		p.say("still working, %s", span(time.Since(p.began)))
	}
}

// saw says what an event tells, unless that was just said.
func (p *draftProgress) saw(e *provider.Event) {
	text := orchestrator.ActivityOf(e)
	if e.Kind == provider.EventText || text == "" || text == p.last {
		return
	}
	p.last = text
	p.say("%s", text)
}

func (p *draftProgress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = time.Now()
	if p.quiet || p.err != nil {
		return
	}
	_, p.err = fmt.Fprintf(p.out, "%s %s  %s\n", view.Clock(p.at.Sub(p.began)), p.name, view.SanitizeLine(fmt.Sprintf(format, args...)))
}
