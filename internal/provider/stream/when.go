package stream

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// How agents say when a limit ends. What none of these finds is not guessed.
var (
	epochWords   = regexp.MustCompile(`(?i)(?:limit reached\|| resets?(?:_?at)?["' :=]+)(\d{10})(\d{3})?\b`)
	instantWords = regexp.MustCompile(`(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2}))`)
	afterWords   = regexp.MustCompile(`(?i)\b(?:in|after)\s+((?:\d+(?:\.\d+)?\s*(?:days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s|ms)\b[\s,]*(?:and\s+)?)+)`)
	afterGlued   = regexp.MustCompile(`(?i)\b(?:in|after)\s+((?:\d+(?:\.\d+)?(?:ms|[dhms]))+)(?:\W|$)`)
	headerWords  = regexp.MustCompile(`(?i)retry[-_ ]?after["' :=]+(\d+(?:\.\d+)?)\s*(ms)?`)
	clockWords   = regexp.MustCompile(`(?i)(?:resets?|again|until)\s+(?:at\s+|on\s+)?(?:([A-Z][a-z]{2,8})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?(?:\s+(\d{4}),?)?\s+(?:at\s+)?)?(\d{1,2})(?::(\d{2}))?\s*([ap]m)?\b(?:\s*\(([A-Za-z]+(?:/[A-Za-z_+\-0-9]+)*)\))?`)
	part         = regexp.MustCompile(`(?i)(\d+(?:\.\d+)?)\s*(ms|d|h|m|s)`)
)

// RetryAt finds in a text when a limit ends; zero when the text does not say. Durations, and times of a day without
// its date, count from at; a time without a zone is in at's zone, as the programs print the machine's own.
func RetryAt(text string, at time.Time) time.Time {
	if m := epochWords.FindStringSubmatch(text); m != nil {
		seconds, _ := strconv.ParseInt(m[1], 10, 64) // ten digits
		return time.Unix(seconds, 0)
	}
	if m := headerWords.FindStringSubmatch(text); m != nil {
		unit := "s"
		if m[2] != "" {
			unit = "ms"
		}
		return at.Add(length(m[1] + unit))
	}
	if m := instantWords.FindStringSubmatch(text); m != nil && limitNear(text) {
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700"} {
			if t, err := time.Parse(layout, m[1]); err == nil {
				return t
			}
		}
	}
	for _, words := range []*regexp.Regexp{afterGlued, afterWords} {
		if m := words.FindStringSubmatch(text); m != nil && limitNear(text) {
			return at.Add(length(m[1]))
		}
	}
	if m := clockWords.FindStringSubmatch(text); m != nil {
		return clock(m, at)
	}
	return time.Time{}
}

// limitNear keeps "finished in 5 s" from being a time to try again.
func limitNear(text string) bool {
	t := strings.ToLower(text)
	return strings.Contains(t, "again") || strings.Contains(t, "reset") || strings.Contains(t, "retry")
}

// length adds up what stands in a text such as "3 days 4 hours" or "1h2m3.5s".
func length(text string) time.Duration {
	var sum float64
	for _, m := range part.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0
		}
		unit := map[string]time.Duration{
			"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
		}[strings.ToLower(m[2])]
		sum += n * float64(unit)
	}
	const most = 366 * 24 * time.Hour
	return time.Duration(min(sum, float64(most)))
}

// justNow is how long ago a time of day without its date may be before it is tomorrow's: who says at 15:00:20 that a
// limit ends at 15:00 does not mean to be waited for a day.
const justNow = 15 * time.Minute

// clock is the next time that a clock, with or without a date, shows what m says, or the one just past.
func clock(m []string, at time.Time) time.Time {
	zone := at.Location()
	if m[7] != "" {
		z, err := time.LoadLocation(m[7])
		if err != nil {
			return time.Time{} // a zone that this machine does not know
		}
		zone = z
	}
	hour, _ := strconv.Atoi(m[4])   // one or two digits
	minute, _ := strconv.Atoi(m[5]) // two, or none
	half := strings.ToLower(m[6])
	if hour > 23 || minute > 59 || half != "" && (hour < 1 || hour > 12) || half == "" && m[5] == "" {
		return time.Time{}
	}
	if half != "" {
		hour %= 12
	}
	if half == "pm" {
		hour += 12
	}
	now := at.In(zone)
	if m[1] == "" {
		t := time.Date(now.Year(), now.Month(), now.Day(), hour, minute, 0, 0, zone)
		if t.Before(now.Add(-justNow)) {
			t = t.AddDate(0, 0, 1)
		}
		return t
	}
	month, err := time.Parse("Jan", m[1][:3])
	day, _ := strconv.Atoi(m[2])
	if err != nil || day < 1 || day > 31 {
		return time.Time{}
	}
	year := now.Year()
	if m[3] != "" {
		year, _ = strconv.Atoi(m[3])
	}
	t := time.Date(year, month.Month(), day, hour, minute, 0, 0, zone)
	if m[3] == "" && t.Before(now.AddDate(0, 0, -1)) {
		t = t.AddDate(1, 0, 0)
	}
	return t
}

// RetryHeader understands a Retry-After header: seconds, or a date.
func RetryHeader(value string, at time.Time) time.Time {
	if n, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && n >= 0 {
		return at.Add(length(strconv.FormatFloat(n, 'f', -1, 64) + "s"))
	}
	if t, err := http.ParseTime(value); err == nil {
		return t
	}
	return time.Time{}
}
