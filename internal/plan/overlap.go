package plan

import (
	"fmt"
	"path"
	"strings"

	"orchestrator/internal/plan/document"
	"orchestrator/internal/scheduler"
)

const (
	overlapChecks = 2_000_000 // pairs of patterns compared
	overlapPairs  = 10_000    // pairs of tasks found
)

// pattern is one alternative of one glob of a task, case folded as some file systems do.
type pattern struct {
	task     int32
	segments []string
	item     document.Item
}

// folder is a node of the tree of the patterns' literal beginnings: only patterns of which one's beginning lies on
// the other's way from the top can overlap.
type folder struct {
	patterns []pattern
	below    map[string]*folder
}

// overlaps finds pairs of tasks that may run at the same time and may write the same file.
type overlaps struct {
	*ancestry
	tasks  []task
	top    folder
	checks int
	found  map[[2]int32]bool
	asked  map[[2]string]bool
	warn   *warnings
	done   bool
}

// warnOverlaps is about tasks that will not run in parallel though nothing orders them.
func (c *checker) warnOverlaps(a *ancestry) {
	warn := &warnings{c: c, code: "overlap"}
	o := overlaps{ancestry: a, tasks: c.draft.tasks, found: make(map[[2]int32]bool), asked: make(map[[2]string]bool), warn: warn}
	for i := range c.draft.tasks {
		for _, item := range c.draft.tasks[i].writes {
			alternatives, _ := expand(strings.ToLower(item.Text))
			for _, alternative := range alternatives {
				o.add(pattern{task: int32(i), segments: split(alternative), item: item})
			}
		}
		if o.done {
			warn.open = true
			break
		}
	}
	warn.flush()
}

func split(glob string) []string {
	var segments []string
	for s := range strings.SplitSeq(glob, "/") {
		twice := s == "**" && len(segments) > 0 && segments[len(segments)-1] == s
		if s != "" && s != "." && !twice {
			segments = append(segments, s)
		}
	}
	return segments
}

// add compares a pattern with those before it and puts it into the tree.
func (o *overlaps) add(p pattern) {
	at := &o.top
	o.compare(p, at.patterns)
	for _, s := range p.segments {
		if strings.ContainsAny(s, "*?[") {
			break
		}
		next := at.below[s]
		if next == nil {
			next = &folder{}
			if at.below == nil {
				at.below = make(map[string]*folder)
			}
			at.below[s] = next
		}
		at = next
		o.compare(p, at.patterns)
	}
	o.compareBelow(p, at)
	at.patterns = append(at.patterns, p)
}

func (o *overlaps) compareBelow(p pattern, at *folder) {
	open := []*folder{at}
	for len(open) > 0 && !o.done {
		f := open[len(open)-1]
		open = open[:len(open)-1]
		for _, next := range f.below {
			o.compare(p, next.patterns)
			open = append(open, next)
		}
	}
}

func (o *overlaps) compare(p pattern, earlier []pattern) {
	for i := range earlier {
		q := &earlier[i]
		pair := [2]int32{q.task, p.task}
		if o.done || q.task == p.task || o.found[pair] {
			continue
		}
		if o.checks++; o.checks > overlapChecks || len(o.found) == overlapPairs {
			o.done = true
			return
		}
		if !meet(p.segments, q.segments) {
			continue
		}
		after, known := o.waits(p.task, q.task)
		before, knownToo := o.waits(q.task, p.task)
		if !known || !knownToo {
			o.done = true
			return
		}
		if after || before || !o.overlap(p.item.Text, q.item.Text) {
			continue
		}
		o.found[pair] = true
		what := fmt.Sprintf("`%s`", p.item.Text)
		if p.item.Text != q.item.Text {
			what += fmt.Sprintf(" and `%s`", q.item.Text)
		}
		o.warn.add(p.item.Node, fmt.Sprintf("tasks `%s` and `%s` will not run in parallel: their `writes` overlap (%s)",
			o.tasks[p.task].id, o.tasks[q.task].id, what), "narrow `writes`, or order them with `needs`")
	}
}

// overlap asks the scheduler, once for each pair of texts.
func (o *overlaps) overlap(a, b string) bool {
	if a == b {
		return true
	}
	pair := [2]string{a, b}
	yes, known := o.asked[pair]
	if !known {
		yes = scheduler.Overlap([]string{a}, []string{b})
		o.asked[pair] = yes
	}
	return yes
}

// meet says whether a path can match both patterns, where a pattern also covers what lies below its matches. It is a
// quick look before the scheduler's own rule: when in doubt it says yes.
func meet(a, b []string) bool {
	// below[j] is the answer for the rests a[i+1:] and b[j:]; here[j] is the one for a[i:] and b[j:].
	below, here := make([]bool, len(b)+1), make([]bool, len(b)+1)
	for j := range below {
		below[j] = covers(a, b[j:])
	}
	for i := len(a) - 1; i >= 0; i-- {
		here[len(b)] = covers(b, a[i:])
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == "**" || b[j] == "**" {
				here[j] = below[j] || here[j+1]
			} else {
				here[j] = below[j+1] && meetSegment(a[i], b[j])
			}
		}
		below, here = here, below
	}
	return below[0]
}

// covers says whether a pattern that is used up covers what the other still asks for. It does, except that ** does not
// look for anything below a name with an extension, which is taken for a file.
func covers(used, rest []string) bool {
	if len(rest) < 2 || rest[0] != "**" || len(used) == 0 {
		return true
	}
	last := used[len(used)-1]
	return path.Ext(last) == "" || strings.ContainsAny(last, "*?[")
}

func meetSegment(a, b string) bool {
	aWild, bWild := strings.IndexAny(a, "*?["), strings.IndexAny(b, "*?[")
	switch {
	case aWild < 0 && bWild < 0:
		return a == b
	case aWild < 0:
		ok, _ := path.Match(b, a)
		return ok
	case bWild < 0:
		ok, _ := path.Match(a, b)
		return ok
	}
	if x, y := a[:aWild], b[:bWild]; !strings.HasPrefix(x, y) && !strings.HasPrefix(y, x) {
		return false
	}
	x, y := a[strings.LastIndexAny(a, "*?]")+1:], b[strings.LastIndexAny(b, "*?]")+1:]
	return strings.HasSuffix(x, y) || strings.HasSuffix(y, x)
}
