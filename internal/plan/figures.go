package plan

// Figures are the numbers that tell a plan's shape.
type Figures struct {
	Tasks        int      `json:"tasks"`
	Needs        int      `json:"needs"`
	Levels       int      `json:"levels"`        // tasks on the longest way through the graph
	Widest       int      `json:"widest"`        // most tasks on one level
	WidestLevel  int      `json:"widest_level"`  // counted from 1
	CriticalPath []string `json:"critical_path"` // ids of one longest way, first to last
}

// Figures computes the shape of the plan.
func (p *Plan) Figures() Figures {
	o := newOrder(p.edges())
	widths := o.widths()
	f := Figures{Tasks: len(p.tasks), Levels: len(widths)}
	for level, width := range widths {
		if width > f.Widest {
			f.Widest, f.WidestLevel = width, level+1
		}
	}
	last := int32(-1)
	for i := range p.tasks {
		f.Needs += len(p.tasks[i].deps)
		if last < 0 || o.level[i] > o.level[last] {
			last = int32(i)
		}
	}
	if last < 0 {
		return f
	}
	f.CriticalPath = make([]string, f.Levels)
	for at := last; ; {
		level := o.level[at]
		f.CriticalPath[level] = p.tasks[at].id
		if level == 0 {
			return f
		}
		for _, d := range p.tasks[at].deps {
			if o.level[d] == level-1 {
				at = d
				break
			}
		}
	}
}
