package process

import "syscall"

// Target is a process as it was recorded.
type Target struct{ p proc }

// Record remembers a process by number and start time.
func Record(pid int) (Target, bool) {
	p, ok := inspect(pid)
	return Target{p}, ok
}

// Start gives the recorded start time, in clock ticks since boot.
func (t Target) Start() uint64 { return t.p.start }

// SignalRecorded sends a signal to the process that was recorded, and says whether it was still there.
func SignalRecorded(t Target, s syscall.Signal) bool { return signalProcess(t.p, s, nil) }
