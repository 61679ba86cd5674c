package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"orchestrator/test/stubmodel"
)

// look is how often a run is looked at.
const look = 300 * time.Millisecond

// gate is the file for which a command of the plan waits.
func (r *wholeRun) gate(m *member) string { return filepath.Join(r.Root, m.agent.name+".gate") }

// conduct takes the run to its end: it kills the owner when every agent waits for its model, resumes, answers what is
// asked, and ends limits once they have been noticed.
func (r *wholeRun) conduct(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, runPatience, errors.New("the run takes too long"))
	defer cancel()
	for _, m := range r.members {
		for _, p := range r.parts {
			if p.fault == nil {
				continue
			}
			if err := m.model.Inject(*p.fault(m)); err != nil {
				return err
			}
		}
	}
	o, err := r.start(ctx, "run", "plan.json", "--yes", "--json")
	if err != nil {
		return err
	}
	defer func() {
		if !o.over() {
			err = errors.Join(err, o.kill())
		}
		err = errors.Join(err, r.strays(context.WithoutCancel(ctx)))
	}()
	for _, p := range r.parts {
		if !p.hangs {
			continue
		}
		if err := r.killOwner(ctx, o, p); err != nil {
			return err
		}
		if o, err = r.start(ctx, "resume", "--yes", "--json"); err != nil {
			return err
		}
	}
	for !o.over() {
		if err := r.attend(ctx); err != nil {
			return err
		}
		if err := pause(ctx, o); err != nil {
			return err
		}
	}
	var f faults
	f.check(o.err == nil, "orc ended with %w; it said: %s", o.err, lastWords(r.output+".err"))
	return errors.Join(f...)
}

// pause waits a moment, or until the owner ends.
func pause(ctx context.Context, o *owner) error {
	select {
	case <-o.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("follow the run: %w", context.Cause(ctx))
	case <-time.After(look):
		return nil
	}
}

// killOwner kills the owner once every agent waits for its model, or has failed before, and keeps the sessions that
// are stored at that moment. Nothing of the run may be left then.
func (r *wholeRun) killOwner(ctx context.Context, o *owner, p part) error {
	for {
		if o.over() {
			return fmt.Errorf("orc ended before every agent was at work: %w; it said: %s", o.err, lastWords(r.output+".err"))
		}
		ready, err := r.allHang(ctx, p)
		if err != nil {
			return err
		}
		if ready {
			break
		}
		if err := pause(ctx, o); err != nil {
			return err
		}
	}
	fmt.Printf("run: every agent waits for its model; the owner is killed (%s)\n", p.name)
	if err := o.kill(); err != nil {
		return err
	}
	if err := r.strays(ctx); err != nil {
		return fmt.Errorf("after the owner was killed: %w", err)
	}
	var st state
	if err := r.ask(ctx, &st, "status", "--json"); err != nil {
		return err
	}
	if !st.Run.Interrupted {
		return fmt.Errorf("the run of the killed owner is %s, and not said to be interrupted", st.Run.State)
	}
	for _, m := range r.members {
		var s shown
		if err := r.ask(ctx, &s, "show", m.task(p.name), "--json"); err != nil {
			return err
		}
		m.sessions[p.name] = s.session()
		if p.lost {
			if err := m.forget(); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget removes everything that the agent has kept of its own, but for its configuration.
func (m *member) forget() error {
	if err := errors.Join(os.RemoveAll(m.Home), os.MkdirAll(m.Home, 0o700)); err != nil {
		return fmt.Errorf("remove the home of %s: %w", m.agent.name, err)
	}
	_, err := m.agent.prepare(m.site)
	return err
}

// allHang says whether each member's model holds an answer back, or its task has ended.
func (r *wholeRun) allHang(ctx context.Context, p part) (bool, error) {
	var st state
	asked := false
	for _, m := range r.members {
		if slices.ContainsFunc(m.model.Requests(), func(q stubmodel.Request) bool { return q.Hanging }) {
			continue
		}
		if !asked {
			asked = true
			var stored bool
			if st, stored = r.status(ctx); !stored {
				return false, nil
			}
		}
		if !st.task(m.task(p.name)).settled() {
			return false, nil
		}
	}
	return true, nil
}

// status is what orc says of the run; false while there is none to tell of.
func (r *wholeRun) status(ctx context.Context) (st state, stored bool) {
	err := r.ask(ctx, &st, "status", "--json")
	return st, err == nil
}

// attend does what a person, and the service of the model, would do now.
func (r *wholeRun) attend(ctx context.Context) error {
	st, stored := r.status(ctx)
	if !stored {
		return nil
	}
	for _, m := range r.members {
		asks := st.task(m.task("run-ask"))
		for _, q := range asks.Questions {
			err := r.ask(ctx, nil, "answer", asks.ID, m.colour(), "--question", fmt.Sprint(q.ID))
			if err != nil && ctx.Err() == nil {
				fmt.Printf("%-16s answer a question: %v\n", m.agent.name, err) // the task may just have ended: it is judged
			}
		}
		limited := st.task(m.task("run-limit"))
		if m.opened || limited.ID == "" || limited.WaitsUntil == nil && !limited.settled() {
			continue
		}
		m.opened = true
		fmt.Printf("run: %s is limited until %s\n", m.agent.name, clockTime(limited.WaitsUntil))
		m.model.Heal()
		if err := os.WriteFile(r.gate(m), nil, 0o600); err != nil {
			return fmt.Errorf("open the gate: %w", err)
		}
	}
	return nil
}

// strays waits until nothing of the run and its agents is left.
func (r *wholeRun) strays(ctx context.Context) error {
	errs := []error{(&site{Site: r.Site}).strays(ctx)}
	for _, m := range r.members {
		errs = append(errs, m.strays(ctx))
	}
	return errors.Join(errs...)
}

// clockTime is a time for a message.
func clockTime(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format("15:04:05")
}
