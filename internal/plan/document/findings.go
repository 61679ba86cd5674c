package document

import (
	"bytes"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"orchestrator/internal/diagnostic"
)

// Findings returns what was found, in the order of the file.
func (r *Reader) Findings() diagnostic.List {
	r.findings.Sort()
	return r.findings
}

// Error records what is wrong at a node.
func (r *Reader) Error(n *Node, code, message, help string) {
	r.add(n.Line, n.Column, r.width(n), code, message, help)
}

// Warn records what is doubtful at a node.
func (r *Reader) Warn(n *Node, code, message, help string) {
	d := r.Source.At(n.Line, n.Column, r.width(n))
	d.Severity, d.Code, d.Message, d.Help = diagnostic.Warning, code, message, help
	r.record(d)
}

// Whole records what is wrong with the file as a whole, at its first line.
func (r *Reader) Whole(code, message, help string) { r.add(1, 1, 1, code, message, help) }

// whole records what is wrong with a file whose text cannot be shown.
func (r *Reader) whole(code, message, help string) {
	r.record(diagnostic.Diagnostic{File: r.Source.Name, Severity: diagnostic.Error, Code: code, Message: message, Help: help})
}

func (r *Reader) add(line, column, width int, code, message, help string) {
	d := r.Source.At(line, column, width)
	d.Severity, d.Code, d.Message, d.Help = diagnostic.Error, code, message, help
	r.record(d)
}

// record drops what was said before, which happens when an aliased node is read several times, and what follows from
// a mistake in the YAML of the same line.
func (r *Reader) record(d diagnostic.Diagnostic) {
	key := finding{line: d.Line, column: d.Column, code: d.Code, message: d.Message}
	if r.seen[key] || r.doubtful[d.Line] {
		return
	}
	r.seen[key] = true
	r.findings = append(r.findings, d)
}

// width is how many characters of the node's first line belong to it.
func (r *Reader) width(n *Node) int {
	rest := r.Source.Rest(n.Line, n.Column)
	if len(rest) == 0 {
		return 1
	}
	if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return word(rest)
	}
	switch {
	case n.Kind == yaml.AliasNode:
		return utf8.RuneCountInString(n.Value) + 1
	case n.Style&(yaml.FlowStyle|yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return enclosed(rest)
	case n.Kind != yaml.ScalarNode:
		return word(rest)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return 1
	}
	return min(utf8.RuneCountInString(n.Value), utf8.RuneCount(bytes.TrimRight(rest, " \t")))
}

func word(text []byte) int {
	if i := bytes.IndexAny(text, " \t:,"); i > 0 {
		text = text[:i]
	}
	return utf8.RuneCount(text)
}

// enclosed is the length of what begins with a quote or a bracket, or of the line where its end is not on it.
func enclosed(text []byte) int {
	var b brackets
	if end := b.read(text); end > 0 {
		return utf8.RuneCount(text[:end])
	}
	return utf8.RuneCount(bytes.TrimRight(text, " \t"))
}
