package document

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"orchestrator/internal/diagnostic"
)

const quoteIt = "quote it or use `|`"

var (
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	plainWord     = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	anchorNames   = regexp.MustCompile(`(?m)(?:^|[\s:\[{,-])&([A-Za-z0-9_-]+)`)
	keyAndValue   = regexp.MustCompile(`^(\s*(?:- +)*(?:"[^"]*"|'[^']*'|[^\s'":#\[{][^:#]*?)\s*:\s+)(\S.*)$`)
)

// explain records an error of the decoder in plain words. ok says that a '_' instead of the byte at offset would let
// the decoder go on.
func (r *Reader) explain(err error) (offset int, ok bool) {
	var second *secondDocument
	var load *yaml.LoadError
	switch {
	case errors.As(err, &second):
		r.add(second.line, second.column, 1, "multiple-documents", "a second document begins here",
			"one file holds one document; remove the `---` and what does not belong here")
		return 0, false
	case !errors.As(err, &load):
		r.whole("yaml-syntax", "this cannot be read as YAML: "+err.Error(), "")
		return 0, false
	}
	line, column := place(load.Mark)
	text := r.Source.Line(line)
	indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
	switch {
	case bytes.ContainsRune(indent, '\t') && column <= len(indent)+1 || strings.Contains(load.Message, "tab"):
		r.add(line, bytes.IndexByte(text, '\t')+1, 1, "tab", "a tab cannot be used for indentation", "indent with spaces")
		return 0, false
	case strings.HasPrefix(load.Message, "mapping values are not allowed"):
		return r.explainColon(line, column)
	case load.ContextMsg == "while scanning an alias":
		line, column = place(load.ContextMark)
		r.explainStar(line, column, "")
		return r.Source.Offset(line, column)
	}
	if m := unknownAnchor.FindStringSubmatch(load.Message); m != nil {
		r.explainStar(line, column, m[1])
		return r.Source.Offset(line, column)
	}
	r.explainOther(load)
	return 0, false
}

// explainColon is about `prompt: Fix bug: login fails`.
func (r *Reader) explainColon(line, column int) (offset int, ok bool) {
	text := r.Source.Line(line)
	colon := len(text) - len(r.Source.Rest(line, column))
	if m := keyAndValue.FindSubmatchIndex(text); m != nil && m[4] < colon {
		value := bytes.TrimRight(text[m[4]:], " \t")
		r.add(line, utf8.RuneCount(text[:m[4]])+1, utf8.RuneCount(value), "unquoted-colon",
			"a value with `: ` inside must be quoted", quoteIt)
	} else {
		start := len(text) - len(bytes.TrimLeft(text, " "))
		r.add(line, start+1, utf8.RuneCount(text[start:colon])+1, "unquoted-colon",
			"a `key:` cannot be here: the line above already has a value",
			"check the indentation; if this is text, "+quoteIt)
	}
	r.doubtful[line] = true
	return r.Source.Offset(line, column)
}

// explainStar is about `writes: [**/*.go]` and about anchors that do not exist.
func (r *Reader) explainStar(line, column int, name string) {
	var anchors []string
	for _, m := range anchorNames.FindAllSubmatch(r.Source.Text, 1000) {
		anchors = append(anchors, string(m[1]))
	}
	if plainWord.MatchString(name) && len(anchors) > 0 {
		help := "anchors here: " + strings.Join(anchors, ", ")
		if near := diagnostic.Nearest(name, anchors); near != "" {
			help = "did you mean `*" + near + "`?"
		}
		r.add(line, column, len(name)+1, "unknown-anchor",
			fmt.Sprintf("`*%s` stands for an anchor, and there is no `&%s` before it", name, name), help)
	} else {
		r.add(line, column, utf8.RuneCountInString(name)+1, "unquoted-star",
			"a value that begins with `*` must be quoted: YAML reads it as an alias", quoteIt)
	}
	r.doubtful[line] = true
}

// explainOther covers what is not one of the well-known traps.
func (r *Reader) explainOther(load *yaml.LoadError) {
	line, column := place(load.Mark)
	message, help := "YAML: "+load.Message, ""
	switch {
	case strings.HasPrefix(load.ContextMsg, "while scanning a") && strings.Contains(load.ContextMsg, "quoted scalar"):
		line, column = place(load.ContextMark)
		message = "YAML: this quoted text is not valid: " + load.Message
		if strings.Contains(load.Message, "end of stream") {
			message, help = "this quoted text has no end", "add the closing quote"
		}
	case strings.HasPrefix(load.ContextMsg, "while parsing a flow"):
		help = fmt.Sprintf("the end, or a comma, was expected before line %d, column %d", line, column)
		line, column = place(load.ContextMark)
		message = "these brackets have no end, or a comma is missing between them"
	default:
		if load.ContextMsg != "" {
			message += " " + load.ContextMsg
		}
		if m := keyAndValue.FindSubmatchIndex(r.Source.Line(line)); m != nil {
			if c := r.Source.Line(line)[m[4]]; strings.IndexByte("[{&!%@`'\"|>", c) >= 0 {
				message, help = fmt.Sprintf("an unquoted value that begins with `%c` is not text in YAML", c), quoteIt
				column = utf8.RuneCount(r.Source.Line(line)[:m[4]]) + 1
			}
		}
	}
	r.add(line, column, 1, "yaml-syntax", message, help)
}

// place turns a mark into a position; marks are empty when the decoder does not know.
func place(m yaml.Mark) (line, column int) { return max(m.Line, 1), max(m.Column, 1) }
