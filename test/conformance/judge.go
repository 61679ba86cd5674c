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
	slots := make(chan struct{}, 2)
	ended := make(chan error)
	for _, a := range o.chosen() {
		r.agents = append(r.agents, a.name)
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ended <- r.judge(ctx, o, a, filepath.Join(root, a.name), supervisor)
		}()
	}
	var errs []error
	for range r.agents {
		errs = append(errs, <-ended)
	}
	if err := ctx.Err(); err != nil {
		errs = append(errs, errors.New("interrupted"))
	}
	errs = append(errs, supervisor.Close(context.WithoutCancel(ctx)))
	if err := errors.Join(errs...); err != nil {
		return nil, err
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
