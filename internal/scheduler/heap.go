package scheduler

// rank is an order among small numbers, with the place of each number in the heap of this rank that holds it.
// A number is in at most one heap of a rank at a time.
type rank struct {
	before func(a, b int32) bool
	at     []int32 // -1 = in none
}

func newRank(n int, before func(a, b int32) bool) *rank {
	r := &rank{before: before, at: make([]int32, n)}
	for i := range r.at {
		r.at[i] = -1
	}
	return r
}

// heap is a binary heap from which any member can be removed in logarithmic time.
type heap struct {
	order *rank
	items []int32
}

func (h *heap) len() int           { return len(h.items) }
func (h *heap) top() int32         { return h.items[0] }
func (h *heap) set(i int, x int32) { h.items[i], h.order.at[x] = x, int32(i) }

func (h *heap) push(x int32) {
	h.items = append(h.items, x)
	h.order.at[x] = int32(len(h.items) - 1)
	h.up(len(h.items) - 1)
}

func (h *heap) remove(x int32) {
	i, last := int(h.order.at[x]), len(h.items)-1
	moved := h.items[last]
	h.items = h.items[:last]
	h.order.at[x] = -1
	if i == last {
		return
	}
	h.set(i, moved)
	h.fix(moved)
}

// fix restores the order after x's rank changed.
func (h *heap) fix(x int32) {
	i := int(h.order.at[x])
	if !h.up(i) {
		h.down(i)
	}
}

// reorder restores the order after the rank of many members changed.
func (h *heap) reorder() {
	for i := len(h.items)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h *heap) up(i int) (moved bool) {
	x := h.items[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !h.order.before(x, h.items[parent]) {
			break
		}
		h.set(i, h.items[parent])
		i, moved = parent, true
	}
	h.set(i, x)
	return moved
}

func (h *heap) down(i int) {
	x := h.items[i]
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			break
		}
		if right := child + 1; right < len(h.items) && h.order.before(h.items[right], h.items[child]) {
			child = right
		}
		if !h.order.before(h.items[child], x) {
			break
		}
		h.set(i, h.items[child])
		i = child
	}
	h.set(i, x)
}

// first returns the n best members in order, without changing the heap.
func (h *heap) first(n int) []int32 {
	var best, edge []int32 // edge: positions whose parents were all taken
	if len(h.items) > 0 {
		edge = append(edge, 0)
	}
	for len(best) < n && len(edge) > 0 {
		pick := 0
		for i := range edge {
			if h.order.before(h.items[edge[i]], h.items[edge[pick]]) {
				pick = i
			}
		}
		at := edge[pick]
		edge[pick] = edge[len(edge)-1]
		edge = edge[:len(edge)-1]
		best = append(best, h.items[at])
		for child := 2*at + 1; child <= 2*at+2 && int(child) < len(h.items); child++ {
			edge = append(edge, child)
		}
	}
	return best
}
