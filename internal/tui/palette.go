package tui

import (
	"cmp"
	"io"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"orchestrator/internal/view"
)

// palette is the line for commands, with those that make sense now below it.
type palette struct {
	line   string
	whole  bool // the line is a command to be run; else it looks for one
	cursor      // in what is found
	busy   bool // the command runs
	said   string
	failed bool

	choices []choice
}

// choice is what can be chosen in the palette: a command, or an action of the key table.
type choice struct {
	text, about string
	verb        Verb
	action      *binding // nil = it is the verb
}

// openPalette opens the palette with something typed already.
func (m *model) openPalette(typed string) tea.Cmd {
	if m.Helm == nil {
		return nil
	}
	p := &palette{line: typed}
	for _, v := range m.Helm.Verbs(m.panes.selected) {
		text := view.SanitizeLine(v.Line)
		if v.Wants != "" {
			text += " " + v.Wants
		}
		p.choices = append(p.choices, choice{text: text, about: v.About, verb: v})
	}
	for _, b := range m.valid() {
		if b.command != "" {
			p.choices = append(p.choices, choice{text: b.command, about: b.does + " (key " + strings.Fields(b.keys)[0] + ")", action: b})
		}
	}
	m.panes.palette = p
	return nil
}

// found are the choices that what is typed leaves, the best first.
func (p *palette) found() []choice {
	if p.whole {
		return nil
	}
	type scored struct {
		choice
		score int
	}
	var list []scored
	for _, c := range p.choices {
		n, ok := score(c.text, p.line)
		if ok = ok || sifted(c.about, p.line); ok {
			list = append(list, scored{c, n})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	found := make([]choice, 0, len(list))
	for _, s := range list {
		found = append(found, s.choice)
	}
	return found
}

// score says how well what was typed fits a text: its characters have to come in it in that order. Ones that follow one
// another count more, and so do those at the beginning of a word.
func score(text, typed string) (int, bool) {
	text, rest := strings.ToLower(text), strings.ToLower(strings.ReplaceAll(typed, " ", ""))
	n, last, boundary := 0, -2, true
	for i, r := range text {
		if rest == "" {
			break
		}
		if strings.HasPrefix(rest, string(r)) {
			rest = rest[len(string(r)):]
			n++
			if boundary {
				n += 3
			}
			if last == i-1 {
				n += 4
			}
			last = i + len(string(r)) - 1
		}
		boundary = strings.ContainsRune(" -=", r)
	}
	if strings.HasPrefix(text, strings.ToLower(typed)) {
		n += 100
	}
	if rest != "" {
		return 0, false
	}
	return n, true
}

// paletteKey follows a key while the palette is open.
func (m *model) paletteKey(k tea.KeyPressMsg) tea.Cmd {
	p, key := m.panes.palette, k.String()
	list := p.found()
	switch {
	case key == "esc" && p.whole && !p.busy:
		p.whole, p.said, p.line, p.cursor = false, "", "", cursor{}
	case key == "esc":
		m.panes.palette = nil
	case p.busy:
	case key == "up":
		p.move(-1, len(list))
	case key == "down":
		p.move(1, len(list))
	case key == "enter":
		return m.chosen(list)
	case key == "tab":
		if at := min(p.at, len(list)-1); at >= 0 && list[at].action == nil {
			p.complete(list[at])
		}
	default:
		if line := typed(p.line, k); line != p.line {
			p.line, p.said, p.cursor = line, "", cursor{}
			p.whole = p.whole && line != ""
		}
	}
	return nil
}

// complete puts a command into the line, to be added to.
func (p *palette) complete(c choice) {
	p.line, p.whole, p.cursor = view.SanitizeLine(c.verb.Line)+" ", true, cursor{}
}

// chosen does what enter was pressed on.
func (m *model) chosen(list []choice) tea.Cmd {
	p := m.panes.palette
	if at := min(p.at, len(list)-1); at >= 0 {
		c := list[at]
		switch {
		case c.action != nil:
			m.panes.palette = nil
			return c.action.do(m)
		case c.verb.Wants != "":
			p.complete(c)
			return nil
		}
		p.line, p.whole = view.SanitizeLine(c.verb.Line), true
	}
	if strings.TrimSpace(p.line) == "" {
		return nil
	}
	return m.perform(strings.TrimSpace(p.line))
}

// perform has a command line done.
func (m *model) perform(line string) tea.Cmd {
	helm, ctx := m.Helm, m.ctx
	if helm.TakesTerminal(line) {
		m.panes.palette = nil
		return m.lend(func() error { return helm.TakeTerminal(ctx, line) })
	}
	m.panes.palette.whole, m.panes.palette.busy = true, true
	return func() tea.Msg {
		said, failed := helm.Perform(ctx, line)
		return performedMsg{line, said, failed}
	}
}

// performed shows what became of a command: an error where it was typed, so that it can be corrected.
func (m *model) performed(msg performedMsg) tea.Cmd {
	p := m.panes
	said := strings.TrimRight(view.Sanitize(msg.said), "\n ")
	if pal := p.palette; pal != nil && pal.busy {
		if pal.busy = false; msg.failed {
			pal.said, pal.failed = cmp.Or(said, "it did not succeed"), true
			return nil
		}
		p.palette = nil
	}
	if said == "" {
		said = "done"
	}
	if strings.Contains(said, "\n") || cells(said) > m.width-2 {
		m.showOutput("orc "+msg.line, said)
	} else {
		m.notice = said
	}
	return m.read()
}

// terminalUser is something that has the terminal for itself. It knows where that is.
type terminalUser struct{ use func() error }

func (t terminalUser) Run() error          { return t.use() }
func (t terminalUser) SetStdin(io.Reader)  {}
func (t terminalUser) SetStdout(io.Writer) {}
func (t terminalUser) SetStderr(io.Writer) {}

// lend gives the terminal away until use returns.
func (m *model) lend(use func() error) tea.Cmd {
	return tea.Exec(terminalUser{use}, func(err error) tea.Msg { return terminalMsg{err} })
}

// paletteLines are what stands in the frame of the palette.
func (m *model) paletteLines(inner, most int) []string {
	p := m.panes.palette
	lines := []string{m.full(inner, span{" : " + p.line + "_", m.style.bold})}
	switch {
	case p.busy:
		lines = append(lines, m.full(inner, span{" " + m.glyphs.Ellipsis, m.style.faint}))
	case p.said != "":
		said := m.paragraph(p.said, inner, func(l string) span { return span{l, m.style.warn} })
		lines = append(lines, said[:min(len(said), most-2)]...)
	case p.whole:
		lines = append(lines, m.full(inner, span{" enter runs orc " + p.line, m.style.faint}))
	}
	list := p.found()
	p.move(0, len(list))
	from, to := p.window(p.at, len(list), max(most-2, 1))
	text := 0
	for _, c := range list {
		text = max(text, min(cells(c.text), inner*6/10))
	}
	for i, c := range list[from:to] {
		mark, style := "  ", m.style.plain
		if from+i == p.at {
			mark, style = "> ", m.style.bold
		}
		lines = append(lines, m.full(inner, span{mark + m.pad(c.text, text, false), style}, span{"  " + c.about, m.style.faint}))
	}
	if len(list) == 0 && !p.whole {
		lines = append(lines, m.full(inner, span{" enter runs orc " + p.line, m.style.faint}))
	}
	return append(lines, m.full(inner, span{" enter runs it   tab completes it   esc " + map[bool]string{true: "the list", false: "closes"}[p.whole], m.style.faint}))
}
