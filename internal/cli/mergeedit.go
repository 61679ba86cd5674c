package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// edit has a person resolve the conflict of a merge that waits, in git's merge.tool where one is set and else in the
// editor. What was resolved is judged by --continue.
func (m *merging) edit(ctx context.Context) error {
	paths, err := m.repo.LandPaths(m.spec)
	if err != nil {
		return m.explain(err)
	}
	err = m.app.asUser(func() error {
		tool, err := m.mergeTool(ctx)
		if err != nil || tool {
			return err
		}
		return m.app.openEditor(ctx, m.there(paths)...)
	})
	if err != nil {
		return err
	}
	if err := m.app.tell("When they are resolved: orc merge %s --continue", m.run.ID); err != nil {
		return err
	}
	return silent(ExitConflict)
}

// there are the files of the conflict that exist, or else the folder: an editor would make the others anew.
func (m *merging) there(paths []string) []string {
	var files []string
	for _, p := range paths {
		file := filepath.Join(m.spec.Dir, filepath.FromSlash(p))
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			files = append(files, file)
		}
	}
	if files == nil {
		return []string{m.spec.Dir}
	}
	return files
}

// mergeTool runs the merge tool of the user's git configuration in the folder of the conflict, and says whether there
// is one. Its backups are not kept: they would be taken for a part of the resolution.
func (m *merging) mergeTool(ctx context.Context) (used bool, err error) {
	git := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir, cmd.Env = m.spec.Dir, m.app.Environ
		return cmd
	}
	out, err := git("config", "--get", "merge.tool").Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for a merge tool: %w", err)
	}
	tool := strings.TrimSpace(string(out))
	cmd := git("-c", "mergetool.keepBackup=false", "mergetool")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = m.app.Stdin, m.app.Stdout, m.app.Stderr
	if err := cmd.Run(); err != nil {
		return true, &ExitError{
			Code: ExitConflict, Err: fmt.Errorf("run the merge tool %s: %w", tool, err),
			Hint: fmt.Sprintf("edit the files in %s yourself, then orc merge %s --continue", m.app.tilde(m.spec.Dir), m.run.ID),
		}
	}
	return true, nil
}
