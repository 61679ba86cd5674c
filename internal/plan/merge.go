package plan

import (
	"orchestrator/internal/plan/document"
)

// setMergeVerify reads `verify` of `merge`: true, false, or commands.
func (c *checker) setMergeVerify(m *merging, f document.Field) {
	yes := true
	if document.IsTruth(f.Value) {
		yes, _ = c.Bool(f.Value, "`verify`")
	} else {
		for _, item := range c.List(f.Value, "`verify`") {
			m.commands = append(m.commands, item.Text)
		}
		yes = len(m.commands) > 0
	}
	m.verify = &yes
}
