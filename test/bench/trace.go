package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"time"

	"orchestrator/internal/scheduler"
	"orchestrator/test/rig"
)

const (
	traceSlots = 8
	traceSeed  = 20260101
	shortest   = 60 * time.Millisecond
	longest    = 4500 * time.Millisecond
)

// step is one task of a trace.
type step struct {
	name  string
	needs []string
	sleep time.Duration
}

// trace is a graph with durations.
type trace struct {
	name  string
	steps []step
}

// weaver builds a trace; the kinds of steps have log-normal durations, as measured workflows do.
type weaver struct {
	trace
	rng *rand.Rand
}

// add adds a step whose duration has the given median and returns its name.
func (w *weaver) add(kind string, median time.Duration, needs ...string) string {
	name := fmt.Sprintf("%s-%d", kind, len(w.steps))
	sleep := time.Duration(float64(median) * math.Exp(0.6*w.rng.NormFloat64()))
	sleep = min(max(sleep, shortest), longest).Round(time.Millisecond)
	w.steps = append(w.steps, step{name, needs, sleep})
	return name
}

// unit is what the medians below are counted in: long enough that starting a command on a busy machine is small
// beside it, short enough that all traces run twice in under three minutes.
const unit = 3 * time.Millisecond

// weaves are shapes that recur in published workflows and in CI.
var weaves = []struct {
	name  string
	weave func(w *weaver)
}{
	// Images are projected, fitted in overlapping pairs, corrected by a model of all pairs, and put together.
	{"mosaic", func(w *weaver) {
		var projected, fitted, corrected []string
		for range 60 {
			projected = append(projected, w.add("project", 120*unit))
		}
		for i := range 130 {
			a, b := projected[i%60], projected[(i+1+i/60)%60]
			fitted = append(fitted, w.add("fit", 60*unit, a, b))
		}
		model := w.add("model", 150*unit, w.add("concat", 100*unit, fitted...))
		for _, p := range projected {
			corrected = append(corrected, w.add("correct", 70*unit, p, model))
		}
		w.add("shrink", 100*unit, w.add("add", 300*unit, corrected...))
	}},
	// Lanes are split, worked through in parallel pipelines, merged per lane, then all together.
	{"pipelines", func(w *weaver) {
		var lanes []string
		for range 4 {
			split := w.add("split", 150*unit)
			var ends []string
			for range 15 {
				end := split
				for _, stage := range []string{"filter", "convert", "encode", "map"} {
					end = w.add(stage, 110*unit, end)
				}
				ends = append(ends, end)
			}
			lanes = append(lanes, w.add("merge", 200*unit, ends...))
		}
		w.add("pileup", 200*unit, w.add("index", 120*unit, lanes...))
	}},
	// Two extractions feed hundreds of short pairs, whose results are gathered twice.
	{"fan", func(w *weaver) {
		var seismograms, peaks []string
		for range 4 {
			extract := w.add("extract", 500*unit)
			for range 40 {
				s := w.add("synth", 150*unit, extract)
				seismograms = append(seismograms, s)
				peaks = append(peaks, w.add("peak", 25*unit, s))
			}
		}
		w.add("zip", 150*unit, seismograms...)
		w.add("zip", 150*unit, peaks...)
	}},
	// Blocks of templates and inspirals, each block closed by a gathering step, twice over.
	{"blocks", func(w *weaver) {
		for range 6 {
			var first, second []string
			for range 12 {
				first = append(first, w.add("inspiral", 300*unit, w.add("template", 60*unit)))
			}
			gate := w.add("thin", 40*unit, first...)
			for range 12 {
				second = append(second, w.add("again", 250*unit, w.add("trigger", 40*unit, gate)))
			}
			w.add("final", 40*unit, second...)
		}
	}},
	// A build of packages that depend on one another at random, each built, then tested; one release at the end.
	{"ci", func(w *weaver) {
		var built, tested []string
		for i := range 130 {
			var needs []string
			for range min(i, w.rng.IntN(4)) {
				if d := built[max(0, i-1-w.rng.IntN(40))]; !slices.Contains(needs, d) {
					needs = append(needs, d)
				}
			}
			b := w.add("build", 90*unit, needs...)
			built = append(built, b)
			tested = append(tested, w.add("test", 160*unit, b))
		}
		w.add("release", 100*unit, tested...)
	}},
}

// bound is what no schedule can beat: the longest chain, or all the work spread over the slots.
func (t trace) bound() time.Duration {
	finish := map[string]time.Duration{}
	var work, critical time.Duration
	for _, s := range t.steps {
		var start time.Duration
		for _, n := range s.needs {
			start = max(start, finish[n])
		}
		finish[s.name] = start + s.sleep
		critical = max(critical, finish[s.name])
		work += s.sleep
	}
	return max(critical, work/traceSlots)
}

func (t trace) plan() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nname: %s\nconcurrency: %d\ndefaults: {isolation: none}\ntasks:\n", t.name, traceSlots)
	for _, s := range t.steps {
		fmt.Fprintf(&b, "  %s: {run: \"%s\"", s.name, sleepFor(s.sleep))
		if len(s.needs) > 0 {
			fmt.Fprintf(&b, ", needs: [%s]", strings.Join(s.needs, ", "))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// traces runs every trace three times: by bare fork and exec in the order that our own scheduler would choose knowing
// all durations, by orc without a history of durations, and by orc with that of its first run.
func traces(ctx context.Context, b benchmark) ([]measurement, error) {
	var lines []measurement
	ratios := map[string][]float64{}
	for i, wv := range weaves {
		w := weaver{trace: trace{name: wv.name}, rng: rand.New(rand.NewPCG(traceSeed, uint64(i)))}
		wv.weave(&w)
		bound := w.bound()
		bare, err := w.bare()
		if err != nil {
			return nil, err
		}
		err = b.scratch(ctx, func(s *rig.Site) error {
			if err := s.Write("seed.txt", "seed\n"); err != nil {
				return err
			}
			if err := s.Commit(ctx, "Start"); err != nil {
				return err
			}
			for _, what := range []string{"first run", "durations known"} {
				took, err := orcRun(ctx, s, w.plan())
				if err != nil {
					return err
				}
				lines = append(lines, measurement{
					name:  fmt.Sprintf("trace %s, %d tasks, %s", w.name, len(w.steps), what),
					floor: bare, ours: took,
				})
				ratios[what+", to the bound"] = append(ratios[what+", to the bound"], float64(took)/float64(bound))
				ratios[what+", to bare fork and exec"] = append(ratios[what+", to bare fork and exec"], float64(took)/float64(bare))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		ratios["bare fork and exec, to the bound"] = append(ratios["bare fork and exec, to the bound"], float64(bare)/float64(bound))
	}
	for _, what := range slices.Sorted(maps.Keys(ratios)) {
		lines = append(lines, summary(what, ratios[what]))
	}
	return lines, nil
}

// bare works the trace through by fork and exec alone, as many at a time as there are slots.
func (t trace) bare() (time.Duration, error) {
	var tasks []*scheduler.Task
	sleeps := map[scheduler.TaskID]time.Duration{}
	for _, s := range t.steps {
		task := &scheduler.Task{ID: scheduler.TaskID(s.name)}
		for _, n := range s.needs {
			task.DependsOn = append(task.DependsOn, scheduler.TaskID(n))
		}
		tasks, sleeps[task.ID] = append(tasks, task), s.sleep
	}
	state, err := scheduler.NewState(tasks, nil, scheduler.Options{Concurrency: traceSlots, ByTask: sleeps})
	if err != nil {
		return 0, fmt.Errorf("trace %s: %w", t.name, err)
	}
	type end struct {
		task scheduler.TaskID
		err  error
	}
	ends := make(chan end, len(tasks))
	live := 0
	begin := func(effects []scheduler.Effect) {
		for _, f := range effects {
			if start, ok := f.(scheduler.Start); ok {
				live++
				go func() {
					ends <- end{start.Task, exec.Command("/bin/sh", "-c", sleepFor(sleeps[start.Task])).Run()}
				}()
			}
		}
	}
	began := time.Now()
	for begin(state.Step(scheduler.Begin{})); live > 0; live-- {
		e := <-ends
		if e.err != nil {
			return 0, fmt.Errorf("trace %s: %s: %w", t.name, e.task, e.err)
		}
		begin(state.Step(scheduler.AttemptEnded{Task: e.task, Outcome: scheduler.OutcomeSucceeded}))
	}
	return time.Since(began), nil
}

func sleepFor(d time.Duration) string { return fmt.Sprintf("exec sleep %.3f", d.Seconds()) }

// summary says what the ratios of all traces come to.
func summary(what string, ratios []float64) measurement {
	slices.Sort(ratios)
	m := measurement{
		name:  "all traces, " + what + ": median, worst",
		ratio: fmt.Sprintf("%.3f, %.3f", ratios[len(ratios)/2], ratios[len(ratios)-1]),
	}
	if strings.HasSuffix(what, "known, to the bound") {
		m.goal = "≤ 1.05, 1.15"
	}
	return m
}
