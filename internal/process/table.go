package process

// proc is one process at one moment.
type proc struct {
	pid, ppid, pgid, sid int
	start                uint64 // with pid unique within one boot
	dead                 bool   // a zombie: it does nothing any more
}

func (p proc) running() bool { return !p.dead }

// key names a process beyond the reuse of its number.
type key struct {
	pid   int
	start uint64
}

func (p proc) key() key { return key{p.pid, p.start} }
