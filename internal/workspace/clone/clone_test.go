package clone_test

import (
	"testing"

	"orchestrator/internal/workspace"
	"orchestrator/internal/workspace/clone"
	"orchestrator/internal/workspace/workspacetest"
)

func TestCloneKeepsTheContract(t *testing.T) {
	workspacetest.Run(t, func(r *workspace.Repository) workspace.Driver { return clone.New(r) })
}
