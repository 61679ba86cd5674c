package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// emptyScans is how many looks in a row must find nothing: a process table is read bit by bit, and
// one look can miss what was started behind its back.
const emptyScans = 3

// Sweep ends every process on the machine whose environment carries ORC_TASK_MARK=mark, or =mark.
// followed by anything, and says how many it ended. It is for what a dead owner left behind: a running
// supervisor of the same mark, and its commands, are ended too. It never ends the caller or the
// caller's ancestors, nor a process that got the number of one that it meant. Processes that it may
// not look at (other users') are passed over. It works until three looks in a row find nothing or ctx
// ends.
func Sweep(ctx context.Context, mark string) (killed int, err error) {
	if mark == "" {
		return 0, errors.New("sweep: empty mark")
	}
	spared := ancestry(os.Getpid())
	hit := make(map[key]struct{})
	pause := firstPause
	for empty := 0; empty < emptyScans; {
		found, err := carriers(mark, spared)
		if err != nil {
			return len(hit), fmt.Errorf("sweep %s: %w", mark, err)
		}
		if len(found) == 0 {
			empty++
			continue
		}
		empty = 0
		for _, s := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
			for _, p := range found {
				if signalProcess(p, s, func() bool { return carries(p.pid, mark) }) && s == syscall.SIGKILL {
					hit[p.key()] = struct{}{}
				}
			}
		}
		select {
		case <-ctx.Done():
			return len(hit), fmt.Errorf("sweep %s: %d processes do not end: %w", mark, len(found), context.Cause(ctx))
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
	return len(hit), nil
}

// carriers lists the living processes with the mark.
func carriers(mark string, spared map[int]bool) ([]proc, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	var found []proc
	for _, p := range all {
		if !p.dead && !spared[p.pid] && carries(p.pid, mark) {
			found = append(found, p)
		}
	}
	return found, nil
}

func carries(pid int, mark string) bool {
	value, ok := markOf(pid)
	if !ok {
		return false
	}
	rest, ok := strings.CutPrefix(value, mark)
	return ok && (rest == "" || rest[0] == '.')
}

// ancestry is a process with its parents, as far up as can be seen.
func ancestry(pid int) map[int]bool {
	line := make(map[int]bool)
	for pid > 0 && !line[pid] {
		line[pid] = true
		p, ok := inspect(pid)
		if !ok {
			break
		}
		pid = p.ppid
	}
	return line
}
