package view

import (
	"fmt"
	"strings"
	"time"
)

// Duration formats a length of time as people read it: "<1s", "42s", "1m32s", "1h02m".
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return "<1s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// Clock formats a time since the start of a run as MM:SS; the minutes go on beyond 99.
func Clock(d time.Duration) string {
	d = max(d, 0)
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// Plural is "1 file", "2 files".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// List joins names by commas; of more than most it says how many there are: "a, b and 3 more".
func List(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// IDs returns the ids of tasks.
func IDs(tasks []*Task) []string {
	ids := make([]string, len(tasks))
	for i, t := range tasks {
		ids[i] = t.ID
	}
	return ids
}

// LastLines returns the last n lines of a text, without trailing empty ones.
func LastLines(text string, n int) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(len(lines)-n, 0):]
}

// From words what the run was cut from: "main@1c9e2ab", or either of the two; empty when neither is known.
func (r *Run) From() string {
	short := r.Base[:min(len(r.Base), 7)]
	switch {
	case r.BaseRef == "" || strings.HasPrefix(r.Base, r.BaseRef):
		return short
	case short == "":
		return r.BaseRef
	}
	return r.BaseRef + "@" + short
}

// Title is the plan's name, else "run" and the id.
func (r *Run) Title() string {
	if r.Name != "" {
		return r.Name
	}
	return "run " + r.ID
}
