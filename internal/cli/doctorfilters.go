package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// checkFilters looks whether the programs of the repository's required git filters are there.
func (a *App) checkFilters(ctx context.Context) check {
	const name = "git filters"
	repo, err := a.openRepository(ctx, a.Dir)
	if err != nil {
		// The check of the repository says so.
		return check{Name: name, State: checkOK, Detail: "no repository, none needed"}
	}
	_, head, err := repo.Head(ctx)
	if errors.Is(err, workspace.ErrNoCommits) {
		return check{Name: name, State: checkOK, Detail: "no commits yet, none needed"}
	}
	if err != nil {
		return failed(name, err, "")
	}
	filters, err := repo.RequiredFilters(ctx, head)
	if err != nil {
		return failed(name, err, "")
	}
	if err := a.filtersUsable(ctx, repo, filters); err != nil {
		return failed(name, err, "")
	}
	if len(filters) == 0 {
		return check{Name: name, State: checkOK, Detail: "none required"}
	}
	var names []string
	for _, f := range filters {
		names = append(names, f.Name)
	}
	return check{Name: name, State: checkOK, Detail: "required and there: " + strings.Join(names, ", ")}
}

// refuseFilters fails when work could not be saved, because a required git filter's program is missing.
func (a *App) refuseFilters(ctx context.Context, repo *workspace.Repository, base string, tasks []*scheduler.Task) error {
	saves := false
	for _, t := range tasks {
		saves = saves || t.Isolation != scheduler.IsolationNone
	}
	if !saves {
		return nil
	}
	filters, err := repo.RequiredFilters(ctx, base)
	if err != nil {
		return err
	}
	return a.filtersUsable(ctx, repo, filters)
}

// filtersUsable names the first filter that has no command, or whose program is not there.
func (a *App) filtersUsable(ctx context.Context, repo *workspace.Repository, filters []workspace.RequiredFilter) error {
	if len(filters) == 0 {
		return nil
	}
	own, err := repo.Query(ctx, "--exec-path") // git puts it before PATH
	if err != nil {
		return err
	}
	for _, f := range filters {
		optional := "or make it optional: git config filter." + f.Name + ".required false"
		if len(f.Commands) == 0 {
			return &ExitError{
				Code: ExitUsage, Err: errorf("the git filter %s is required here, and no command is configured for it: no work could be saved", f.Name),
				Hint: "set it up as its makers say (git lfs install, for example),\n" + optional,
			}
		}
		for _, command := range f.Commands {
			program := firstWord(command)
			if program == "" || a.filterProgram(own, repo.Root(), program) {
				continue
			}
			return &ExitError{
				Code: ExitUsage, Err: errorf("the git filter %s is required here, and its program %s is not there: no work could be saved", f.Name, program),
				Hint: fmt.Sprintf("install %s,\n%s", program, optional),
			}
		}
	}
	return nil
}

// filterProgram says whether git's shell would find the program.
func (a *App) filterProgram(own, root, program string) bool {
	if strings.ContainsRune(program, filepath.Separator) {
		if !filepath.IsAbs(program) {
			program = filepath.Join(root, program)
		}
		return executable(program) == nil
	}
	if builtins[program] || executable(filepath.Join(own, program)) == nil {
		return true
	}
	_, err := a.lookPath(program)
	return err == nil
}

// builtins are words of the shell that a filter may begin with and that are no program's name.
var builtins = map[string]bool{
	".": true, ":": true, "cd": true, "command": true, "eval": true, "exec": true, "export": true, "if": true, "read": true, "set": true,
	"test": true, "trap": true, "umask": true, "unset": true, "while": true, "for": true, "case": true, "until": true,
}
