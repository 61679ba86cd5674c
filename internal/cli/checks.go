package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"orchestrator/internal/persistence"
	"orchestrator/internal/process"
	"orchestrator/internal/workspace"
)

func (a *App) checkGit(ctx context.Context) check {
	const name = "git"
	path, err := a.lookPath("git")
	if err != nil {
		return failed(name, errors.New("not found on PATH"), "install git 2.38 or newer")
	}
	cmd := exec.CommandContext(ctx, path, "version")
	cmd.Env, cmd.Dir = a.Environ, string(filepath.Separator)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return failed(name, fmt.Errorf("git version: %w: %s", err, strings.TrimSpace(stderr.String())), "")
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "git version ")
	if _, err := a.openRepository(ctx, a.Dir); errors.Is(err, workspace.ErrGitTooOld) {
		return failed(name, err, "install git 2.38 or newer")
	}
	return check{Name: name, State: checkOK, Detail: version + " at " + path}
}

// lookPath finds a program on the PATH of the environment that commands get.
func (a *App) lookPath(program string) (string, error) {
	if strings.ContainsRune(program, filepath.Separator) {
		return program, executable(a.path(program))
	}
	for _, dir := range filepath.SplitList(a.Getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue // a program that depends on the working directory is not meant
		}
		path := filepath.Join(dir, program)
		if executable(path) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find %s: %w", program, exec.ErrNotFound)
}

func executable(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.IsDir() || st.Mode()&0o111 == 0 {
		return fmt.Errorf("%s: %w", path, fs.ErrPermission)
	}
	return nil
}

func (a *App) checkRepository(ctx context.Context) check {
	const name = "repository"
	repo, err := a.openRepository(ctx, a.Dir)
	if errors.Is(err, workspace.ErrNotRepository) {
		return check{Name: name, State: checkWarn, Detail: a.tilde(a.Dir) + " is not in a git repository", Fix: "run orc in a checkout"}
	}
	if err != nil {
		return failed(name, err, "")
	}
	branch, head, err := repo.Head(ctx)
	if err != nil {
		return failed(name, err, "git commit --allow-empty -m first")
	}
	if branch == "" {
		branch = "detached HEAD"
	}
	return check{Name: name, State: checkOK, Detail: fmt.Sprintf("%s, %s at %s", a.tilde(repo.Root()), branch, short(head))}
}

func (a *App) checkDataFolder(context.Context) check {
	const name = "data folder"
	data, err := a.DataDir()
	if err != nil {
		return failed(name, err, "")
	}
	if repo, err := a.repository(); err == nil && repo != "" && below(repo, data) {
		return failed(name, fmt.Errorf("%s is inside of the repository", a.tilde(data)), "set XDG_DATA_HOME to a folder outside of it")
	}
	st, err := os.Stat(data)
	if errors.Is(err, fs.ErrNotExist) {
		parent := existing(data)
		if err := unix.Access(parent, unix.W_OK|unix.X_OK); err != nil {
			return failed(name, fmt.Errorf("%s cannot be made: %s: %w", a.tilde(data), parent, err), "make "+parent+" writable, or set XDG_DATA_HOME")
		}
		return check{Name: name, State: checkOK, Detail: a.tilde(data) + " (made by the first run)"}
	}
	if err != nil {
		return failed(name, err, "")
	}
	switch {
	case !st.IsDir():
		return failed(name, fmt.Errorf("%s is not a folder", a.tilde(data)), "move it away")
	case unix.Access(data, unix.R_OK|unix.W_OK|unix.X_OK) != nil:
		return failed(name, fmt.Errorf("%s is not writable", a.tilde(data)), "chmod u+rwx "+data)
	case st.Mode().Perm()&0o077 != 0:
		return check{
			Name: name, State: checkWarn, Detail: fmt.Sprintf("%s is open to others (%#o)", a.tilde(data), st.Mode().Perm()),
			Fix: "chmod 700 " + data,
		}
	}
	return check{Name: name, State: checkOK, Detail: a.tilde(data)}
}

// below says whether a path lies in a folder, or will.
func below(folder, path string) bool {
	at := existing(path)
	real, err := filepath.EvalSymlinks(at)
	if err != nil {
		return false
	}
	return real == folder || strings.HasPrefix(real, folder+string(filepath.Separator))
}

// existing returns the nearest folder above a path that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// How much room there should be for workspaces and logs, in bytes.
const (
	roomLow  = 1 << 30
	roomNone = 100 << 20
)

func (a *App) checkDisk(context.Context) check {
	const name = "disk"
	data, err := a.DataDir()
	if err != nil {
		return failed(name, err, "")
	}
	var fs unix.Statfs_t
	at := existing(data)
	if err := unix.Statfs(at, &fs); err != nil {
		return failed(name, fmt.Errorf("%s: %w", at, err), "")
	}
	free := uint64(fs.Bavail) * uint64(fs.Bsize) // the types differ between systems
	c := check{Name: name, State: checkOK, Detail: size(free) + " free"}
	switch {
	case free < roomNone:
		c.State, c.Fix = checkFail, "free some space: orc clean"
	case free < roomLow:
		c.State, c.Fix = checkWarn, "free some space: orc clean"
	}
	return c
}

// size writes bytes for people.
func size(n uint64) string {
	const step = 1024
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	f, u := float64(n), 0
	for f >= step && u < len(units)-1 {
		f /= step
		u++
	}
	if u == 0 || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, units[u])
	}
	return fmt.Sprintf("%.1f %s", f, units[u])
}

func (a *App) checkDatabase(ctx context.Context) check {
	const name = "database"
	st, err := a.readStore(ctx)
	if err != nil {
		return failed(name, err, "")
	}
	driver := sqliteVersion()
	if st == nil {
		return check{Name: name, State: checkOK, Detail: "made by the first run; " + driver}
	}
	runs, err := st.ListRuns(ctx, persistence.RunFilter{})
	if err == nil {
		err = st.Check(ctx)
	}
	if err = closing(err, st); err != nil {
		return failed(name, err, "")
	}
	return check{Name: name, State: checkOK, Detail: fmt.Sprintf("sound, %d runs; %s", len(runs), driver)}
}

// sqliteVersion names the database driver that was built in.
func sqliteVersion() string {
	const module = "modernc.org/sqlite"
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range build.Deps {
			if dep.Path == module {
				return module + " " + dep.Version
			}
		}
	}
	return module
}

func (a *App) checkSupervision(ctx context.Context) check {
	const name = "supervision"
	self, err := os.Executable()
	if err != nil {
		return failed(name, fmt.Errorf("find this program: %w", err), "")
	}
	var best *process.LevelReport
	var reasons []string
	reports := process.ProbeWith(ctx, process.Options{Executable: self, Args: a.supervisorArgs()})
	for i, r := range reports {
		if r.Err != nil {
			reasons = append(reasons, fmt.Sprintf("%s: %v", r.Level, r.Err))
			continue
		}
		if best == nil {
			best = &reports[i]
		}
	}
	if best == nil {
		return failed(name, errors.New(strings.Join(reasons, "; ")), "")
	}
	c := check{Name: name, State: checkOK, Detail: best.Level.String()}
	switch best.Level {
	case process.LevelNamespace:
		c.Detail += ": the kernel ends every process of a task with its owner"
	case process.LevelSubreaper:
		c.State = checkWarn
		c.Detail += ": processes of tasks are found and ended when their owner dies (" + strings.Join(reasons, "; ") + ")"
		c.Fix = "sysctl kernel.unprivileged_userns_clone=1, or allow user namespaces in the container"
	default:
		c.State = checkWarn
		c.Detail += ": a process that leaves its group may outlive its task (" + strings.Join(reasons, "; ") + ")"
	}
	return c
}

// firstWord returns the program that a simple shell command starts; empty when only a shell can tell.
func firstWord(command string) string {
	words := strings.Fields(command)
	if len(words) == 0 || strings.ContainsAny(words[0], "=$`'\"\\(){};&|<>*?[]~!#") {
		return ""
	}
	return words[0]
}
