package main

import (
	"context"
	_ "embed" // the list of programs and its lock
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

//go:embed package.json
var manifest []byte

//go:embed package-lock.json
var lockfile []byte

// What the file "installed" begins with, before the lock that was installed.
const (
	everything   = "all\n"
	requiredOnly = "required\n"
)

// folder is where the programs are installed.
func (o options) folder() string { return filepath.Join(o.cache, "agents") }

// install brings the pinned programs into the cache unless they are there. No script of a package runs.
func install(ctx context.Context, o options) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("the pinned programs are for linux/amd64, not for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	if err := os.MkdirAll(o.folder(), 0o700); err != nil {
		return fmt.Errorf("make the cache: %w", err)
	}
	unlock, err := lock(filepath.Join(o.folder(), "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	stamp := filepath.Join(o.folder(), "installed")
	have, err := os.ReadFile(stamp)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look what is installed: %w", err)
	}
	want := requiredOnly
	if slices.ContainsFunc(o.chosen(), func(a agent) bool { return a.optional }) {
		want = everything
	}
	if string(have) == everything+string(lockfile) || string(have) == want+string(lockfile) {
		return nil
	}
	if err := o.download(ctx, want == everything); err != nil {
		return err
	}
	if err := os.WriteFile(stamp, []byte(want+string(lockfile)), 0o600); err != nil {
		return fmt.Errorf("note what is installed: %w", err)
	}
	return nil
}

// lock keeps two runs from installing at the same time.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the cache: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the cache: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil // nothing was written
}

// download has npm install exactly what the lock says.
func (o options) download(ctx context.Context, optional bool) error {
	dir := o.folder()
	for name, text := range map[string][]byte{"package.json": manifest, "package-lock.json": lockfile} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return fmt.Errorf("write the list of programs: %w", err)
		}
	}
	args := []string{"ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"}
	if !optional {
		args = append(args, "--omit=optional")
	}
	fmt.Printf("install the agents into %s\n", dir)
	began := time.Now()
	cmd := exec.CommandContext(ctx, "npm", args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("npm is not installed; it is needed to install the agents")
		}
		return fmt.Errorf("install the agents: npm ci: %w", err)
	}
	fmt.Printf("installed in %s\n", time.Since(began).Round(time.Second))
	return nil
}
