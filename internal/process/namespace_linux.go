package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

const (
	capSysAdmin          = 21
	prSetChildSubreaper  = 36
	prCapAmbient         = 47
	prCapAmbientClearAll = 4
	capabilityVersion3   = 0x20080522
)

// supervisorAttr says how a supervisor of that level is cloned. Every one gets a session of its own,
// because Ctrl-C reaches the terminal's whole foreground group and the owner alone decides.
func supervisorAttr(level Level) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setsid: true}
	if level != LevelNamespace {
		return attr, nil
	}
	attr.Cloneflags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS
	privileged, err := canMount()
	if err != nil {
		return nil, err
	}
	if !privileged {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	}
	if os.Geteuid() != 0 {
		attr.AmbientCaps = []uintptr{capSysAdmin} // exec would drop it; enterNamespace gives it up again
	}
	return attr, nil
}

func canMount() (bool, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false, fmt.Errorf("read own capabilities: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		value, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		caps, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return false, fmt.Errorf("read own capabilities: %w", err)
		}
		return caps&(1<<capSysAdmin) != 0, nil
	}
	return false, nil
}

// startUnmasked starts cmd with no signal blocked, because a blocked signal is inherited for ever
// and a command could then not be asked to end.
func startUnmasked(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var none, old uint64
	if err := setSignalMask(&none, &old); err != nil {
		return err
	}
	err := cmd.Start()
	return errors.Join(err, setSignalMask(&old, nil))
}

func setSignalMask(set, old *uint64) error {
	const sigSetmask = 2
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), unsafe.Sizeof(*set), 0, 0)
	if errno != 0 {
		return fmt.Errorf("set signal mask: %w", errno)
	}
	return nil
}

// enterLevel makes the supervisor what its level says. It runs on the thread that starts every
// command, and leaves that thread without the capability that it needed itself.
func enterLevel(level Level) error {
	if err := heedLibcSignals(); err != nil {
		return err
	}
	switch level {
	case LevelNamespace:
		return enterNamespace()
	case LevelSubreaper:
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0, 0, 0, 0); errno != 0 {
			return fmt.Errorf("become subreaper: %w", errno)
		}
	}
	return nil
}

// sigaction is the kernel's, as amd64 and arm64 have it.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// heedLibcSignals gives the two signals that the C library keeps for itself their default back. Whoever starts us by
// its posix_spawn, as make does, has them ignored; Go does not know them, and our commands would inherit that.
func heedLibcSignals() error {
	const ignored = 1
	for sig := uintptr(32); sig <= 33; sig++ {
		var old, fresh sigaction
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&old)), unsafe.Sizeof(old.mask), 0, 0)
		if errno == 0 && old.handler == ignored {
			_, _, errno = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&fresh)), 0, unsafe.Sizeof(old.mask), 0, 0)
		}
		if errno != 0 {
			return fmt.Errorf("set signal %d to its default: %w", sig, errno)
		}
	}
	return nil
}

func enterNamespace() error {
	if os.Getpid() != 1 {
		return fmt.Errorf("enter namespace: process %d is not the first of its namespace", os.Getpid())
	}
	// Slave rather than private: nothing of ours gets out, and what the machine unmounts later does
	// not stay busy because of us.
	if err := syscall.Mount("", "/", "", syscall.MS_SLAVE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("separate mounts: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if os.Geteuid() == 0 {
		return nil // root's commands are root's, as without us
	}
	return dropCapabilities()
}

type capHeader struct {
	version uint32
	pid     int32
}

type capSet struct{ effective, permitted, inheritable uint32 }

// dropCapabilities leaves this thread none. Commands that sandbox themselves (bubblewrap) refuse to
// run with capabilities they did not expect.
func dropCapabilities() error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prCapAmbient, prCapAmbientClearAll, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("clear ambient capabilities: %w", errno)
	}
	header := capHeader{version: capabilityVersion3}
	var none [2]capSet
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0); errno != 0 {
		return fmt.Errorf("drop capabilities: %w", errno)
	}
	return nil
}

// commandAttr says how a command is cloned. At LevelSubreaper the kernel ends the leader with the
// thread that started it, which is the supervisor's main one and never ends before it.
func commandAttr(level Level, pidfd *int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true, PidFD: pidfd}
	if level != LevelNamespace {
		attr.Pdeathsig = syscall.SIGKILL
	}
	return attr
}

// outerPID finds the process that supervisor knows as local, 0 when it cannot.
func outerPID(supervisor, local int) int {
	task := fmt.Sprintf("/proc/%d/task", supervisor)
	threads, err := os.ReadDir(task)
	if err != nil {
		return 0
	}
	for _, thread := range threads {
		b, err := os.ReadFile(task + "/" + thread.Name() + "/children")
		if err != nil {
			return 0
		}
		for word := range strings.FieldsSeq(string(b)) {
			pid, err := strconv.Atoi(word)
			if err == nil && innerPID(pid) == local {
				return pid
			}
		}
	}
	return 0
}

// innerPID is the number of a process in its own, innermost namespace.
func innerPID(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "NSpid:"); ok {
			words := strings.Fields(value)
			if len(words) < 2 {
				return 0
			}
			inner, err := strconv.Atoi(words[1])
			if err != nil {
				return 0
			}
			return inner
		}
	}
	return 0
}
