package scheduler

import "slices"

// retry follows Retry, wholly or, after a Refused, not at all.
func (s *State) retry(in Retry) {
	chosen := make(map[int32]bool)
	var named, reach []int32
	for _, id := range in.Tasks {
		i, ok := s.index[id]
		if !ok {
			s.refuse(id, "there is no such task")
			return
		}
		if n := &s.nodes[i]; !transitions[n.place][retryTrigger(in)].ok {
			s.refuse(id, "it is %s: only a failed, skipped, canceled or held task can be retried", n.place)
			return
		}
		if !chosen[i] {
			chosen[i] = true
			named = append(named, i)
		}
	}
	if reach = named; !in.Alone {
		var ok bool
		if reach, ok = s.following(named, chosen, in.Cascade); !ok {
			return
		}
	}
	for _, i := range named {
		for _, need := range s.nodes[i].needs {
			if m := &s.nodes[need]; m.place.settled() && s.blocks(need) && !chosen[need] {
				s.refuse(s.nodes[i].id, "it needs %s, which is %s: retry that one", m.id, m.place)
				return
			}
		}
	}
	slices.Sort(reach)
	s.reopen(reach, retryTrigger(in))
	if !in.Alone {
		s.canceled = false // a person goes on with the run
	}
}

func retryTrigger(in Retry) trigger {
	if in.Cascade || in.Alone {
		return retryCascaded
	}
	return retryAsked
}

// following returns the tasks to put back: named, and what comes back with them. chosen grows with it. It is not
// ok, and tells so, when one of them has an attempt under way.
func (s *State) following(named []int32, chosen map[int32]bool, cascade bool) (reach []int32, ok bool) {
	seen := make(map[int32]bool) // passed, but not put back: what waits does so anyway
	queue := slices.Clone(named)
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		if chosen[i] {
			reach = append(reach, i)
		}
		for _, d := range s.nodes[i].feeds {
			n := &s.nodes[d]
			if chosen[d] || seen[d] {
				continue
			}
			switch {
			case cascade && n.place.active():
				s.refuse(n.id, "it has an attempt under way and follows %s: cancel it first", s.nodes[i].id)
				return nil, false
			case cascade && transitions[n.place][retryCascaded].ok, s.comesBack(n):
				chosen[d] = true
				queue = append(queue, d)
			case cascade:
				seen[d] = true
				queue = append(queue, d)
			}
		}
	}
	return reach, true
}

// comesBack says whether a task was not run because of others, so that it goes with them.
func (s *State) comesBack(n *node) bool {
	return n.place == skipped && n.root >= 0 || n.place == canceled && !n.canceledByName()
}

// reopen puts tasks back to pending, then to where their dependencies want them.
func (s *State) reopen(tasks []int32, on trigger) {
	var waiting []int32
	for _, i := range tasks {
		n := &s.nodes[i]
		if n.place.settled() {
			blocked := s.blocks(i)
			for _, d := range n.feeds {
				m := &s.nodes[d]
				m.open++
				if blocked {
					m.blocked--
				}
				if m.place == eligible {
					waiting = append(waiting, d)
				}
			}
		}
		n.spent, n.result, n.err, n.root = 0, nil, "", -1
		s.move(i, on, "retry")
	}
	for _, d := range waiting {
		s.resettle(d)
	}
	for _, i := range tasks {
		s.resettle(i)
	}
}
