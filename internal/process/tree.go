package process

import (
	"errors"
	"syscall"
	"time"
)

const (
	firstPause = time.Millisecond
	lastPause  = 50 * time.Millisecond
	// endPatience bounds how long a supervisor that ends waits for the dead to be gone. After it, at
	// LevelNamespace, the kernel goes on alone.
	endPatience = 10 * time.Second
)

// memory is what was found out about a process once, while its ancestors still lived.
type memory struct {
	start uint64
	owner *command // nil: nobody's that is known
}

// census is the process table as the supervisor understands it.
type census struct {
	members map[*command][]proc // what belongs to whom, leaders included
	strange []proc              // under the supervisor, but of no command that is known
}

// survey looks at the process table and attributes what is ours.
func (w *warden) survey() (census, error) {
	all, err := processes()
	if err != nil {
		return census{}, err
	}
	t := tracer{w: w, self: w.self, procs: make(map[int]proc, len(all)), seen: make(map[int]trace, len(all))}
	for _, p := range all {
		t.procs[p.pid] = p
	}
	found := census{members: make(map[*command][]proc)}
	for _, p := range all {
		tr := t.trace(p.pid)
		if !tr.inside || p.dead {
			continue
		}
		if tr.owner != nil {
			found.members[tr.owner] = append(found.members[tr.owner], p)
		} else {
			found.strange = append(found.strange, p)
		}
		// Adopted orphans stay known until they are reaped; without adoption everything must be
		// remembered, because the next look may come after its parent's end.
		if (p.ppid == w.self || w.level == LevelGroup) && w.leaders[p.pid] == nil {
			w.remembered[p.pid] = memory{start: p.start, owner: tr.owner}
		}
	}
	if w.level == LevelGroup {
		for pid, m := range w.remembered {
			if p, ok := t.procs[pid]; !ok || p.start != m.start || p.dead {
				delete(w.remembered, pid)
			}
		}
	}
	return found, nil
}

type trace struct {
	owner  *command
	inside bool // the supervisor's own flesh and blood
}

// tracer attributes processes; it asks each at most once.
type tracer struct {
	w     *warden
	self  int
	procs map[int]proc
	seen  map[int]trace
	marks map[string]*command
}

func (t *tracer) trace(pid int) trace {
	if tr, ok := t.seen[pid]; ok {
		return tr
	}
	t.seen[pid] = trace{} // ends the walk should the table, read bit by bit, hold a circle
	p, ok := t.procs[pid]
	if !ok || pid == t.self {
		return trace{}
	}
	var tr trace
	if p.ppid == t.self {
		tr.inside = true
	} else {
		tr = t.trace(p.ppid)
	}
	switch {
	case t.w.families[p.sid] != nil && (tr.inside || t.w.level == LevelGroup):
		tr.owner = t.w.families[p.sid]
	case tr.owner != nil || p.dead:
	case !tr.inside && t.w.level != LevelGroup:
	default:
		if m, ok := t.w.remembered[pid]; ok && m.start == p.start && m.owner != nil {
			tr.owner = m.owner
		} else {
			tr.owner = t.marked(pid)
		}
	}
	if t.w.level == LevelGroup {
		tr.inside = tr.owner != nil // nobody is known to be ours by descent alone
	}
	t.seen[pid] = tr
	return tr
}

// marked attributes by the environment.
func (t *tracer) marked(pid int) *command {
	if t.w.mark == "" {
		return nil
	}
	value, ok := markOf(pid)
	if !ok {
		return nil
	}
	if t.marks == nil {
		t.marks = make(map[string]*command, len(t.w.commands))
		for _, c := range t.w.commands {
			t.marks[t.w.markFor(c.id)] = c
		}
	}
	return t.marks[value]
}

// suspects asks cheaply whether a command whose leader is gone can have left anything behind. What
// outlives its parent becomes the supervisor's child, so where there is no child but leaders, and
// orphans that are known to be others', there is nothing to look for.
func (w *warden) suspects(c *command) bool {
	if w.adopted == nil {
		return true
	}
	found, err := w.adopted.each(func(pid int) bool {
		if w.leaders[pid] != nil {
			return false
		}
		m, known := w.remembered[pid]
		if !known || m.owner == c {
			return true
		}
		return m.owner == nil && len(w.leaders) == 0
	})
	return found || err != nil
}

// stop begins a command's orderly end.
func (w *warden) stop(seq uint64, grace time.Duration) error {
	c := w.commands[seq]
	if c == nil || c.killing {
		return nil
	}
	c.asked = true
	if grace <= 0 {
		c.killing, c.next = true, time.Time{}
		return nil
	}
	found, err := w.survey()
	if err != nil {
		return err
	}
	c.killAt = time.Now().Add(grace)
	for _, p := range found.members[c] {
		signalProcess(p, syscall.SIGTERM, nil)
		signalProcess(p, syscall.SIGCONT, nil) // what is stopped could not hear it
	}
	return nil
}

// tend does what is due, and reports what is over.
func (w *warden) tend() error {
	now := time.Now()
	if w.level == LevelGroup && len(w.commands) > 0 && now.Sub(w.surveyed) >= reapInterval {
		if _, err := w.survey(); err != nil {
			return err
		}
		w.surveyed = now
	}
	for _, c := range w.commands {
		if c.over && !w.suspects(c) {
			if err := w.report(c); err != nil {
				return err
			}
			continue
		}
		due, ok := c.due()
		if !ok || due.After(now) {
			continue
		}
		if c.killAt.IsZero() || !c.killAt.After(now) {
			c.killing = true
		}
		if err := w.round(c, now); err != nil {
			return err
		}
	}
	return nil
}

// round looks at what is left of a command and, unless it has a grace period, kills it.
func (w *warden) round(c *command, now time.Time) error {
	found, err := w.survey()
	if err != nil {
		return err
	}
	left := w.leftOf(c, found)
	if len(left) == 0 && c.over {
		return w.report(c)
	}
	if c.killing {
		if err := w.slay(func(found census) []proc { return w.leftOf(c, found) }, left, func(p proc) {
			if _, again := c.hit[p.key()]; !again && c.over {
				c.exit.Strays++
			}
			if c.hit == nil {
				c.hit = make(map[key]struct{})
			}
			c.hit[p.key()] = struct{}{}
		}); err != nil {
			return err
		}
	}
	c.pause = min(max(2*c.pause, firstPause), lastPause)
	c.next = now.Add(c.pause)
	return nil
}

// leftOf says what goes with the command: its own, and what is nobody's once no command runs.
func (w *warden) leftOf(c *command, found census) []proc {
	left := found.members[c]
	if c.over && len(w.leaders) == 0 {
		left = append(left[:len(left):len(left)], found.strange...)
	}
	return left
}

// slay stops everything that pick picks, looking again until nothing new turns up, and then kills it:
// a process that is stopped can neither start another one nor react to the death of its kin.
func (w *warden) slay(pick func(census) []proc, victims []proc, hit func(proc)) error {
	const looks = 20 // what forks faster than that is met again in the next round
	stopped := make(map[key]struct{}, len(victims))
	for range looks {
		fresh := false
		for _, p := range victims {
			if _, done := stopped[p.key()]; done {
				continue
			}
			stopped[p.key()] = struct{}{}
			fresh = signalProcess(p, syscall.SIGSTOP, nil) || fresh
		}
		if !fresh {
			break
		}
		found, err := w.survey()
		if err != nil {
			return err
		}
		victims = pick(found)
	}
	for _, p := range victims {
		if signalProcess(p, syscall.SIGKILL, nil) {
			hit(p)
		}
	}
	return nil
}

// end kills everything, waits until it is gone, and reports it. Exits of before are taken in first,
// so that what ended by itself is recorded so.
func (w *warden) end() error {
	w.reap()
	for _, c := range w.commands {
		c.ending = !c.over
	}
	deadline := time.Now().Add(endPatience)
	pause := firstPause / 4
	var errs []error
	for time.Now().Before(deadline) {
		left, err := w.killAll()
		if err != nil {
			errs = append(errs, err)
			break
		}
		w.reap()
		if !left {
			break
		}
		time.Sleep(pause)
		pause = min(2*pause, lastPause)
	}
	for _, c := range w.commands {
		if !c.over {
			continue
		}
		c.exit.Lost = c.ending && !c.asked && c.signal == syscall.SIGKILL
		if err := w.report(c); err != nil && w.closing {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// killAll kills all there is and says whether there was anything.
func (w *warden) killAll() (bool, error) {
	if w.level == LevelNamespace {
		// The kernel walks the whole namespace under one lock: nothing can fork past it or react.
		err := syscall.Kill(-1, syscall.SIGKILL)
		return w.hasChildren() || !errors.Is(err, syscall.ESRCH), nil
	}
	pick := func(found census) []proc {
		all := found.strange
		for _, m := range found.members {
			all = append(all, m...)
		}
		return all
	}
	found, err := w.survey()
	if err != nil {
		return true, err
	}
	victims := pick(found)
	if err := w.slay(pick, victims, func(proc) {}); err != nil {
		return true, err
	}
	return len(victims) > 0 || w.hasChildren(), nil
}

// hasChildren reaps, and is true while there is a child that was not.
func (w *warden) hasChildren() bool {
	return !w.reap()
}
