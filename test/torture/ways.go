package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"orchestrator/internal/fault"
)

// A way is what is done to a run from one start of an owner to its end.
type way int

const (
	peace      way = iota // nothing: it may end
	point                 // the process dies at a named point
	kill                  // SIGKILL to the owner
	group                 // SIGKILL to the owner and at once to its children: git, the supervisor
	supervisor            // SIGKILL to the supervisor, later to the owner
	terminate             // SIGTERM to the owner, which ends in good order
	freeze                // SIGSTOP to the owner, a second owner comes, SIGCONT or SIGKILL to the first
	numb                  // SIGSTOP to the supervisor, SIGKILL to the owner, a second owner comes, SIGKILL to the supervisor
	race                  // SIGKILL to the owner, then two owners at once
	cancel                // a person cancels a task, then SIGKILL to the owner. Wild
	child                 // SIGKILL to a task's command, later to the owner. Wild
	ways
)

var wayNames = [ways]string{
	"left in peace", "deaths at points", "kills of the owner", "kills with children", "kills of the supervisor", "terminations",
	"frozen owners", "frozen supervisors", "races", "cancels", "kills of commands",
}

func (w way) String() string { return wayNames[w] }

// draw chooses a way. Half of them are deaths at points.
func (d *disturbance) draw() way {
	choice := []way{
		point, point, point, point, point, point, point, point, kill, kill, group, supervisor, terminate, freeze, numb, race,
	}
	if d.plan.wild {
		choice = append(choice, cancel, cancel, child, child)
	}
	return choice[d.rng.IntN(len(choice))]
}

// environ is what the owner is started with.
func (w way) environ(d *disturbance) []string {
	if w != point {
		return nil
	}
	points := fault.Points()
	name := points[d.rng.IntN(len(points))]
	most := d.passings(name, d.reach())
	return d.site.faultAt(name, 1+min(d.rng.IntN(most), d.rng.IntN(most))) // the first ones are surely passed
}

// passings is about how often an owner passes a point before it has done a share of what is left of its run.
func (d *disturbance) passings(name string, reach float64) int {
	tasks := 1 + int(reach*d.watcher.left*float64(len(d.plan.tasks)))
	switch prefix, _, _ := strings.Cut(name, "."); prefix {
	case "owner":
		return 1
	case "store":
		return 8 * tasks
	case "engine":
		if name == "engine.leased" || name == "engine.released" {
			return 1
		}
		return 6 * tasks
	case "git":
		if name == "git.ref" {
			return 3 * tasks
		}
		return 1
	}
	return tasks
}

// faultAt is the environment in which an owner dies at the n-th passing of a point.
func (s *site) faultAt(name string, n int) []string {
	return []string{fmt.Sprintf("ORC_FAULT=%s:%d", name, n), "ORC_FAULT_LOG=" + s.points}
}

// play does it and comes back when no owner is left.
func (w way) play(ctx context.Context, d *disturbance, o *owner) error {
	if w == peace {
		return o.wait(ctx, patience)
	}
	if w == point {
		if d.script != nil {
			return o.wait(ctx, patience)
		}
		// One that is not passed so long after the owner began is given up, so that there is more to disturb.
		d.await(ctx, o, patience, 1)
		d.await(ctx, o, time.Duration(haste*d.watcher.left*float64(d.calm.took))+time.Second/2, 0)
		w = kill
	} else {
		d.moment(ctx, o)
	}
	if o.over() { // it was faster
		return ctx.Err()
	}
	d.res.tally.ways[w]++
	switch w {
	case terminate:
		return d.terminate(ctx, o)
	case group:
		children := o.children()
		o.stop()
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it dies with its parent, perhaps it already has
		}
	case supervisor:
		for _, pid := range o.supervisors() {
			_ = syscall.Kill(pid, syscall.SIGKILL) // perhaps it has just ended
		}
		d.await(ctx, o, time.Duration(d.rng.IntN(400))*time.Millisecond, 0)
		o.stop()
	case freeze:
		return d.freeze(ctx, o)
	case numb:
		return d.numb(ctx, o)
	case race:
		o.stop()
		return d.race(ctx)
	case cancel:
		return d.cancel(ctx, o)
	case child:
		d.killCommand(o)
		d.await(ctx, o, time.Duration(d.rng.IntN(400))*time.Millisecond, 0)
		o.stop()
	default:
		o.stop()
	}
	return ctx.Err()
}

// haste is the share of what is left of a run after which it is disturbed at the latest: what comes later would
// mostly find it over. Mostly it is disturbed soon, so that a run is disturbed often.
const (
	haste     = 0.4
	muchHaste = 0.12
)

func (d *disturbance) reach() float64 {
	if d.rng.IntN(4) > 0 {
		return muchHaste
	}
	return haste
}

// moment waits for a random moment. Half of the moments are a random time; the other half follow an event, since
// most of what can go wrong lies just behind one.
func (d *disturbance) moment(ctx context.Context, o *owner) {
	left := d.reach() * d.watcher.left
	if d.rng.IntN(2) == 0 {
		if d.rng.IntN(4) > 0 { // else it is perhaps hit while it takes the run over
			d.await(ctx, o, patience, 1)
		}
		d.await(ctx, o, time.Duration(d.rng.Float64()*left*float64(d.calm.took)), 0)
		return
	}
	d.await(ctx, o, patience, 1+d.rng.IntN(max(1, int(left*float64(d.calm.events)))))
	d.await(ctx, o, time.Duration(d.rng.IntN(15000))*time.Microsecond, 0)
}

// await waits until a time has passed, a number of events has come (0: does not matter), or the owner has ended.
func (d *disturbance) await(ctx context.Context, o *owner, limit time.Duration, events int) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for events == 0 || o.events() < events {
		select {
		case <-o.bell:
		case <-o.ended:
			return
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (d *disturbance) terminate(ctx context.Context, o *owner) error {
	_ = o.cmd.Process.Signal(syscall.SIGTERM) // it may have ended just now
	if err := o.wait(ctx, patience); err != nil {
		return err
	}
	if code := o.code(); code < 0 || code > 6 && code != 130 && code != 143 {
		d.res.fault("I14: SIGTERM ended the owner with exit code %d: %s", code, o.complaint())
	}
	return nil
}
