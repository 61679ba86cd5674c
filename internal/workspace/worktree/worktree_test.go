package worktree_test

import (
	"testing"

	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/workspacetest"
	"orchestrator/internal/workspace/worktree"
)

func TestWorktreeKeepsTheContract(t *testing.T) {
	workspacetest.Run(t, func(r *workspace.Repository) workspace.Driver { return worktree.New(r) })
}
