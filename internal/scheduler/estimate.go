package scheduler

import "time"

// estimates order the tasks: by the longest remaining path, each task weighed by how long it is thought to take.
type estimates struct {
	order   []int32   // topological
	paths   []float64 // by task: its own weight and the longest path behind it, in seconds
	own     []float64 // by task, in seconds; 0 = not known
	agents  map[string]*mean
	learned int
}

type mean struct {
	sum float64 // seconds
	n   int
}

// least keeps a known weight above zero, so that a path of many quick tasks is longer than one of few.
const least = 1e-3

func newEstimates(nodes []node, order []int32, o Options) *estimates {
	e := &estimates{
		order:  order,
		paths:  make([]float64, len(nodes)),
		own:    make([]float64, len(nodes)),
		agents: make(map[string]*mean, len(o.ByAgent)),
	}
	for i := range nodes {
		if d, ok := o.ByTask[nodes[i].id]; ok && d >= 0 {
			e.own[i] = max(d.Seconds(), least)
		}
	}
	for agent, d := range o.ByAgent {
		if d >= 0 {
			e.agents[agent] = &mean{sum: max(d.Seconds(), least), n: 1}
		}
	}
	e.compute(nodes)
	return e
}

// compute sets every path anew: one pass over the graph.
func (e *estimates) compute(nodes []node) {
	weights := make([]float64, len(nodes))
	var known mean
	for i := range nodes {
		if w := e.own[i]; w > 0 {
			weights[i] = w
		} else if m := e.agents[nodes[i].agent]; m != nil {
			weights[i] = m.sum / float64(m.n)
		} else {
			continue
		}
		known.sum += weights[i]
		known.n++
	}
	rest := 1.0
	if known.n > 0 {
		rest = known.sum / float64(known.n)
	}
	for at := len(e.order) - 1; at >= 0; at-- {
		i := e.order[at]
		longest := 0.0
		for _, d := range nodes[i].feeds {
			longest = max(longest, e.paths[d])
		}
		if weights[i] == 0 {
			weights[i] = rest
		}
		e.paths[i] = longest + weights[i]
	}
}

// learn takes a duration in and says whether the paths were computed anew.
func (e *estimates) learn(nodes []node, i int32, d time.Duration) bool {
	if d < 0 {
		return false
	}
	w := max(d.Seconds(), least)
	e.own[i] = w
	m := e.agents[nodes[i].agent]
	if m == nil {
		m = &mean{}
		e.agents[nodes[i].agent] = m
	}
	m.sum += w
	m.n++
	e.learned++
	if e.learned&(e.learned-1) != 0 {
		return false
	}
	e.compute(nodes)
	return true
}
