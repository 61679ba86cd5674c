package main

import (
	"context"
	"errors"
	"strings"

	"orchestrator/internal/provider"
	"orchestrator/test/stubmodel"
)

// failure: while the model server makes a mistake, the turn fails in the way that is meant for it, and says why.
func failure(fault stubmodel.Fault, want provider.Kind) func(context.Context, *site) error {
	return func(ctx context.Context, s *site) error {
		var f faults
		if err := s.model.Inject(fault); err != nil {
			return err
		}
		defer s.model.Heal()
		p := s.play(ctx, request{prompt: "Hello. [[say hello]]"})
		f.check(p.err == nil, "%w", p.err)
		f.check(p.Kind == want, "the turn is %q instead of %q: %s", p.Kind, want, p.Error)
		f.check(p.Error != "", "nothing is said about why")
		f.check(len(p.asked) > 0, "the model was not asked")
		return errors.Join(f...)
	}
}

// ordinaryWords: an answer that speaks of limits and errors is an answer.
func ordinaryWords(ctx context.Context, s *site) error {
	var f faults
	const said = "The log says 429, usage limit reached, overloaded and unauthorized; I handled them."
	p := s.play(ctx, request{prompt: "What does the log say? [[say " + said + "]]"})
	f.well("the turn", p)
	f.check(strings.Contains(p.Summary, said), "the summary is %q", p.Summary)
	return errors.Join(f...)
}

// retried: one failure of the server that the program gets over by itself is none of the turn's.
func retried(ctx context.Context, s *site) error {
	var f faults
	if err := s.model.Inject(stubmodel.Fault{Kind: stubmodel.FaultStatus, Status: 500, Count: 1}); err != nil {
		return err
	}
	defer s.model.Heal()
	p := s.play(ctx, request{prompt: "Hello. [[say hello again]]"})
	f.well("the turn", p)
	f.check(strings.Contains(p.Summary, "hello again"), "the summary is %q", p.Summary)
	f.check(len(p.asked) > answered(p.asked), "the server made no mistake")
	return errors.Join(f...)
}

// midStream: an answer that breaks off is asked for again, or the turn fails; half an answer is never a success.
func midStream(ctx context.Context, s *site) error {
	var f faults
	if err := s.model.Inject(stubmodel.Fault{Kind: stubmodel.FaultMidStream, Count: 1}); err != nil {
		return err
	}
	defer s.model.Heal()
	p := s.play(ctx, request{prompt: "Hello. [[say the whole of the answer]]"})
	f.check(p.err == nil, "%w", p.err)
	switch p.Kind {
	case "":
		f.check(strings.HasSuffix(p.Summary, "the whole of the answer"), "the summary is %q", p.Summary)
	case provider.KindTransient:
	default:
		f.check(false, "the turn is %q: %s", p.Kind, p.Error)
	}
	f.check(len(p.asked) > answered(p.asked), "the server made no mistake")
	return errors.Join(f...)
}

// refused: nobody listens where the model should be.
func refused(ctx context.Context, s *site) error {
	var f faults
	address := strings.TrimPrefix(s.model.URL(), "http://")
	if err := s.model.Close(); err != nil {
		return err
	}
	p := s.play(ctx, request{prompt: "Hello. [[say hello]]"})
	f.check(p.err == nil, "%w", p.err)
	f.check(p.Kind == provider.KindTransient, "the turn is %q: %s", p.Kind, p.Error)
	again, err := stubmodel.Listen(address)
	if err != nil {
		return err
	}
	s.model = again
	return errors.Join(f...)
}
