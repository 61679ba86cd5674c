package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"orchestrator/test/rig"
)

// vanish waits until no process belongs to the site, and returns those that still do when the time is over.
func vanish(ctx context.Context, s *site, limit time.Duration) ([]string, error) {
	if runtime.GOOS != "linux" {
		return nil, nil // there is no /proc to ask
	}
	deadline := time.Now().Add(limit)
	for {
		left := processes(s.Site)
		if len(left) == 0 || time.Now().After(deadline) {
			return left, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// processes describes every living process that belongs to the site: by the home in its environment, which every
// command inherits, or because its working folder or an open file lies in the site, as with orc's own processes.
func processes(s *rig.Site) []string {
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var found []string
	for _, folder := range paths {
		pid := filepath.Base(folder)
		if pid == strconv.Itoa(os.Getpid()) {
			continue
		}
		home, mark := environment(folder, s.Home)
		if !home && !inside(folder, s.Root) {
			continue
		}
		argv, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err != nil || len(argv) == 0 {
			continue // ended meanwhile
		}
		found = append(found, pid+mark+" "+strings.ReplaceAll(strings.TrimSuffix(string(argv), "\x00"), "\x00", " "))
	}
	return found
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
