package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"orchestrator/internal/process"
	"orchestrator/test/rig"
)

// judge plays every chosen scenario with every chosen agent. Agents run side by side in pairs: most of their time
// they wait.
func judge(ctx context.Context, o options) (*report, error) {
	root, err := os.MkdirTemp(o.cache, "work-")
	if err != nil {
		return nil, fmt.Errorf("make the scratch folder: %w", err)
	}
	supervisor, err := process.Start(ctx, process.Options{Mark: "conformance"})
	if err != nil {
		return nil, err
	}
	r := &report{}
	for _, s := range scenarios() {
		if len(o.only) == 0 || slices.Contains(o.only, s.name) {
			r.rows = append(r.rows, s.name)
		}
	}
	for _, a := range o.chosen() {
		r.agents = append(r.agents, a.name)
	}
	var errs []error
	if len(r.rows) > 0 {
		errs = append(errs, r.judgeDrivers(ctx, o, root, supervisor))
	}
	if chosen := o.parts(); len(chosen) > 0 && ctx.Err() == nil {
		errs = append(errs, r.judgeRun(ctx, o, chosen, filepath.Join(root, "run"), supervisor))
	}
	if err := ctx.Err(); err != nil {
		errs = append(errs, errors.New("interrupted"))
	}
	errs = append(errs, supervisor.Close(context.WithoutCancel(ctx)))
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%w\nthe scratch files are kept in %s", err, root)
	}
	if r.failed() || o.keep {
		fmt.Printf("\nthe scratch files are kept in %s\n", root)
		return r, nil
	}
	if err := os.RemoveAll(root); err != nil {
		return nil, fmt.Errorf("remove the scratch folder: %w", err)
	}
	return r, nil
}

// judgeDrivers plays the scenarios with every agent.
func (r *report) judgeDrivers(ctx context.Context, o options, root string, l *process.Supervisor) error {
	slots := make(chan struct{}, 2)
	ended := make(chan error)
	for _, a := range o.chosen() {
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ended <- r.judge(ctx, o, a, filepath.Join(root, a.name), l)
		}()
	}
	var errs []error
	for range r.agents {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// judgeRun has all agents work in one run of a plan. An error means that it could not be judged.
func (r *report) judgeRun(ctx context.Context, o options, chosen []part, root string, l *process.Supervisor) (err error) {
	var there []agent
	skipped := map[string]string{}
	for _, a := range o.chosen() {
		s := site{Site: &rig.Site{Env: []string{"PATH=" + os.Getenv("PATH")}}, agent: a, program: o.program(a)}
		if why := s.missing(ctx); why != "" && !a.optional {
			return fmt.Errorf("%s: %s", a.name, why)
		} else if why != "" {
			skipped[a.name] = why
			continue
		}
		there = append(there, a)
	}
	w, err := newWholeRun(ctx, o, there, chosen, root, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	began := time.Now()
	whole := w.conduct(ctx)
	if whole == nil || ctx.Err() == nil {
		if err := w.judge(ctx); err != nil {
			return errors.Join(whole, err)
		}
	}
	for _, p := range chosen {
		r.rows = append(r.rows, p.name)
		for _, a := range o.chosen() {
			out := outcome{agent: a.name, scenario: p.name, skipped: skipped[a.name], took: time.Since(began)}
			for _, m := range w.members {
				if m.agent.name == a.name {
					out.fault = errors.Join(m.faults[p.name], whole)
				}
			}
			r.add(out)
		}
	}
	return nil
}

// parts are those that the command line names.
func (o options) parts() []part {
	return slices.DeleteFunc(parts(), func(p part) bool { return len(o.only) > 0 && !slices.Contains(o.only, p.name) })
}

// judge plays the scenarios with one agent. An error means that they could not be judged.
func (r *report) judge(ctx context.Context, o options, a agent, root string, l *process.Supervisor) (err error) {
	s, err := newSite(ctx, o, a, root, l)
	if err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	defer func() { err = errors.Join(err, s.model.Close()) }()
	missing := s.missing(ctx)
	if missing != "" && !a.optional {
		return fmt.Errorf("%s: %s", a.name, missing)
	}
	for _, c := range scenarios() {
		if !slices.Contains(r.rows, c.name) || ctx.Err() != nil {
			continue
		}
		out := outcome{agent: a.name, scenario: c.name, skipped: a.skip[c.name]}
		if missing != "" {
			out.skipped = missing
		}
		if out.skipped == "" {
			began := time.Now()
			out.fault = errors.Join(c.play(ctx, s), s.strays(ctx))
			out.took = time.Since(began)
		}
		r.add(out)
	}
	return nil
}
