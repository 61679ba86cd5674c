package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
)

// lifeline is the descriptor at which a supervisor finds its end of the socket pair.
const lifeline = 3

// Main is a supervisor's whole life: the program's main calls it before anything else when its first
// argument is DefaultArg, and exits with what it returns. args are ignored; what there is to say comes
// from the owner.
func Main(args []string) int {
	// All commands are started from this thread: PDEATHSIG is tied to it, capabilities are its own,
	// and the kernel lists children by the thread that started them.
	runtime.LockOSThread()
	// One loop needs one processor; a second would only spin for work beside the commands.
	runtime.GOMAXPROCS(1)
	if err := inheritNothing(); err != nil {
		fmt.Fprintln(os.Stderr, "supervise:", err)
		return 1
	}
	// A terminal or an impatient script may signal the whole group; the owner alone decides. Handled
	// rather than ignored, because commands would inherit the ignoring.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT, syscall.SIGPIPE,
		syscall.SIGALRM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)

	w := &warden{}
	cfg, err := w.readConfig()
	if err == nil {
		err = w.prepare(cfg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "supervise:", err)
		if serr := w.tell(refusalFrame(err)); serr != nil {
			return 2 // started by hand, or the owner is gone: there is nobody to tell
		}
		return 1
	}
	if err := w.run(); err != nil {
		fmt.Fprintln(os.Stderr, "supervise:", err)
		return 1
	}
	return 0
}

// inheritNothing keeps what this process inherited from reaching a command.
func inheritNothing() error {
	const dir = "/dev/fd"
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("list descriptors: %w", err)
	}
	names, err := d.Readdirnames(-1)
	if err = errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("list descriptors: %w", err)
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

func (w *warden) readConfig() (config, error) {
	var cfg config
	for {
		kind, body, ok, err := w.in.next()
		if err != nil {
			return cfg, err
		}
		if ok {
			if kind != frameConfig {
				return cfg, errFrame
			}
			if err := json.Unmarshal(body, &cfg); err != nil {
				return cfg, fmt.Errorf("read configuration: %w", err)
			}
			return cfg, nil
		}
		n, err := syscall.Read(lifeline, w.in.room())
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return cfg, fmt.Errorf("read configuration (this command is started by its owner, not by hand): %w", err)
		}
		if n == 0 {
			return cfg, errOwnerGone
		}
		w.in.took(n)
	}
}

// prepare takes all that can fail before the owner is told that it may launch.
func (w *warden) prepare(cfg config) error {
	w.level, w.mark = cfg.Level, cfg.Mark
	if err := enterLevel(cfg.Level); err != nil {
		return err
	}
	var err error
	if cfg.Lock != "" {
		if w.lock, err = holdAs(cfg.Lock, cfg.PID); err != nil {
			return err
		}
	}
	if cfg.Journal != "" {
		if w.journal, err = openJournal(cfg.Journal); err != nil {
			return err
		}
	}
	if w.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return fmt.Errorf("open null device: %w", err)
	}
	if w.poller, err = newPoller(lifeline); err != nil {
		return err
	}
	if cfg.Level != LevelGroup {
		// Without it every exit is followed by a look at the process table: slower, not less sure.
		w.adopted, _ = openAdopted()
	}
	w.commands = make(map[uint64]*command)
	w.leaders = make(map[int]*command)
	w.families = make(map[int]*command)
	w.remembered = make(map[int]memory)
	w.self = os.Getpid()
	return w.tell(newFrame(frameReady, 0).bytes())
}

// refusalFrame carries what the owner must be able to tell apart.
func refusalFrame(err error) []byte {
	f := newFrame(frameRefused, 256)
	var held *HeldError
	if errors.As(err, &held) {
		f.uint(1)
		f.uint(uint64(held.PID))
		f.str(held.Path)
		return f.bytes()
	}
	f.uint(0)
	f.uint(0)
	f.str(err.Error())
	return f.bytes()
}

func refusal(body []byte) error {
	r := &reader{b: body}
	kind, pid, text := r.uint(), r.uint(), r.str()
	switch {
	case r.err() != nil:
		return r.err()
	case kind == 1:
		return &HeldError{Path: text, PID: int(pid)}
	}
	return errors.New(text)
}
