package workspace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"orchestrator/internal/fault"
)

// Begin makes the refs of a run: where it starts, what is merged so far (nothing), and the branch that shows it. It
// never moves a ref that is there; repeating it is harmless, also when the run has gone on since. ErrExists when the
// branch is somebody else's or cannot be made because of one that is. fresh says that the run had none of them yet.
func (r *Repository) Begin(ctx context.Context, run, branch, base string) (fresh bool, err error) {
	op := "begin run " + run
	if err := errors.Join(checkName("run", run), checkID(base)); err != nil {
		return false, &Error{Op: op, Err: err}
	}
	if err := r.checkBranch(ctx, branch); err != nil {
		return false, err
	}
	refs, err := r.branchesBeside(ctx, branch, baseRef(run), integrationRef(run))
	if err != nil {
		return false, &Error{Op: op, Err: err}
	}
	oldBase, integration, shown := refs[baseRef(run)], refs[integrationRef(run)], refs["refs/heads/"+branch]
	if oldBase != "" && oldBase != base {
		return false, &Error{
			Op: op, Kind: ErrExists, Err: fmt.Errorf("%s is at %s", baseRef(run), oldBase),
			Hint: "the run's refs are those of another run; remove them or use another id",
		}
	}
	if shown != "" && shown != base {
		ok := false
		if integration != "" {
			if ok, err = r.ancestor(ctx, shown, integration); err != nil {
				return false, &Error{Op: op, Err: err}
			}
		}
		if !ok {
			return false, &Error{
				Op: op, Kind: ErrExists, Err: fmt.Errorf("branch %s", branch),
				Hint: fmt.Sprintf("keep it under another name: git branch -m %s %s-old", branch, branch),
			}
		}
	}
	fresh = oldBase == "" && integration == ""
	var create []string
	if oldBase == "" {
		create = append(create, baseRef(run), base)
	}
	if integration == "" {
		integration = base
		create = append(create, integrationRef(run), base)
	}
	if shown == "" {
		if err := checkRoom(op, branch, refs); err != nil {
			return false, err
		}
		create = append(create, "refs/heads/"+branch, integration)
	}
	if create == nil {
		return false, nil
	}
	var in strings.Builder
	for i := 0; i < len(create); i += 2 {
		fmt.Fprintf(&in, "create %s %s\n", create[i], create[i+1])
	}
	c := r.plumbing("update-ref", "--create-reflog", "-m", "orc: begin run "+run, "--stdin")
	c.stdin = strings.NewReader(in.String())
	if err := r.updateRefs(ctx, c); err != nil {
		return false, &Error{Op: op, Err: err}
	}
	fault.Point("git.begin")
	return fresh, nil
}

// ourBranch are names that need not be shown to git.
var ourBranch = regexp.MustCompile(`^orc/[0-9a-z]+$`)

// checkBranch says whether git takes the name for a branch.
func (r *Repository) checkBranch(ctx context.Context, branch string) error {
	if ourBranch.MatchString(branch) {
		return nil
	}
	if branch != "" && !strings.HasPrefix(branch, "-") && branch != "HEAD" {
		_, err := r.run(ctx, r.plumbing("check-ref-format", "refs/heads/"+branch))
		if err == nil {
			return nil
		}
		if exitCode(err) < 0 {
			return &Error{Op: "check the branch's name", Err: err}
		}
	}
	return &Error{Op: "check the branch's name", Kind: ErrInvalid, Err: fmt.Errorf("%q", branch)}
}

// branchesBeside reads the branches that share a branch's first name, and other refs with them.
func (r *Repository) branchesBeside(ctx context.Context, branch string, others ...string) (map[string]string, error) {
	top, _, _ := strings.Cut(branch, "/")
	return r.readRefs(ctx, append(others, "refs/heads/"+top)...)
}

// checkRoom finds the branch that keeps another from being made: git keeps branches as files and folders.
func checkRoom(op, branch string, refs map[string]string) error {
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		other, ok := strings.CutPrefix(ref, "refs/heads/")
		if ok && (strings.HasPrefix(branch, other+"/") || strings.HasPrefix(other, branch+"/")) {
			return &Error{
				Op: op, Kind: ErrExists, Err: fmt.Errorf("branch %s leaves no room for branch %s", other, branch),
				Hint: fmt.Sprintf("rename it: git branch -m %s %s-branch", other, strings.ReplaceAll(other, "/", "-")),
			}
		}
	}
	return nil
}
