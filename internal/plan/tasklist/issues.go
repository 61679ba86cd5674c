package tasklist

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// issue has the fields that `gh issue list --json` and GitHub's REST API write.
type issue struct {
	Number      int             `json:"number"`
	Title       string          `json:"title"`
	Body        string          `json:"body"`
	State       string          `json:"state"`
	PullRequest json.RawMessage `json:"pull_request"`
}

var (
	blocked = regexp.MustCompile(`(?i)\b(?:depends on|needs|requires|blocked by|after):?\s+(#\d+(?:\s*(?:,|and|&)\s*#\d+)*)`)
	part    = regexp.MustCompile(`(?m)^\s*[-*+]\s+\[[ xX]\]\s+(#\d+)\b`)
	hash    = regexp.MustCompile(`#\d+`)
)

// Issues reads an export of GitHub issues: a JSON array, or one object, with number, title and body. An issue waits for
// what its text says that it depends on or is blocked by, and for the issues of its own check-list. Closed ones count as
// done; pull requests are left out.
func Issues(src []byte) (Reading, error) {
	src = bytes.TrimSpace(src)
	if len(src) > 0 && src[0] == '{' {
		src = append(append([]byte{'['}, src...), ']')
	}
	var all []issue
	if err := json.Unmarshal(src, &all); err != nil {
		return Reading{}, fmt.Errorf("not an export of issues (gh issue list --json number,title,body,state): %w", err)
	}
	var r Reading
	var drafts []draft
	names := ids{}
	for i, is := range all {
		switch {
		case len(is.PullRequest) > 0 && string(is.PullRequest) != "null":
			r.note(is.Number, "#%d is a pull request and was left out", is.Number)
			continue
		case is.Number <= 0 || strings.TrimSpace(is.Title) == "":
			return Reading{}, fmt.Errorf("entry %d has no number or no title; export with: gh issue list --json number,title,body,state", i+1)
		}
		d := draft{key: "#" + strconv.Itoa(is.Number), done: strings.EqualFold(is.State, "closed")}
		d.ID, d.Line = names.take("issue "+strconv.Itoa(is.Number)), is.Number
		title := strings.Join(strings.Fields(clean(is.Title)), " ")
		body := strings.TrimSpace(clean(is.Body))
		d.Name, d.Prompt = short(title), strings.TrimSpace(title+"\n\n"+body)
		d.Writes = paths(body)
		for _, m := range blocked.FindAllStringSubmatch(body, -1) {
			d.wants = append(d.wants, hash.FindAllString(m[1], -1)...)
		}
		for _, m := range part.FindAllStringSubmatch(body, -1) {
			d.wants = append(d.wants, m[1])
		}
		drafts = append(drafts, d)
	}
	return r, r.settle(drafts)
}
