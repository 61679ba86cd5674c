package scheduler

// settled tells the dependents of a task that just reached a terminal place, and theirs in turn where it skips
// them. The work is the number of edges passed.
func (s *State) settled(first int32) {
	queue := []int32{first}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		blocks := s.blocks(i)
		for _, d := range s.nodes[i].feeds {
			n := &s.nodes[d]
			n.open--
			if blocks {
				n.blocked++
			}
			switch {
			case n.place != pending:
			case n.blocked > 0:
				s.skip(d)
				queue = append(queue, d)
			case n.open == 0:
				s.move(d, needsSettled, "")
			}
		}
	}
}

// resettle puts a task that is pending or eligible to where its dependencies want it.
func (s *State) resettle(i int32) {
	n := &s.nodes[i]
	switch {
	case n.place != pending && n.place != eligible:
	case n.blocked > 0:
		s.skip(i)
		s.settled(i)
	case n.open > 0:
		s.move(i, needReopened, "a dependency is retried")
	case n.place == pending:
		s.move(i, needsSettled, "")
	}
}

// skip skips a task for the first of its dependencies that stands in its way, and names the root.
func (s *State) skip(i int32) {
	n := &s.nodes[i]
	for _, need := range n.needs {
		if m := &s.nodes[need]; m.place.settled() && s.blocks(need) {
			n.root = need
			if m.root >= 0 {
				n.root = m.root
			}
			break
		}
	}
	n.err = needsText + string(s.nodes[n.root].id)
	s.move(i, needBlocks, n.err)
}
