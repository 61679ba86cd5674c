package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// inspect reads one process; ok is false when there is none of that number.
func inspect(pid int) (proc, bool) {
	b, err := slurp("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return proc{}, false
	}
	return parseStat(pid, b)
}

// slurp reads a file of /proc. os.ReadFile tries to poll it first, which triples the system calls,
// and a look at the process table reads hundreds.
func slurp(path string) (b []byte, err error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	b = make([]byte, 0, 1024)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := syscall.Read(fd, b[len(b):cap(b)])
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return nil, err
		case n == 0:
			return b, nil
		default:
			b = b[:len(b)+n]
		}
	}
}

// parseStat reads the fields we need. The name in parentheses may itself hold anything, so counting
// starts behind the last one.
func parseStat(pid int, b []byte) (proc, bool) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return proc{}, false
	}
	f := bytes.Fields(b[i+1:])
	if len(f) < 20 {
		return proc{}, false
	}
	num := func(i int) int { n, _ := strconv.Atoi(string(f[i])); return n }
	start, err := strconv.ParseUint(string(f[19]), 10, 64)
	if err != nil {
		return proc{}, false
	}
	p := proc{pid: pid, start: start, ppid: num(1), pgid: num(2), sid: num(3)}
	// A zombie with threads left is a process whose first thread ended before the others.
	p.dead = (f[0][0] == 'Z' && num(17) <= 1) || f[0][0] == 'X'
	return p, true
}

// processes lists all processes that /proc shows.
func processes() ([]proc, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	names, err := d.Readdirnames(-1)
	if err = errors.Join(err, d.Close()); err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all := make([]proc, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := inspect(pid); ok {
			all = append(all, p)
		}
	}
	return all, nil
}

// markOf reads ORC_TASK_MARK out of a process's environment; none when it has none, or when it may
// not be read, which means that it runs as somebody else.
func markOf(pid int) (string, bool) {
	b, err := slurp("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return "", false
	}
	prefix := []byte(MarkVariable + "=")
	for len(b) > 0 {
		var entry []byte
		entry, b, _ = bytes.Cut(b, []byte{0})
		if value, ok := bytes.CutPrefix(entry, prefix); ok {
			return string(value), true
		}
	}
	return "", false
}

var bootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
})

const (
	sysPidfdSendSignal = 424
	sysPidfdOpen       = 434
)

// signalProcess sends a signal to that very process: the number is turned into a descriptor, and the
// descriptor's process is compared before it is hit, so that a reused number cannot hit a stranger.
// also, when not nil, must still hold at that moment.
func signalProcess(p proc, s syscall.Signal, also func() bool) (sent bool) {
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(p.pid), 0, 0)
	if errno == syscall.ESRCH {
		return false
	}
	now, ok := inspect(p.pid)
	same := ok && now.start == p.start && (also == nil || also())
	if errno != 0 { // a kernel before 5.3: the smallest window is the best there is
		return same && syscall.Kill(p.pid, s) == nil
	}
	defer syscall.Close(int(fd))
	if !same {
		return false
	}
	_, _, errno = syscall.Syscall6(sysPidfdSendSignal, fd, uintptr(s), 0, 0, 0, 0)
	return errno == 0
}

// adopted tells the supervisor which children it has, of those it started and those it adopted.
type adopted struct{ files []*os.File }

// openAdopted watches the thread that starts the commands and the one that adopts orphans, which is
// the first of the process. They are the same when Main runs on the main thread.
func openAdopted() (*adopted, error) {
	a := &adopted{}
	pid := os.Getpid()
	for _, tid := range []int{pid, syscall.Gettid()} {
		f, err := os.Open(fmt.Sprintf("/proc/self/task/%d/children", tid))
		if err != nil {
			return nil, fmt.Errorf("watch children: %w", err) // a kernel without CONFIG_PROC_CHILDREN
		}
		a.files = append(a.files, f)
		if tid == syscall.Gettid() {
			break
		}
	}
	return a, nil
}

// each calls f for every child until it returns true, and says whether it did.
func (a *adopted) each(f func(pid int) bool) (bool, error) {
	var buf [4096]byte
	for _, file := range a.files {
		var offset int64
		pid := 0
		for {
			n, err := syscall.Pread(int(file.Fd()), buf[:], offset)
			if err != nil {
				return false, fmt.Errorf("list children: %w", err)
			}
			if n == 0 {
				break
			}
			offset += int64(n)
			for _, c := range buf[:n] {
				if c >= '0' && c <= '9' {
					pid = pid*10 + int(c-'0')
				} else if pid > 0 {
					if f(pid) {
						return true, nil
					}
					pid = 0
				}
			}
		}
	}
	return false, nil
}
