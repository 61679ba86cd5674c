package plan

// order is the shape of a plan's graph, without cycles.
type order struct {
	deps  [][]int32 // what each task needs
	users [][]int32 // dependents of each task, in file order
	line  []int32   // every task after all that it needs; ties in file order by level
	level []int32   // length of the longest way from a task without needs
	// Labels for telling that one task does not wait for another: see ancestry.
	rank, low []int32
	first     []int32
}

// newOrder computes the order in time linear in tasks and needs.
func newOrder(deps [][]int32) *order {
	n := len(deps)
	o := &order{deps: deps, users: make([][]int32, n), line: make([]int32, 0, n), level: make([]int32, n)}
	open := make([]int32, n)
	degree := make([]int32, n)
	for i := range deps {
		open[i] = int32(len(deps[i]))
		for _, d := range deps[i] {
			degree[d]++
		}
	}
	for i := range deps {
		o.users[i] = make([]int32, 0, degree[i])
	}
	for i := range deps {
		for _, d := range deps[i] {
			o.users[d] = append(o.users[d], int32(i))
		}
		if open[i] == 0 {
			o.line = append(o.line, int32(i))
		}
	}
	for at := 0; at < len(o.line); at++ {
		t := o.line[at]
		for _, u := range o.users[t] {
			o.level[u] = max(o.level[u], o.level[t]+1)
			if open[u]--; open[u] == 0 {
				o.line = append(o.line, u)
			}
		}
	}
	return o
}

// edges returns what each task of the plan needs.
func (p *Plan) edges() [][]int32 {
	deps := make([][]int32, len(p.tasks))
	for i := range p.tasks {
		deps[i] = p.tasks[i].deps
	}
	return deps
}

// widths counts the tasks of each level.
func (o *order) widths() []int {
	var widths []int
	for _, t := range o.line {
		for int(o.level[t]) >= len(widths) {
			widths = append(widths, 0)
		}
		widths[o.level[t]]++
	}
	return widths
}

// label walks the graph depth first, towards the dependents, and numbers the tasks when it leaves them. In the tree
// of that walk a task's descendants are the numbers from first to rank. low is the least number that can be reached
// at all.
func (o *order) label() {
	n := len(o.deps)
	o.rank, o.low, o.first = make([]int32, n), make([]int32, n), make([]int32, n)
	entered := make([]bool, n)
	type visit struct {
		task int32
		next int
	}
	var path []visit
	counter := int32(0)
	for _, root := range o.line {
		if entered[root] {
			continue
		}
		entered[root] = true
		o.first[root] = counter
		path = append(path, visit{task: root})
		for len(path) > 0 {
			at := &path[len(path)-1]
			if users := o.users[at.task]; at.next < len(users) {
				u := users[at.next]
				at.next++
				if !entered[u] {
					entered[u] = true
					o.first[u] = counter
					path = append(path, visit{task: u})
				}
				continue
			}
			t := at.task
			path = path[:len(path)-1]
			o.rank[t], o.low[t] = counter, counter
			counter++
			for _, u := range o.users[t] {
				o.low[t] = min(o.low[t], o.low[u])
			}
		}
	}
}

// ancestry answers whether one task waits for another, mostly at once and else by a search, as long as steps last.
type ancestry struct {
	*order
	steps int
	stamp []int32
	turn  int32
	queue []int32
}

func newAncestry(o *order, steps int) *ancestry {
	o.label()
	return &ancestry{order: o, steps: steps, stamp: make([]int32, len(o.deps))}
}

// waits says whether task later needs task earlier, directly or through others. known is false when steps ran out.
func (a *ancestry) waits(later, earlier int32) (yes, known bool) {
	if later == earlier || a.level[later] <= a.level[earlier] {
		return false, true
	}
	if a.first[earlier] <= a.rank[later] && a.rank[later] <= a.rank[earlier] {
		return true, true
	}
	if a.low[later] < a.low[earlier] || a.rank[later] > a.rank[earlier] {
		return false, true
	}
	a.turn++
	a.queue = append(a.queue[:0], later)
	for len(a.queue) > 0 {
		at := a.queue[len(a.queue)-1]
		a.queue = a.queue[:len(a.queue)-1]
		for _, d := range a.deps[at] {
			if a.steps--; a.steps < 0 {
				return false, false
			}
			if d == earlier {
				return true, true
			}
			if a.stamp[d] != a.turn && a.level[d] > a.level[earlier] {
				a.stamp[d] = a.turn
				a.queue = append(a.queue, d)
			}
		}
	}
	return false, true
}
