package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
	"orchestrator/internal/scheduler"
	"orchestrator/internal/workspace"
)

// cut ends an engine right after one of its effects, as a kill would: what it was about to do and to record next does
// not happen. An effect is a transition of the store or a change of a ref.
type cut struct {
	mu      sync.Mutex
	effects int
	last    int // the engine ends after this effect; 0 = never
	lost    int // so many transitions before the end are taken back, as a power cut does
}

var errCut = &persistence.Error{Op: "write", Kind: persistence.ErrLeaseLost, Err: errors.New("cut off")}

// next counts an effect; an error says that it must not happen.
func (c *cut) next() (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last > 0 && c.effects >= c.last {
		return 0, errCut
	}
	c.effects++
	return c.effects, nil
}

// forgotten says whether a power cut takes an effect back.
func (c *cut) forgotten(n int) bool { return c.last > 0 && n > c.last-c.lost }

type cutStore struct {
	persistence.Store
	cut *cut
}

func (s *cutStore) Apply(ctx context.Context, t persistence.Transition) (int64, error) {
	n, err := s.cut.next()
	if err != nil {
		return 0, err
	}
	if s.cut.forgotten(n) {
		return 0, nil
	}
	return s.Store.Apply(ctx, t)
}

type cutRepository struct {
	orchestrator.Repository
	cut *cut
}

func (r *cutRepository) Begin(ctx context.Context, run, branch, base string) (bool, error) {
	if _, err := r.cut.next(); err != nil {
		return false, err
	}
	return r.Repository.Begin(ctx, run, branch, base)
}

func (r *cutRepository) Seal(ctx context.Context, s workspace.SealSpec) (workspace.Saved, error) {
	if _, err := r.cut.next(); err != nil {
		return workspace.Saved{}, err
	}
	return r.Repository.Seal(ctx, s)
}

func (r *cutRepository) Advance(ctx context.Context, run string, m workspace.Merge) error {
	if _, err := r.cut.next(); err != nil {
		return err
	}
	return r.Repository.Advance(ctx, run, m)
}

func (r *cutRepository) Mirror(ctx context.Context, run, branch string) error {
	if _, err := r.cut.next(); err != nil {
		return err
	}
	return r.Repository.Mirror(ctx, run, branch)
}

// stride is how many effects lie between the crashes that a test tries.
func stride() int {
	if underRace {
		return 3
	}
	return 1
}

func TestARunEndsTheSameAfterACrashAtAnyEffect(t *testing.T) {
	for _, lost := range []int{0, 8} {
		t.Run(fmt.Sprintf("%d transitions taken back", lost), func(t *testing.T) {
			told := false // of a merge that the store does not know
			defer func() {
				if !told && !t.Failed() {
					t.Error("no crash left a merge that the store does not know")
				}
			}()
			for n := lost + 1; ; n += stride() {
				r := newRig(t)
				r.create(&scheduler.Task{ID: "a", Command: "echo a >> a.txt", Verify: []string{"test -s a.txt"}})
				r.cut = &cut{last: n, lost: lost}
				_, err := r.engine().Run(r.ctx)
				if err != nil && !errors.Is(err, persistence.ErrLeaseLost) {
					t.Fatalf("cut off after effect %d: %v", n, err)
				}
				r.cut = nil
				told = r.previewTellsOfMerge(n) || told
				if err == nil && lost == 0 {
					if n < 10 {
						t.Errorf("only %d effects were counted", n)
					}
					return // it came to its end
				}
				if s := r.finish(); s != scheduler.RunCompleted || r.states() != "a completed" {
					t.Fatalf("cut off after effect %d: %s, %s", n, s, r.states())
				}
				if got := r.git("log", "--first-parent", "--reverse", "--format=%(trailers:key=Orc-Task,valueonly,separator=)", "main..refs/orc/7f3c/integration"); got != "a" {
					t.Fatalf("cut off after effect %d: merged %q", n, got)
				}
				if got := r.merged("a.txt"); got != "a" {
					t.Fatalf("cut off after effect %d: a.txt is %q", n, got)
				}
				if err == nil {
					return
				}
			}
		})
	}
}

// previewTellsOfMerge holds what resuming says beforehand against git, and says whether git knows more than the store.
func (r *rig) previewTellsOfMerge(effect int) bool {
	r.t.Helper()
	merges, err := r.repo.Merges(r.ctx, "7f3c")
	if err != nil && !errors.Is(err, workspace.ErrNotBegun) {
		r.t.Fatal(err)
	}
	list, err := orchestrator.Preview(r.ctx, r.store, "7f3c", filepath.Join(r.data, "exits.log"), merges)
	if err != nil {
		r.t.Fatal(err)
	}
	ahead := len(merges) > 0 && r.task("a").Status != scheduler.TaskCompleted
	if said := list[0].Why == "its work is merged already"; said != ahead || ahead && list[0].Action != orchestrator.ActionGoOn {
		r.t.Errorf("cut off after effect %d, merged %v: resume would say %+v", effect, ahead, list[0])
	}
	return ahead
}
