package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orchestrator/test/rig"
)

// vanish waits until no process belongs to the site, and returns those that still do when the time is over.
func vanish(ctx context.Context, s *site, limit time.Duration) ([]string, error) {
	if runtime.GOOS != "linux" {
		return nil, nil // there is no /proc to ask
	}
	deadline, pause := time.Now().Add(limit), 5*time.Millisecond
	for {
		left := processes(s.Site)
		if len(left) == 0 || time.Now().After(deadline) {
			return left, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
			pause = min(2*pause, 200*time.Millisecond)
		}
	}
}

// processes describes every living process that belongs to the site.
func processes(s *rig.Site) []string {
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var found []string
	for _, folder := range paths {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if mark, ok := belongs(s, pid); ok {
			if line := commandLine(pid); line != "" { // else it ended meanwhile
				found = append(found, strconv.Itoa(pid)+mark+" "+line)
			}
		}
	}
	return found
}

// belongs says whether a process belongs to the site: by the home in its environment, which every command inherits,
// or because it is one of orc's own and its working folder or an open file lies in the site.
func belongs(s *rig.Site, pid int) (mark string, ok bool) {
	folder := "/proc/" + strconv.Itoa(pid)
	home, mark := environment(folder, s.Home)
	if home {
		return mark, true
	}
	// A supervisor has no environment to speak of. Only of orc's own processes are the files looked at: that is slow.
	program, err := os.Readlink(filepath.Join(folder, "exe"))
	return mark, err == nil && strings.TrimSuffix(program, " (deleted)") == s.Orc && inside(folder, s.Root)
}

// owns says whether a process still belongs to the site.
func (s *site) owns(pid int) bool {
	_, ok := belongs(s.Site, pid)
	return ok
}

// commandLine is what a process was started as; empty when it is gone.
func commandLine(pid int) string {
	argv, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSuffix(string(argv), "\x00"), "\x00", " ")
}

// killCommand kills one of the shells that the supervisor started.
func (d *disturbance) killCommand(o *owner) {
	var shells []int
	for _, pid := range o.supervisors() {
		for _, child := range childrenOf(pid) {
			if strings.HasPrefix(commandLine(child), "/bin/sh ") {
				shells = append(shells, child)
			}
		}
	}
	if len(shells) > 0 {
		_ = syscall.Kill(shells[d.rng.IntN(len(shells))], syscall.SIGKILL) // perhaps it has just ended
	}
}

// environment says whether the process has the home, and the mark that orc gave it. A process that has ended or is
// not ours to read has neither.
func environment(folder, home string) (has bool, mark string) {
	env, err := os.ReadFile(filepath.Join(folder, "environ"))
	if err != nil {
		return false, ""
	}
	for kv := range strings.SplitSeq(string(env), "\x00") {
		has = has || kv == "HOME="+home
		if strings.HasPrefix(kv, "ORC_TASK_MARK=") {
			mark = " " + kv
		}
	}
	return has, mark
}

// inside says whether the process works below root, or has a file there open.
func inside(folder, root string) bool {
	links, err := filepath.Glob(filepath.Join(folder, "fd", "*"))
	if err != nil {
		return false
	}
	for _, link := range append(links, filepath.Join(folder, "cwd")) {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, root+"/") {
			return true
		}
	}
	return false
}
