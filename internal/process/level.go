package process

import (
	"context"
	"fmt"
	"time"
)

// Level is how firmly a supervisor holds what it started. Lower numbers after LevelAuto are firmer.
type Level int

// The levels, firmest first. LevelAuto takes the first that really starts.
const (
	LevelAuto Level = iota
	LevelNamespace
	LevelSubreaper
	LevelGroup
)

// String gives the level's word for people.
func (l Level) String() string {
	switch l {
	case LevelAuto:
		return "auto"
	case LevelNamespace:
		return "namespace"
	case LevelSubreaper:
		return "subreaper"
	case LevelGroup:
		return "group"
	}
	return fmt.Sprintf("level(%d)", int(l))
}

// LevelReport says whether a level works on this machine, and if not, why.
type LevelReport struct {
	Level Level
	Err   error // nil when a supervisor of that level started
	Took  time.Duration
}

// Probe starts and closes one supervisor per level, firmest first.
func Probe(ctx context.Context) []LevelReport { return ProbeWith(ctx, Options{}) }

// ProbeWith is Probe for a program with other hidden arguments than the default. Level, Journal and
// Lock of o are ignored.
func ProbeWith(ctx context.Context, o Options) []LevelReport {
	o.Journal, o.Lock = "", ""
	reports := make([]LevelReport, 0, 3)
	for _, level := range []Level{LevelNamespace, LevelSubreaper, LevelGroup} {
		o.Level = level
		begin := time.Now()
		s, err := Start(ctx, o)
		took := time.Since(begin)
		if err == nil {
			err = s.Close(ctx)
		}
		reports = append(reports, LevelReport{Level: level, Err: err, Took: took})
	}
	return reports
}

// ParseLevel reads a level's name; empty is LevelAuto.
func ParseLevel(name string) (Level, error) {
	if name == "" {
		return LevelAuto, nil
	}
	for l := LevelAuto; l <= LevelGroup; l++ {
		if l.String() == name {
			return l, nil
		}
	}
	return LevelAuto, fmt.Errorf("unknown supervision level %q", name)
}
