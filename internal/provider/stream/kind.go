package stream

import (
	"net/http"
	"regexp"
	"strconv"
	"time"

	"orchestrator/internal/provider"
)

// Words by which agents tell what went wrong, where they give no status. They are looked for in what is known to be
// an error, never in what an agent says to the person: there the same words are about the task.
// "No input provided via stdin" is what Gemini says when its machine is so busy that half a second passed before it
// read its prompt.
var (
	sayQuota   = regexp.MustCompile(`(?i)insufficient_quota|credit balance|out of credits?|insufficient (balance|credits|funds)|payment required|billing (details|hard limit)|exceeded your current quota`)
	sayContext = regexp.MustCompile(`(?i)context[ _](length|window|limit)|prompt is too long|input_too_large|input (is )?too (long|large)|maximum (context|length of)|input token count|token limit|too many tokens`)
	saySession = regexp.MustCompile(`(?i)no conversation found|no rollout found|(session|thread)( with id)?[^.\n]{0,60} not found|no session found|cannot resume session|no previous sessions|invalid session identifier|error resuming session`)
	sayLogin   = regexp.MustCompile(`(?i)not logged in|/login|log ?in (again|required)|authenticat|unauthori[sz]ed|api[ _-]?key (not valid|not found|is (missing|invalid|not set))|(invalid|missing|incorrect|no)[^.\n]{0,20} (x-)?api[ _-]?key|missing environment variable|must specify the [A-Z_]+_API_KEY|auth method|(oauth|access|refresh) token`)
	sayModel   = regexp.MustCompile(`(?i)issue with the selected model|model[^.\n]{0,80}(not found|not exist|not supported|not available|unknown)|(unknown|invalid|unsupported|no such) model|model_?not_?found`)
	sayLimit   = regexp.MustCompile(`(?i)rate[ _-]?limit|usage[ _-]?limit|(hit|reached) your [^.\n]{0,40}limit|limit reached|too many requests|resource_?exhausted|quota (exceeded|exhausted|will reset)|exhausted your (capacity|quota)`)
	sayLater   = regexp.MustCompile(`(?i)overload|high demand|at capacity|time(d)?[ -]?out|connection (refused|reset|closed|dropped|error|failed)|ECONN|ENOTFOUND|EAI_AGAIN|network|unable to connect|cannot connect|stream (disconnected|closed|error|ended)|fetch failed|socket|error sending request|server[ _-]?(side )?(error|is_?overloaded)|unavailable|bad gateway|temporar|try again (later|in a moment)|database is locked|no input provided via stdin`)
)

// statusWords find an HTTP status in an error's text; a bare number could be anything.
var statusWords = regexp.MustCompile(`(?i)(?:status(?: ?code)?|error|http(?:/[\d.]+)?|code|rejected)["' :=(]*([45]\d\d)\b`)

// Classify says what kind of failure an error is, from its HTTP status (0 = none given) and its text. What fits
// nothing is provider.KindFailed.
func Classify(status int, text string) provider.Kind {
	if status == 0 {
		if m := statusWords.FindStringSubmatch(text); m != nil {
			status, _ = strconv.Atoi(m[1]) // three digits
		}
	}
	switch {
	case sayQuota.MatchString(text) && RetryAt(text, time.Unix(0, 0)).IsZero():
		return provider.KindQuota
	case sayContext.MatchString(text):
		return provider.KindContext
	case saySession.MatchString(text):
		return provider.KindSession
	}
	if k := ofStatus(status, text); k != "" {
		return k
	}
	switch {
	case sayModel.MatchString(text):
		return provider.KindModel
	case sayLogin.MatchString(text):
		return provider.KindAuth
	case sayLimit.MatchString(text), sayQuota.MatchString(text):
		return provider.KindLimit
	case sayLater.MatchString(text):
		return provider.KindTransient
	}
	return provider.KindFailed
}

func ofStatus(status int, text string) provider.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return provider.KindAuth
	case http.StatusPaymentRequired:
		return provider.KindQuota
	case http.StatusRequestEntityTooLarge:
		return provider.KindContext
	case http.StatusTooManyRequests:
		return provider.KindLimit
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly:
		return provider.KindTransient
	case http.StatusNotFound:
		// All that these programs ask their server for by name is the model.
		return provider.KindModel
	}
	if status >= http.StatusInternalServerError {
		return provider.KindTransient
	}
	if status != 0 && !sayModel.MatchString(text) && !sayLogin.MatchString(text) {
		return provider.KindFailed
	}
	return ""
}
