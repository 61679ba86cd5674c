package scheduler

// list makes an eligible task known to those that may start, unless its agent is on hold.
func (s *State) list(i int32) {
	n := &s.nodes[i]
	if _, onHold := s.holds[n.agent]; !onHold {
		s.ready.add(i)
		n.listed = true
	}
}

// unlist takes it back.
func (s *State) unlist(i int32) {
	if n := &s.nodes[i]; n.listed {
		s.ready.remove(i)
		n.listed = false
	}
}

// park follows Parked.
func (s *State) park(in Parked) {
	i, ok := s.index[in.Task]
	if !ok {
		s.refuse(in.Task, "there is no such task")
		return
	}
	on := attemptParked
	if in.Person {
		on = attemptAsks
	}
	n := &s.nodes[i]
	if !s.move(i, on, "") {
		s.refuse(in.Task, "it has no attempt under way: it is %s", n.place)
		return
	}
	n.due = false
	if n.place == stopping {
		s.emit(Stop{Task: in.Task})
	}
}

// timeCame follows Due.
func (s *State) timeCame(id TaskID) {
	i, ok := s.index[id]
	if !ok {
		s.refuse(id, "there is no such task")
		return
	}
	n := &s.nodes[i]
	switch {
	case n.place != parked && n.place != asking:
		s.refuse(id, "it waits neither for a time nor for a person's word: it is %s", n.place)
	case !n.due:
		n.due = true
		s.due = append(s.due, i)
	}
}

// nextDue lets the first parked or asking task go on that can, if there is one.
func (s *State) nextDue() bool {
	for len(s.due) > 0 {
		i := s.due[0]
		s.due = s.due[1:]
		n := &s.nodes[i]
		if !n.due {
			continue
		}
		n.due = false
		if s.move(i, timeHasCome, "") || s.move(i, wordGiven, "") { // else it was canceled meanwhile
			s.emit(GoOn{Task: n.id})
			return true
		}
	}
	return false
}

// hold follows Hold.
func (s *State) hold(in Hold) {
	s.holds[in.Agent] = in.Person
	for i := range s.nodes {
		if n := &s.nodes[i]; n.agent == in.Agent {
			s.unlist(int32(i))
		}
	}
}

// release follows Release.
func (s *State) release(agent string) {
	if _, onHold := s.holds[agent]; !onHold {
		return
	}
	delete(s.holds, agent)
	for i := range s.nodes {
		if n := &s.nodes[i]; n.agent == agent && n.place == eligible {
			s.list(int32(i))
		}
	}
}

// onlyAPersonCan says, while nothing runs, whether every eligible task waits for a person: to release its agent, or for
// a task to go on that waits for their word and has its files.
func (s *State) onlyAPersonCan() bool {
	if s.counts[eligible] == 0 {
		return true
	}
	for i := range s.nodes {
		n := &s.nodes[i]
		if n.place != eligible {
			continue
		}
		person, onHold := s.holds[n.agent]
		if onHold && !person || !onHold && s.counts[asking] == 0 {
			return false
		}
	}
	return true
}
