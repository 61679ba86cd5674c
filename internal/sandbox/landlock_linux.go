package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// leastABI is the first version of Landlock that also keeps files from being truncated.
const leastABI = 3

// What rights cover. A right that no rule gives is refused everywhere.
const (
	rightsRead  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE
	rightsList  = unix.LANDLOCK_ACCESS_FS_READ_DIR
	rightsFile  = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	rightsMake  = unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO
	rightsOther = unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REFER
	rightsNever = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK

	rightsWrite = rightsFile | rightsMake | rightsOther
	rightsAll   = rightsRead | rightsList | rightsWrite | rightsNever
)

// devices may be written by everybody.
var devices = []string{
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts", "/dev/shm", "/dev/fd",
}

func findLandlock(ctx context.Context, o Options) (*Sandbox, error) {
	version, err := landlockABI()
	if err != nil {
		return nil, fmt.Errorf("landlock: %w", err)
	}
	if version < leastABI {
		return nil, fmt.Errorf("landlock: version %d of the kernel is too old, %d is needed", version, leastABI)
	}
	s := &Sandbox{level: LevelLandlock, program: o.Executable, args: o.Args}
	if err := attempt(ctx, slices.Concat([]string{s.program}, s.args, []string{"[]", "--", "/bin/sh", "-c", ":"})); err != nil {
		return nil, fmt.Errorf("landlock: %w", err)
	}
	return s, nil
}

func landlockABI() (int, error) {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch {
	case errors.Is(errno, unix.ENOSYS):
		return 0, errors.New("the kernel does not have it, or this container forbids it")
	case errors.Is(errno, unix.EOPNOTSUPP):
		return 0, errors.New("it is switched off on this machine")
	case errno != 0:
		return 0, errno
	}
	return int(v), nil
}

// Main restricts this process by the rules that its arguments hold and becomes the command behind them. The program's
// main calls it before anything else when its first argument is DefaultArg, and exits with what it returns.
func Main(args []string) int {
	if err := confine(args); err != nil {
		fmt.Fprintln(os.Stderr, "confine:", err)
	}
	return 126 // what a shell says of a program that it cannot run
}

func confine(args []string) error {
	if len(args) < 3 || args[1] != "--" {
		return errors.New("this command is started by its owner, not by hand")
	}
	l, err := decode(args[0])
	if err != nil {
		return err
	}
	// The restriction is the thread's; exec ends all others and keeps it.
	runtime.LockOSThread()
	if err := restrict(l); err != nil {
		return err
	}
	if err := syscall.Exec(args[2], args[2:], os.Environ()); err != nil {
		return fmt.Errorf("run %s: %w", args[2], err)
	}
	return nil
}

// restrict makes the rules hold for this thread and all that it starts.
func restrict(l rules) error {
	version, err := landlockABI()
	if err != nil {
		return err
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: rightsAll}
	size := unsafe.Sizeof(attr.Handled_access_fs)
	if version >= 6 {
		// What is outside can neither be signalled nor spoken to by an abstract socket.
		attr.Scoped = unix.LANDLOCK_SCOPE_SIGNAL | unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
		size = unsafe.Offsetof(attr.Scoped) + unsafe.Sizeof(attr.Scoped)
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return fmt.Errorf("make the rules: %w", errno)
	}
	defer unix.Close(int(fd))
	b := builder{rules: l, set: int(fd)}
	b.fill()
	if b.err != nil {
		return b.err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("make the rules hold: %w", errno)
	}
	return nil
}

// builder fills a set of rules. Landlock only knows what is allowed, for a folder with everything in it: where a rule
// says something else of what is in a folder, its entries are allowed one by one, and what is made in that folder later
// is not.
type builder struct {
	rules rules
	set   int
	err   error // the first
}

func (b *builder) fill() {
	b.allow("/", rightsList) // names are no secrets
	b.walk("/")
	for _, path := range devices {
		b.allow(path, rightsRead|rightsFile)
	}
}

func (b *builder) walk(path string) {
	var rights uint64
	switch b.rules.of(path) {
	case hidden:
		if !b.rules.below(path) {
			return
		}
	case readWrite:
		rights = rightsRead | rightsList | rightsWrite
	case readOnly:
		rights = rightsRead
	}
	if !b.rules.below(path) {
		b.allow(path, rights)
		return
	}
	if b.rules.of(path) == hidden {
		rights = 0 // only what rules name in it
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return // what cannot be listed is not allowed
	}
	for _, e := range entries {
		inner := filepath.Join(path, e.Name())
		if rights == 0 && b.rules.of(inner) == hidden && !b.rules.below(inner) {
			continue
		}
		if e.Type()&os.ModeSymlink == 0 { // what a link leads to has its own place
			b.walk(inner)
		}
	}
}

// allow gives rights for a path. One that went away meanwhile needs none.
func (b *builder) allow(path string, rights uint64) {
	if b.err != nil || rights == 0 {
		return
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		b.err = fmt.Errorf("look at %s: %w", path, err)
		return
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= rightsRead | rightsFile
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(b.set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 && !errors.Is(errno, unix.EBADFD) && !errors.Is(errno, unix.EBADF) { // pipes and the like need no rule
		b.err = fmt.Errorf("allow %s: %w", path, errno)
	}
}
