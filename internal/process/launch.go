package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// launch starts a command and answers at once, with its number or with what was wrong.
func (w *warden) launch(l launch) error {
	files, err := w.files(l.files &^ launchUnawaited)
	if err != nil {
		return err
	}
	c := &command{seq: l.seq, id: l.id, pidfd: -1}
	fault := files.fault
	if fault == nil {
		fault = w.fork(c, l, files.std[:])
	}
	for _, fd := range files.received {
		_ = syscall.Close(fd) // ours were copies; the owner sees write errors of its own
	}
	if fault != nil {
		f := newFrame(frameFailed, 64+len(fault.Path))
		f.uint(l.seq)
		f.uint(uint64(fault.Err))
		f.str(fault.Op)
		f.str(fault.Path)
		return w.tell(f.bytes())
	}
	w.commands[c.seq] = c
	w.leaders[c.pid] = c
	w.families[c.pid] = c
	if err := w.poller.watch(c.pid, c.pidfd); err != nil {
		return err
	}
	if l.files&launchUnawaited != 0 {
		return nil
	}
	f := newFrame(frameStarted, 16)
	f.uint(c.seq)
	f.int(int64(c.pid))
	return w.tell(f.bytes())
}

type stdio struct {
	std      [3]uintptr
	received []int
	fault    *LaunchError
}

// files pairs a launch with the descriptors that came with its frame.
func (w *warden) files(mask byte) (stdio, error) {
	null := w.null.Fd()
	s := stdio{std: [3]uintptr{null, null, null}}
	if mask == 0 {
		return s, nil
	}
	if len(w.rights) == 0 {
		return s, errFrame
	}
	set := w.rights[0]
	w.rights = w.rights[1:]
	s.received = set.fds
	next := set.fds
	for i := range s.std {
		if mask&(1<<i) == 0 {
			continue
		}
		if len(next) == 0 {
			if !set.cut {
				return s, errFrame
			}
			s.fault = &LaunchError{Op: "receive files", Err: syscall.EMFILE}
			return s, nil
		}
		s.std[i], next = uintptr(next[0]), next[1:]
	}
	return s, nil
}

func (w *warden) fork(c *command, l launch, std []uintptr) *LaunchError {
	env := w.environ(l.env, l.id)
	path, err := findProgram(l.argv[0], l.dir, env)
	if err != nil {
		return &LaunchError{Op: "find program", Path: l.argv[0], Err: errnoOf(err)}
	}
	c.exit.Started = time.Now()
	c.pid, err = syscall.ForkExec(path, l.argv, &syscall.ProcAttr{
		Dir:   l.dir,
		Env:   env,
		Files: std,
		Sys:   commandAttr(w.level, &c.pidfd),
	})
	if err != nil {
		return explain(err, path, l.dir)
	}
	return nil
}

// findProgram does what execvp does, with the command's own PATH. A relative name with a slash is
// relative to the command's directory, as it would be in a shell there.
func findProgram(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	list := ""
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			list = value
		}
	}
	found := error(syscall.ENOENT)
	for _, place := range filepath.SplitList(list) {
		if place == "" {
			place = "."
		}
		path := filepath.Join(place, name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		// A folder on PATH that may not be searched is passed over: to somebody who mistyped a name,
		// "permission denied" would be a riddle.
		info, err := os.Stat(path)
		switch {
		case err != nil:
		case info.IsDir(), info.Mode()&0o111 == 0:
			found = syscall.EACCES
		default:
			return path, nil
		}
	}
	return "", found
}

// explain finds out whether the directory or the program was meant, which the kernel does not say.
func explain(err error, path, dir string) *LaunchError {
	const search = 1 // X_OK
	switch info, derr := os.Stat(dir); {
	case derr != nil:
		return &LaunchError{Op: "enter directory", Path: dir, Err: errnoOf(derr)}
	case !info.IsDir():
		return &LaunchError{Op: "enter directory", Path: dir, Err: syscall.ENOTDIR}
	}
	if aerr := syscall.Access(dir, search); aerr != nil {
		return &LaunchError{Op: "enter directory", Path: dir, Err: errnoOf(aerr)}
	}
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(dir, full)
	}
	errno := errnoOf(err)
	if errno == syscall.ENOENT {
		if _, serr := os.Stat(full); serr == nil {
			return &LaunchError{Op: "find interpreter of", Path: path, Err: errno}
		}
		return &LaunchError{Op: "find program", Path: path, Err: errno}
	}
	return &LaunchError{Op: "run program", Path: path, Err: errno}
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EINVAL
}
