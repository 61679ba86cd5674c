package plan

import "orchestrator/internal/plan/document"

// Format lays a plan file out in the one canonical way. Comments and block texts stay, the plan means the same, and
// formatting the result again changes nothing. The error says that src is not YAML.
func Format(src []byte) ([]byte, error) { return document.Format(src) }
