package view

// Glyphs are the signs that displays draw with. Use Unicode or ASCII; read only.
type Glyphs struct {
	words    [words]string
	Still    string   // a running task without motion
	Spinner  []string // the frames of a running task
	Rule     string
	Ellipsis string
	Dot      string // between counts
	Minus    string // deleted lines
	Arrow    string // leads from a cause to what it caused
	Paused   string
	Warning  string
}

// Unicode is for terminals that can show it.
var Unicode = &Glyphs{
	words: [words]string{
		Done: "✓", Running: "●", NeedsYou: "?", Failed: "✗", Skipped: "⊘", Cancelled: "⊗", Ready: "○", Waiting: "·",
	},
	Still:    "●",
	Spinner:  []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"},
	Rule:     "─",
	Ellipsis: "…",
	Dot:      "·",
	Minus:    "−",
	Arrow:    "→",
	Paused:   "‖",
	Warning:  "!",
}

// ASCII is for every other terminal.
var ASCII = &Glyphs{
	words: [words]string{
		Done: "+", Running: "*", NeedsYou: "?", Failed: "x", Skipped: "-", Cancelled: "/", Ready: "o", Waiting: ".",
	},
	Still:    "*",
	Spinner:  []string{"|", "/", "-", "\\"},
	Rule:     "-",
	Ellipsis: "...",
	Dot:      "|",
	Minus:    "-",
	Arrow:    "->",
	Paused:   "=",
	Warning:  "!",
}

// GlyphsFor returns the set to use.
func GlyphsFor(unicode bool) *Glyphs {
	if unicode {
		return Unicode
	}
	return ASCII
}

// Of returns the sign of a state.
func (g *Glyphs) Of(w Word) string { return g.words[w] }
