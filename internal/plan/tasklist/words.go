package tasklist

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const (
	nameLimit = 60 // characters of a name
	slugWords = 5
	slugLimit = 40
	pathLimit = 12 // a text that names more is a survey, not a promise
)

// ids hands out ids that fit a plan, each once.
type ids map[string]bool

func (u ids) take(wish string) string {
	base := slug(wish)
	if base == "" {
		base = "task"
	}
	id := base
	for n := 2; u[id]; n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	u[id] = true
	return id
}

// slug makes an id of the first words of a text: a-z, 0-9 and dashes.
func slug(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	id := strings.Join(words[:min(len(words), slugWords)], "-")
	if len(id) > slugLimit {
		id = id[:slugLimit]
	}
	return strings.Trim(id, "-")
}

// short is a name: the first line of a text, cut at a word.
func short(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s))
	if r := []rune(s); len(r) > nameLimit {
		s = string(r[:nameLimit])
		if i := strings.LastIndexByte(s, ' '); i > nameLimit/2 {
			s = s[:i]
		}
		s += "…"
	}
	return s
}

var (
	quoted = regexp.MustCompile("`([^`\\s]+)`")
	bare   = regexp.MustCompile(`(?:^|[\s(])((?:[\w.@-]+/)+[\w.@*-]*)`)
)

// paths are the files and folders of the repository that a text names: in backquotes, or with a slash and an ending.
func paths(s string) []string {
	var all []string
	take := func(p string, sure bool) {
		p = strings.TrimPrefix(strings.TrimRight(p, ".,:;"), "./")
		if p == "" || strings.ContainsAny(p, `[]{}()<>$\:=?"'`) || strings.HasPrefix(p, "/") || strings.HasPrefix(p, "-") {
			return
		}
		if strings.Contains(strings.ReplaceAll("/"+p+"/", "/**/", "/"), "**") { // a pattern that plans do not have
			return
		}
		folder := strings.HasSuffix(p, "/")
		tidy := path.Clean(p)
		if tidy == "." || strings.HasPrefix(tidy, "..") || !folder && path.Ext(tidy) == "" {
			return
		}
		if !sure && !strings.Contains(tidy, "/") || !folder && !strings.Contains(tidy, "/") && len(path.Ext(tidy)) > 6 {
			return
		}
		if folder {
			tidy += "/**"
		}
		if !slices.Contains(all, tidy) {
			all = append(all, tidy)
		}
	}
	for _, m := range quoted.FindAllStringSubmatch(s, -1) {
		take(m[1], true)
	}
	for _, m := range bare.FindAllStringSubmatch(quoted.ReplaceAllString(s, " "), -1) {
		take(m[1], false)
	}
	if len(all) > pathLimit {
		return nil
	}
	return all
}

// clean is text as a plan may hold it: valid UTF-8 without NUL, lines ended by a newline alone.
func clean(s string) string {
	return strings.NewReplacer("\r\n", "\n", "\x00", "\uFFFD").Replace(strings.ToValidUTF8(s, "\uFFFD"))
}
