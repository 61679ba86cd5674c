// Package redact takes secrets out of texts before they are stored or shown: the values of the environment's
// variables that look like secrets, and keys that are known by their form. Pure: standard library only.
package redact

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// Mark stands where a secret was.
const Mark = "[redacted]"

// shortest is the least length of a value that counts as a secret: shorter ones are words that texts are full of.
const shortest = 8

// Redactor knows the secrets of one environment. It is safe for concurrent use; nil knows only the forms of keys.
type Redactor struct {
	values   []string // the longest first
	replacer *strings.Replacer
}

// New makes a Redactor from an environment ("NAME=value").
func New(environ []string) *Redactor {
	r := &Redactor{}
	for _, pair := range environ {
		name, value, ok := strings.Cut(pair, "=")
		if ok && SecretName(name) {
			r.add(value)
		}
	}
	// A secret that another one begins with must not hide it from being found.
	slices.SortFunc(r.values, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	r.values = slices.Compact(r.values)
	pairs := make([]string, 0, 2*len(r.values))
	for _, v := range r.values {
		pairs = append(pairs, v, Mark)
	}
	r.replacer = strings.NewReplacer(pairs...)
	return r
}

// add takes a value, and what it looks like inside of JSON. A value of several lines is found line by line, because
// that is how logs are read.
func (r *Redactor) add(value string) {
	for part := range strings.SplitSeq(value, "\n") {
		part = strings.TrimSpace(part)
		if len(part) < shortest || strings.Trim(part, "0123456789.") == "" || strings.HasPrefix(part, "/") || strings.HasPrefix(part, "-----") {
			continue // numbers and paths say nothing, and are everywhere
		}
		r.values = append(r.values, part)
		for _, form := range written(part) {
			if form != part {
				r.values = append(r.values, form)
			}
		}
	}
}

// written are the ways in which programs write a value inside of JSON and of an address.
func written(value string) []string {
	forms := []string{url.QueryEscape(value), url.PathEscape(value)}
	for _, html := range []bool{true, false} { // Go hides the signs of HTML, most others do not
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		if err := e.Encode(value); err == nil {
			inner := strings.TrimSuffix(strings.TrimSpace(b.String())[1:], `"`)
			forms = append(forms, inner, ascii(inner))
		}
	}
	return forms
}

// ascii is the inside of a JSON string as programs write it that keep to ASCII.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

var secretName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(^|_)(API_?KEYS?|KEY|KEYS|TOKENS?|SECRETS?|PASS(WORD|WD|PHRASE)?S?|PWD|CREDENTIALS?|AUTH|COOKIE|DSN|PAT|CONNECTION_STRING)($|_)|(PASSWORD|SECRET|TOKEN|APIKEY)$`)
})

// notSecret are names that look like those of secrets and are none.
var notSecret = map[string]bool{"PWD": true, "OLDPWD": true, "SSH_AUTH_SOCK": true, "GPG_KEY": true}

// SecretName says whether a variable of this name probably holds a secret.
func SecretName(name string) bool { return !notSecret[name] && secretName().MatchString(name) }

// form is a kind of key that is known by how it looks.
type form struct {
	begins  []string // one of these stands at its beginning
	pattern string   // what comes behind that; bounded, so that a text cannot make it slow
}

// known are the forms of keys.
var known = []form{
	{[]string{"sk-"}, `[A-Za-z0-9_-]{16,512}`},                                                        // OpenAI, Anthropic
	{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_"}, `[A-Za-z0-9]{20,255}`},                         // GitHub
	{[]string{"github_pat_"}, `[A-Za-z0-9_]{20,255}`},                                                 //
	{[]string{"glpat-"}, `[A-Za-z0-9_-]{16,255}`},                                                     // GitLab
	{[]string{"AKIA", "ASIA"}, `[0-9A-Z]{16}\b`},                                                      // AWS
	{[]string{"AIza"}, `[0-9A-Za-z_-]{30,64}`},                                                        // Google
	{[]string{"ya29."}, `[0-9A-Za-z_-]{20,512}`},                                                      //
	{[]string{"xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"}, `[0-9A-Za-z-]{10,255}`}, // Slack
	{[]string{"npm_"}, `[A-Za-z0-9]{30,64}`},                                                          // npm
	{[]string{"pypi-"}, `[A-Za-z0-9_-]{40,512}`},                                                      // PyPI
	{[]string{"hf_"}, `[A-Za-z0-9]{30,64}`},                                                           // Hugging Face
	{[]string{"sk_live_", "sk_test_", "rk_live_", "rk_test_"}, `[A-Za-z0-9]{16,255}`},                 // Stripe
	{[]string{"xai-"}, `[A-Za-z0-9]{40,255}`},                                                         // xAI
	{[]string{"gsk_"}, `[A-Za-z0-9]{30,255}`},                                                         // Groq
	{[]string{"eyJ"}, `[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{10,1000}`},    // JSON Web Tokens
}

// forms finds keys of all known forms. This one and the others are compiled when they are first needed: most commands
// never do, and it takes longer than all else at their start.
var forms = sync.OnceValue(func() *regexp.Regexp {
	var all []string
	for _, f := range known {
		var words []string
		for _, w := range f.begins {
			words = append(words, regexp.QuoteMeta(w))
		}
		all = append(all, `\b(?:`+strings.Join(words, "|")+`)`+f.pattern)
	}
	return regexp.MustCompile(strings.Join(all, "|"))
})

// suspicious says whether a key may begin in a text. Most texts hold no beginning of one, and to look for that is a
// hundred times cheaper than to look for whole keys.
func suspicious(s string) bool {
	for i := range known {
		for _, w := range known[i].begins {
			if strings.Contains(s, w) {
				return true
			}
		}
	}
	return false
}

// login is a password in an address: what stands between the colon and the @ goes.
var login = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://[^\s/:@"']{0,128}:)[^\s/@"']{1,256}@`)
})

// block is a private key in PEM form; one that is cut off at its end goes up to there.
var block = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)`)
})

// rest is the end of a private key whose beginning was cut off, with all that stands before it.
var rest = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)\A.*-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----`)
})

// String is s without secrets.
func (r *Redactor) String(s string) string {
	if s == "" {
		return s
	}
	if strings.Contains(s, "PRIVATE KEY") {
		s = rest().ReplaceAllString(block().ReplaceAllString(s, Mark), Mark)
	}
	return r.line(s)
}

// line is String without keys of several lines.
func (r *Redactor) line(s string) string {
	if r != nil && len(r.values) > 0 {
		s = r.replacer.Replace(s)
	}
	if strings.Contains(s, "://") {
		s = login().ReplaceAllString(s, "${1}"+Mark+"@")
	}
	if !suspicious(s) {
		return s
	}
	return forms().ReplaceAllString(s, Mark)
}

// HasForm says whether a text has a key in it that is known by its form.
func HasForm(s string) bool { return suspicious(s) && forms().MatchString(s) || block().MatchString(s) }
