package workspace_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/internal/workspace/workspacetest"
)

// large is a rig with a repository of ten thousand files.
func large(b *testing.B) *workspacetest.Rig {
	b.Helper()
	r := workspacetest.New(b, workspacetest.Options{Empty: true})
	for d := range 100 {
		for f := range 100 {
			var text strings.Builder
			for l := range 30 {
				fmt.Fprintf(&text, "line %d of file %d in folder %d\n", l, f, d)
			}
			r.Write(fmt.Sprintf("folder%02d/file%02d.txt", d, f), text.String())
		}
	}
	r.Git("add", "-A")
	r.Git("commit", "-q", "-m", "ten thousand files")
	return r
}

// edit is what every task of the benchmark does.
func edit(b *testing.B, dir string, n int) {
	workspacetest.Write(b, dir, fmt.Sprintf("folder%02d/file%02d.txt", n%100, n/100%100), fmt.Sprintf("changed by %d\n", n))
	workspacetest.Write(b, dir, fmt.Sprintf("new/file%d.txt", n), "new\n")
}

// cpu is what this process and its children have used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// BenchmarkTask10k is one task on a repository of ten thousand files, from its workspace to its merge: by the pool, and
// as a person does it by hand.
func BenchmarkTask10k(b *testing.B) {
	b.Run("pool", func(b *testing.B) {
		r := large(b)
		if _, err := r.Repo.Begin(b.Context(), workspacetest.RunID, workspacetest.Branch, r.Head()); err != nil {
			b.Fatal(err)
		}
		pool := newPool(r, r.Repo)
		n := 0
		one := func() {
			n++
			s := r.Spec(fmt.Sprintf("t%d", n))
			if err := pool.Take(b.Context(), s); err != nil {
				b.Fatal(err)
			}
			edit(b, s.Dir, n)
			r.Merge(s.Task, r.Seal(s).Commit)
			if err := r.Repo.Mirror(b.Context(), workspacetest.RunID, workspacetest.Branch); err != nil {
				b.Fatal(err)
			}
			if err := pool.Give(b.Context(), s); err != nil {
				b.Fatal(err)
			}
		}
		one() // the first one is a checkout
		began := cpu(b)
		for b.Loop() {
			one()
		}
		b.ReportMetric(float64((cpu(b)-began).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		if os.Getenv("COMMANDS") != "" {
			used := map[string][]time.Duration{}
			for _, c := range r.Commands {
				used[c.Args[0]] = append(used[c.Args[0]], c.CPU)
			}
			for name, d := range used {
				slices.Sort(d)
				fmt.Printf("%s: %d times, median %v, most %v\n", name, len(d), d[len(d)/2], d[len(d)-1])
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		r := large(b)
		if _, err := r.Repo.Begin(b.Context(), workspacetest.RunID, workspacetest.Branch, r.Head()); err != nil {
			b.Fatal(err)
		}
		pool := newPool(r, r.Repo)
		pool.Size = -1
		s := r.Spec("t")
		began := cpu(b)
		for b.Loop() {
			if err := pool.Take(b.Context(), s); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((cpu(b)-began).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	})
	b.Run("by hand", func(b *testing.B) {
		r := large(b)
		n := 0
		began := cpu(b)
		for b.Loop() {
			n++
			dir := filepath.Join(r.Data, fmt.Sprintf("w%d", n))
			r.Git("worktree", "add", "-q", "-b", fmt.Sprintf("t%d", n), dir)
			edit(b, dir, n)
			r.GitIn(dir, "add", "-A")
			r.GitIn(dir, "commit", "-q", "-m", "work")
			r.Git("merge", "-q", "--no-ff", "-m", "merge", fmt.Sprintf("t%d", n))
		}
		b.ReportMetric(float64((cpu(b)-began).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	})
}
