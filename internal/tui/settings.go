package tui

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"orchestrator/internal/view"
)

// settingsPane is the table of the settings: key, value, and where that comes from. What is edited is kept here until it
// is written.
type settingsPane struct {
	list    []Setting
	places  []string
	agents  []Agent
	looking bool // for the agents
	loaded  bool
	err     string

	edits   []Change          // not written yet, in the order in which they were made
	refused map[string]string // by key: why it was not written
	typing  string            // key of the value that is being typed; empty = none
	line    string
	saving  bool
	filter  string
	cursor
}

// openSettings shows the settings, and looks for the agents meanwhile.
func (m *model) openSettings() tea.Cmd {
	if m.Helm == nil {
		return nil
	}
	m.enter(onSettings)
	s := &m.panes.settings
	if s.looking {
		return m.readSettings()
	}
	s.looking = true
	helm, ctx := m.Helm, m.ctx
	return tea.Batch(m.readSettings(), func() tea.Msg {
		list, err := helm.Agents(ctx)
		return agentsMsg{list, err}
	})
}

func (m *model) readSettings() tea.Cmd {
	helm, ctx := m.Helm, m.ctx
	return func() tea.Msg {
		settings, err := helm.Settings(ctx)
		return settingsMsg{settings, err}
	}
}

func (m *model) updateSettings(msg tea.Msg) tea.Cmd {
	s := &m.panes.settings
	switch msg := msg.(type) {
	case settingsMsg:
		s.loaded, s.err = true, ""
		if msg.err != nil {
			s.err = view.Sanitize(msg.err.Error())
			return nil
		}
		s.list, s.places = msg.settings.List, msg.settings.Places
		for i := range s.list {
			x := &s.list[i]
			for _, t := range []*string{&x.Key, &x.Value, &x.From, &x.About, &x.Hides} {
				*t = view.SanitizeLine(*t)
			}
		}
	case agentsMsg:
		s.looking, s.agents = false, msg.list
		if msg.err != nil {
			s.agents = []Agent{{Role: "agents", State: msg.err.Error()}}
		}
		for i := range s.agents {
			a := &s.agents[i]
			a.Role, a.Who, a.State = view.SanitizeLine(a.Role), view.SanitizeLine(a.Who), view.SanitizeLine(a.State)
		}
	case savedMsg:
		s.saving = false
		return m.saved(msg)
	}
	return nil
}

// saved shows what became of writing.
func (m *model) saved(msg savedMsg) tea.Cmd {
	s := &m.panes.settings
	s.refused = map[string]string{}
	for key, why := range msg.refused {
		s.refused[key] = view.SanitizeLine(why)
	}
	switch {
	case msg.err != nil:
		m.notice = "nothing was written: " + view.SanitizeLine(msg.err.Error())
	case len(s.refused) > 0:
		m.notice = "nothing was written: see the values that are marked"
		m.chooseSetting(s.firstRefused())
	default:
		m.notice = fmt.Sprintf("written: %s, to %s", view.Plural(len(s.edits), "value"), msg.place)
		s.edits = nil
	}
	return m.readSettings()
}

func (s *settingsPane) firstRefused() string {
	for _, e := range s.edits {
		if s.refused[e.Key] != "" {
			return e.Key
		}
	}
	return ""
}

// shown are the settings that the filter leaves, with those that are new.
func (s *settingsPane) shown() []Setting {
	var list []Setting
	known := map[string]bool{}
	for _, x := range s.list {
		known[x.Key] = true
		if sifted(x.Key+" "+x.Value+" "+x.From+" "+x.About, s.filter) {
			list = append(list, x)
		}
	}
	for _, e := range s.edits {
		if !known[e.Key] {
			list = append(list, Setting{Key: e.Key, From: "not set"})
		}
	}
	return list
}

// edited is the value of a key that is not written yet.
func (s *settingsPane) edited(key string) (string, bool) {
	for _, e := range s.edits {
		if e.Key == key {
			return e.Value, true
		}
	}
	return "", false
}

// current is the chosen setting; false = there is none.
func (s *settingsPane) current() (Setting, bool) {
	list := s.shown()
	if len(list) == 0 {
		return Setting{}, false
	}
	s.move(0, len(list))
	return list[s.at], true
}

func (m *model) chooseSetting(key string) {
	s := &m.panes.settings
	for i, x := range s.shown() {
		if x.Key == key {
			s.at = i
		}
	}
}

func (m *model) moveSettings(by int) tea.Cmd {
	s := &m.panes.settings
	s.move(by, len(s.shown()))
	return nil
}

// editSetting begins to type a value.
func (m *model) editSetting() tea.Cmd {
	s := &m.panes.settings
	x, ok := s.current()
	if !ok {
		return nil
	}
	if x.Fixed {
		m.notice = x.Key + " cannot be set as one value: " + ": config edit opens the file"
		return nil
	}
	s.typing, s.line = x.Key, x.Value
	if value, is := s.edited(x.Key); is {
		s.line = value
	}
	return nil
}

// settingKey follows a key while a value is typed.
func (m *model) settingKey(k tea.KeyPressMsg) tea.Cmd {
	s := &m.panes.settings
	switch k.String() {
	case "esc":
		s.typing = ""
	case "enter":
		key := s.typing
		s.typing = ""
		s.keep(Change{key, s.line})
	default:
		s.line = typed(s.line, k)
	}
	return nil
}

// keep remembers a value that is to be written; one that is what the setting has is none.
func (s *settingsPane) keep(c Change) {
	delete(s.refused, c.Key)
	for _, x := range s.list {
		if x.Key == c.Key && x.Value == c.Value {
			s.forget(c.Key)
			return
		}
	}
	for i := range s.edits {
		if s.edits[i].Key == c.Key {
			s.edits[i] = c
			return
		}
	}
	s.edits = append(s.edits, c)
}

func (s *settingsPane) forget(key string) {
	delete(s.refused, key)
	var rest []Change
	for _, e := range s.edits {
		if e.Key != key {
			rest = append(rest, e)
		}
	}
	s.edits = rest
}

// undoSetting takes back what was typed for the chosen setting.
func (m *model) undoSetting() tea.Cmd {
	if x, ok := m.panes.settings.current(); ok {
		m.panes.settings.forget(x.Key)
	}
	return nil
}

// addSetting asks for a key that is not in the table.
func (m *model) addSetting() tea.Cmd {
	m.panes.dialog = &dialog{
		title: "another setting", body: "Its key, such as agents.coder.model or providers.claude.env", free: true,
		then: func(text string) tea.Cmd {
			s := &m.panes.settings
			key := strings.TrimSpace(text)
			if _, is := s.edited(key); !is {
				s.keep(Change{Key: key})
			}
			s.filter = ""
			m.chooseSetting(key)
			return m.editSetting()
		},
	}
	return nil
}

// writeSettings asks which file what was edited is written to.
func (m *model) writeSettings() tea.Cmd {
	s := &m.panes.settings
	if s.saving {
		return nil
	}
	if len(s.edits) == 0 {
		m.notice = "nothing was changed; enter edits a value"
		return nil
	}
	m.panes.dialog = &dialog{
		title: "write " + view.Plural(len(s.edits), "value"), body: "To which file? Its comments stay. Nothing is written if it would not be good.", options: s.places,
		pick: func(i int) tea.Cmd {
			s.saving = true
			helm, ctx, edits, place := m.Helm, m.ctx, append([]Change(nil), s.edits...), view.SanitizeLine(s.places[i])
			m.notice = m.glyphs.Ellipsis
			return func() tea.Msg {
				refused, err := helm.Save(ctx, i, edits)
				return savedMsg{place, refused, err}
			}
		},
	}
	return nil
}

// copySetting copies the chosen value.
func (m *model) copySetting() tea.Cmd {
	x, _ := m.panes.settings.current()
	return m.toClipboard(x.Value)
}

// settingsBox draws the settings, and who does the roles.
func (m *model) settingsBox(height int) []string {
	s, inner := &m.panes.settings, m.width-2
	list := s.shown()
	s.move(0, len(list))
	agents := m.agentLines(inner, max(height/3, 0))
	detail := m.settingDetail(inner)
	room := max(height-2-len(agents)-len(detail), 1)
	from, to := s.window(s.at, len(list), room)
	key, from3 := 0, 0
	for _, x := range list {
		key, from3 = max(key, cells(x.Key)), max(from3, cells(x.From))
	}
	key, from3 = min(key, inner*4/10), min(from3, inner*3/10)
	var lines []string
	for i, x := range list[from:to] {
		lines = append(lines, m.settingRow(x, from+i == s.at, inner, key, from3))
	}
	switch {
	case s.err != "":
		lines = m.paragraph(s.err, inner, func(l string) span { return span{l, m.style.warn} })
		lines = lines[:min(len(lines), room)]
	case !s.loaded:
		lines = []string{m.full(inner, span{" " + m.glyphs.Ellipsis, m.style.faint})}
	case len(list) == 0:
		lines = []string{m.full(inner, span{" no setting is left by the filter " + s.filter, m.style.faint})}
	}
	for len(lines) < room {
		lines = append(lines, m.full(inner))
	}
	title := fmt.Sprintf("settings (%d)", len(list))
	if s.filter != "" {
		title += "  /" + s.filter
	}
	if n := len(s.edits); n > 0 {
		title += fmt.Sprintf("  %d not written", n)
	}
	return m.box(title, append(append(lines, detail...), agents...), m.width, height, true)
}

func (m *model) settingRow(x Setting, chosen bool, width, key, from int) string {
	s := &m.panes.settings
	mark, style, value := " ", m.style.plain, x.Value
	if chosen {
		mark, style = ">", m.style.bold
	}
	note := m.style.faint
	origin := x.From
	if text, is := s.edited(x.Key); is {
		value, origin, note = text, "not written", m.style.warn
	}
	if s.refused[x.Key] != "" {
		origin, note = "refused", m.style.words[view.Failed]
	}
	if chosen && s.typing == x.Key {
		value = s.line + "_"
	}
	room := max(width-key-from-6, 4)
	return m.full(width, span{mark + " " + m.pad(x.Key, key, false) + "  ", style}, span{m.pad(m.ending(value, room), room, false), style}, span{"  " + origin, note})
}

// ending is a text of which, where there is too little room, the end is in sight: that is where it is typed at.
func (m *model) ending(text string, room int) string {
	if s := &m.panes.settings; s.typing == "" || !strings.HasSuffix(text, "_") || cells(text) <= room {
		return text
	}
	from, n := len(text), 0
	for from > 0 {
		r, size := utf8.DecodeLastRuneInString(text[:from])
		if n += cell(r); n > room {
			break
		}
		from -= size
	}
	return text[from:]
}

// settingDetail says more of the chosen setting.
func (m *model) settingDetail(width int) []string {
	s := &m.panes.settings
	x, ok := s.current()
	if !ok || m.height < foldBelow && s.refused[x.Key] == "" {
		return nil
	}
	lines := []string{m.full(width, span{" " + strings.Repeat(m.glyphs.Rule, max(width-2, 0)), m.style.faint})}
	if why := s.refused[x.Key]; why != "" {
		refused := m.paragraph(x.Key+": "+why, width, func(l string) span { return span{l, m.style.words[view.Failed]} })
		return append(lines, refused[:min(len(refused), 3)]...)
	}
	for _, text := range []string{cmp.Or(x.About, x.Key), x.Hides} {
		if text != "" {
			about := m.paragraph(text, width, func(l string) span { return span{l, m.style.faint} })
			lines = append(lines, about[:min(len(about), 2)]...)
		}
	}
	return lines
}

// agentLines say who does the roles.
func (m *model) agentLines(width, most int) []string {
	s := &m.panes.settings
	if most < 3 {
		return nil
	}
	lines := []string{m.full(width, span{" " + strings.Repeat(m.glyphs.Rule, max(width-2, 0)), m.style.faint})}
	if s.looking && len(s.agents) == 0 {
		return append(lines, m.full(width, span{" looking for the agents" + m.glyphs.Ellipsis, m.style.faint}))
	}
	role, who := 0, 0
	for _, a := range s.agents {
		role, who = max(role, min(cells(a.Role), 20)), max(who, min(cells(a.Who), 30))
	}
	for i, a := range s.agents {
		if i == most-2 && len(s.agents) > most-1 {
			lines = append(lines, m.full(width, span{fmt.Sprintf(" and %d more: orc agents list", len(s.agents)-i), m.style.faint}))
			break
		}
		sign := view.Failed
		if a.Ready {
			sign = view.Done
		}
		lines = append(lines, m.full(width, span{" " + m.glyphs.Of(sign) + " ", m.style.words[sign]},
			span{m.pad(a.Role, role, false) + "  " + m.pad(a.Who, who, false) + "  ", m.style.plain}, span{a.State, m.style.words[sign]}))
	}
	return lines
}
