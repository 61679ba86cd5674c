package process

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"syscall"
	"unsafe"
)

// The names by which sysctl(3) gives the process table (<sys/sysctl.h>), and the places of what we
// need in struct kinfo_proc, which are the same on amd64 and arm64.
const (
	ctlKern       = 1
	kernProc      = 14
	kernProcAll   = 0
	kernProcPID   = 1
	kernProcArgs2 = 49

	kinfoSize   = 648
	kinfoSec    = 0
	kinfoUsec   = 8
	kinfoStat   = 36
	kinfoPID    = 40
	kinfoParent = 560
	kinfoGroup  = 564

	statZombie = 5
)

// query reads one sysctl by number.
func query(mib ...int32) ([]byte, error) {
	for {
		var size uintptr
		if err := sysctl(mib, nil, &size); err != nil {
			return nil, err
		}
		if size == 0 {
			return nil, nil
		}
		buf := make([]byte, size+size/8) // the table may grow in between
		size = uintptr(len(buf))
		switch err := sysctl(mib, &buf[0], &size); err {
		case nil:
			return buf[:size], nil
		case syscall.ENOMEM:
			continue
		default:
			return nil, err
		}
	}
}

func sysctl(mib []int32, out *byte, size *uintptr) error {
	_, _, errno := syscall.Syscall6(syscall.SYS___SYSCTL, uintptr(unsafe.Pointer(&mib[0])), uintptr(len(mib)),
		uintptr(unsafe.Pointer(out)), uintptr(unsafe.Pointer(size)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func parseKinfo(b []byte) proc {
	num := func(at int) int { return int(int32(binary.LittleEndian.Uint32(b[at:]))) }
	p := proc{
		pid:   num(kinfoPID),
		ppid:  num(kinfoParent),
		pgid:  num(kinfoGroup),
		start: binary.LittleEndian.Uint64(b[kinfoSec:])*1_000_000 + uint64(binary.LittleEndian.Uint32(b[kinfoUsec:])),
		dead:  b[kinfoStat] == statZombie,
	}
	return p
}

// inspect reads one process; ok is false when there is none of that number.
func inspect(pid int) (proc, bool) {
	b, err := query(ctlKern, kernProc, kernProcPID, int32(pid))
	if err != nil || len(b) < kinfoSize {
		return proc{}, false
	}
	p := parseKinfo(b)
	p.sid = session(pid)
	return p, p.pid == pid
}

func session(pid int) int {
	sid, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(sid)
}

// processes lists all processes.
func processes() ([]proc, error) {
	b, err := query(ctlKern, kernProc, kernProcAll)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all := make([]proc, 0, len(b)/kinfoSize)
	for ; len(b) >= kinfoSize; b = b[kinfoSize:] {
		p := parseKinfo(b)
		p.sid = session(p.pid)
		all = append(all, p)
	}
	return all, nil
}

// markOf reads ORC_TASK_MARK out of a process's environment. The system hides the environment of
// other users' processes and of its own protected programs.
func markOf(pid int) (string, bool) {
	b, err := query(ctlKern, kernProcArgs2, int32(pid))
	if err != nil || len(b) < 4 {
		return "", false
	}
	// The number of arguments, the program's path, padding, the arguments, then the environment.
	argc := int(binary.LittleEndian.Uint32(b))
	_, b, _ = bytes.Cut(b[4:], []byte{0})
	b = bytes.TrimLeft(b, "\x00")
	prefix := []byte(MarkVariable + "=")
	for i := 0; len(b) > 0; i++ {
		var entry []byte
		entry, b, _ = bytes.Cut(b, []byte{0})
		if i < argc {
			continue
		}
		if value, ok := bytes.CutPrefix(entry, prefix); ok {
			return string(value), true
		}
	}
	return "", false
}

// bootID tells this boot from others by its time.
var bootID = sync.OnceValue(func() string {
	const kernBootTime = 21
	b, err := query(ctlKern, kernBootTime)
	if err != nil || len(b) < 8 {
		return "unknown"
	}
	return fmt.Sprint(binary.LittleEndian.Uint64(b))
})

// signalProcess sends a signal to that very process. There are no process descriptors here: between
// the comparison and the signal is a window of microseconds, in which the number would have to come
// round. also, when not nil, must hold as well.
func signalProcess(p proc, s syscall.Signal, also func() bool) (sent bool) {
	now, ok := inspect(p.pid)
	if !ok || now.start != p.start || (also != nil && !also()) {
		return false
	}
	return syscall.Kill(p.pid, s) == nil
}

// adopted is what LevelGroup does without: nothing is adopted here.
type adopted struct{}

func openAdopted() (*adopted, error) { return nil, ErrUnsupported }

func (*adopted) each(func(pid int) bool) (bool, error) { return false, ErrUnsupported }

// outerPID is for namespaces, which this system does not have.
func outerPID(_, _ int) int { return 0 }
