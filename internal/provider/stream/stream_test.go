package stream

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"orchestrator/internal/process"
	"orchestrator/internal/provider"
)

func cut(limit int, chunks ...string) []string {
	c := cutter{limit: limit}
	var lines []string
	each := func(l line) error {
		if l.long {
			lines = append(lines, fmt.Sprintf("%d:LONG", l.end))
		} else {
			lines = append(lines, fmt.Sprintf("%d:%s", l.end, l.text))
		}
		return nil
	}
	for _, chunk := range chunks {
		_ = c.feed([]byte(chunk), each) // each never fails
	}
	_ = c.rest(each)
	return lines
}

func TestLinesAreCut(t *testing.T) {
	for _, c := range []struct{ chunks, want string }{
		{"one\ntwo\n", "4:one 8:two"},
		{"o|ne\nt|w|o", "4:one 7:two"},
		{"one\r\n\n", "5:one 6:"},
		{"0123456789\nnext\n", "11:LONG 16:next"},
		{"01234|56789|0123\nnext", "15:LONG 19:next"},
		{"0123456789", "10:LONG"},
		{"", ""},
	} {
		got := strings.Join(cut(8, strings.Split(c.chunks, "|")...), " ")
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.chunks, got, c.want)
		}
	}
}

func TestHowALogIsReadDoesNotMatter(t *testing.T) {
	err := quick.Check(func(b []byte, at uint) bool {
		i := 0
		if len(b) > 0 {
			i = int(at % uint(len(b)))
		}
		whole, parts := cut(5, string(b)), cut(5, string(b[:i]), string(b[i:]))
		return strings.Join(whole, "\x00") == strings.Join(parts, "\x00")
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func TestErrorsAreClassified(t *testing.T) {
	for text, want := range map[string]provider.Kind{
		"Failed to authenticate. API Error: 401 stub error 401":                                provider.KindAuth,
		"Not logged in · Please run /login":                                                    provider.KindAuth,
		"Missing environment variable: `CODEX_API_KEY`.":                                       provider.KindAuth,
		"unexpected status 403 Forbidden: no":                                                  provider.KindAuth,
		"API key not valid. Please pass a valid API key.":                                      provider.KindAuth,
		"API Error: Request rejected (429) · stub error 429":                                   provider.KindLimit,
		"exceeded retry limit, last status: 429 Too Many Requests":                             provider.KindLimit,
		"You've hit your limit · resets 3pm (UTC)":                                             provider.KindLimit,
		"Claude AI usage limit reached|1900000000":                                             provider.KindLimit,
		"Rate limit exceeded: stub error 429":                                                  provider.KindLimit,
		"You exceeded your current quota, check your billing details. Please retry in 34.07s.": provider.KindLimit,
		"You exceeded your current quota, please check your plan and billing details.":         provider.KindQuota,
		`{"error":{"code":"insufficient_quota","message":"no"}}`:                               provider.KindQuota,
		"Credit balance is too low":                                                            provider.KindQuota,
		"API Error: 529 stub error 529. This is a server-side issue":                           provider.KindTransient,
		"API Error: Connection refused — (ECONNREFUSED)":                                       provider.KindTransient,
		"stream disconnected before completion: error sending request":                         provider.KindTransient,
		"We’re currently experiencing high demand, which may cause temporary errors.":          provider.KindTransient,
		"There's an issue with the selected model (x). It may not exist":                       provider.KindModel,
		"unexpected status 404 Not Found: stub error 404":                                      provider.KindModel,
		"Prompt is too long: 210000 tokens > 200000 maximum":                                   provider.KindContext,
		"This model's maximum context length is 8192 tokens":                                   provider.KindContext,
		"No conversation found with session ID: 99999999":                                      provider.KindSession,
		"thread/resume failed: no rollout found for thread id 9 (code -32600)":                 provider.KindSession,
		"Error: Session not found":                                                             provider.KindSession,
		"API Error: 400 stub error 400":                                                        provider.KindFailed,
		"something else":                                                                       provider.KindFailed,
		"wrote 429 lines to model.go":                                                          provider.KindFailed,
		"":                                                                                     provider.KindFailed,
	} {
		if got := Classify(0, text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for status, want := range map[int]provider.Kind{
		400: provider.KindFailed, 401: provider.KindAuth, 402: provider.KindQuota, 404: provider.KindModel,
		413: provider.KindContext, 429: provider.KindLimit, 500: provider.KindTransient, 529: provider.KindTransient,
	} {
		if got := Classify(status, "no"); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
}

func TestWhenALimitEnds(t *testing.T) {
	at := time.Date(2026, time.November, 24, 14, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"Claude AI usage limit reached|1900000000":                     time.Unix(1_900_000_000, 0),
		"You've hit your limit · resets 3pm (UTC)":                     at.Add(time.Hour),
		"You've hit your limit · resets 1:30pm (UTC)":                  at.Add(23*time.Hour + 30*time.Minute),
		"limit reached ∙ resets 3pm":                                   at.Add(time.Hour),
		"Your limit will reset at 12am (UTC).":                         at.Add(10 * time.Hour),
		"try again at 3:05 PM.":                                        at.Add(time.Hour + 5*time.Minute),
		"try again at 1:50 PM.":                                        at.Add(-10 * time.Minute), // just over
		"try again at 1:40 PM.":                                        at.Add(23*time.Hour + 40*time.Minute),
		"or try again at Nov 25th, 2026 3:05 PM.":                      at.Add(25*time.Hour + 5*time.Minute),
		"resets Nov 28, 2pm (UTC)":                                     at.Add(4 * 24 * time.Hour),
		"Try again in 3 days 4 hours 5 minutes.":                       at.Add(76*time.Hour + 5*time.Minute),
		"Please try again in 20s.":                                     at.Add(20 * time.Second),
		"Please retry in 34.07s.":                                      at.Add(34070 * time.Millisecond),
		"Your quota will reset after 3h22m12s.":                        at.Add(3*time.Hour + 22*time.Minute + 12*time.Second),
		`"retry-after": "2"`:                                           at.Add(2 * time.Second),
		"retry-after-ms: 1500":                                         {},
		"resets at 2026-11-25T00:00:00Z":                               at.Add(10 * time.Hour),
		"rate limit reached":                                           {},
		"resets 3pm (Nowhere/Land)":                                    {},
		"resets 31pm":                                                  {},
		"try again later":                                              {},
		"finished in 5 s":                                              {},
		"API Error: Request rejected (429) · stub error 429":           {},
		"This is usually temporary — try again in a moment. Port 8099": {},
	} {
		if got := RetryAt(text, at); !got.Equal(want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if got := RetryHeader("120", at); !got.Equal(at.Add(2 * time.Minute)) {
		t.Errorf("seconds: %s", got)
	}
	if got := RetryHeader("Tue, 24 Nov 2026 15:00:00 GMT", at); !got.Equal(at.Add(time.Hour)) {
		t.Errorf("date: %s", got)
	}
	if got := RetryHeader("soon", at); !got.IsZero() {
		t.Errorf("invented: %s", got)
	}
}

func FuzzRetryAt(f *testing.F) {
	f.Add("resets Feb 31, 12:59am (UTC)")
	f.Add("try again in 99999999999999999999 days")
	f.Add("retry after: 1e9")
	at := time.Date(2026, time.November, 24, 14, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		got := RetryAt(text, at)
		if !got.IsZero() && got.Year() > 9999 {
			t.Errorf("%q: %s", text, got)
		}
		Classify(0, text)
	})
}

func TestAnExitThatWeCausedProvesNothing(t *testing.T) {
	well := Verdict{Ended: true, Summary: "done"}
	for _, c := range []struct {
		v    Verdict
		exit process.Exit
		want provider.Kind
	}{
		{well, process.Exit{}, ""},
		{well, process.Exit{Code: 1}, provider.KindFailed},
		{well, process.Exit{Code: 139, Signal: "SIGSEGV"}, provider.KindCrashed},
		{well, process.Exit{Code: 143, Signal: "SIGTERM", Stopped: true}, ""},
		{well, process.Exit{Lost: true}, ""},
		{Verdict{}, process.Exit{}, provider.KindCrashed},
		{Verdict{}, process.Exit{Code: 1}, provider.KindFailed},
		{Verdict{}, process.Exit{Lost: true}, provider.KindCrashed},
		{Verdict{}, process.Exit{Code: 137, Signal: "SIGKILL"}, provider.KindCrashed},
		{Verdict{Ended: true, Denied: []string{"Write"}}, process.Exit{}, provider.KindRefused},
		{Verdict{Ended: true, Kind: provider.KindAuth, Error: "no"}, process.Exit{}, provider.KindAuth},
	} {
		if got := judge(c.v, c.exit, "", time.Now()); got.Kind != c.want || (got.Kind == "") != (got.Error == "") {
			t.Errorf("%+v, %+v: %q (%s), want %q", c.v, c.exit, got.Kind, got.Error, c.want)
		}
	}
}

func TestCountersThatGrow(t *testing.T) {
	before := provider.Usage{Input: 100, Cached: 10, Output: 20, Cost: 0.5, Priced: true}
	after := provider.Usage{Input: 150, Cached: 12, Output: 30, Cost: 0.75, Priced: true}
	want := provider.Usage{Input: 50, Cached: 2, Output: 10, Cost: 0.25, Priced: true}
	if got := Minus(after, before); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := Minus(want, before); got != want {
		t.Errorf("a counter that began anew: %+v", got)
	}
}

func TestEnvironment(t *testing.T) {
	env := With([]string{"A=1", "B=2"}, "B=3", "C=4")
	if strings.Join(env, " ") != "A=1 B=2 C=4" || Get(env, "B") != "2" || Get(env, "D") != "" {
		t.Errorf("%q", env)
	}
	if _, err := Ask(t.Context(), t.TempDir(), []string{"PATH=/usr/bin:/bin"}, "/bin/sh", "-c", "echo no luck >&2; exit 3"); err == nil ||
		!strings.Contains(err.Error(), "no luck") {
		t.Errorf("%v", err)
	}
	// One that prints without end is not listened to for ever, nor is all of it kept.
	if out, err := Ask(t.Context(), t.TempDir(), []string{"PATH=/usr/bin:/bin"}, "/bin/sh", "-c", "yes & yes"); !errors.Is(err, errLongAnswer) || len(out) != askLimit {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	if out, err := Ask(t.Context(), t.TempDir(), nil, "/bin/sh", "-c", "echo ${HOME:-none}"); err != nil || out != "none\n" {
		t.Errorf("%q, %v", out, err)
	}
}
