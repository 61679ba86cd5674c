package process_test

import (
	"fmt"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"orchestrator/internal/process"
)

// The two benchmarks run the same no-op command with the same parallelism; their ratio is what a
// supervisor costs. cpu-µs/op counts this process, the supervisor and the commands.

func BenchmarkForkExec(b *testing.B) {
	bench(b, func(b *testing.B) (func(int64), func()) {
		return func(int64) {
			cmd := exec.Command("sh", "-c", "true")
			cmd.Env = env(b)
			if err := cmd.Run(); err != nil {
				b.Error(err)
			}
		}, func() {}
	})
}

func BenchmarkLaunch(b *testing.B) {
	for _, level := range levels(b) {
		b.Run(level.String(), func(b *testing.B) {
			bench(b, func(b *testing.B) (func(int64), func()) {
				s := start(b, process.Options{Level: level, Mark: "bench", Journal: b.TempDir() + "/exits"})
				ctx := b.Context()
				vars := env(b)
				return func(i int64) {
						c, err := s.Launch(ctx, process.Spec{ID: fmt.Sprint(i), Argv: []string{"sh", "-c", "true"}, Dir: "/", Env: vars})
						if err != nil {
							b.Error(err)
							return
						}
						if _, err := c.Wait(ctx); err != nil {
							b.Error(err)
						}
					}, func() {
						if err := s.Close(ctx); err != nil {
							b.Error(err)
						}
					}
			})
		})
	}
}

func bench(b *testing.B, prepare func(*testing.B) (func(int64), func())) {
	for _, parallel := range []int{1, 4} {
		b.Run(fmt.Sprint("parallel=", parallel), func(b *testing.B) {
			before := cpu()
			do, finish := prepare(b)
			var next atomic.Int64
			done := make(chan struct{})
			b.ResetTimer()
			for range parallel {
				go func() {
					defer func() { done <- struct{}{} }()
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						do(i)
					}
				}()
			}
			for range parallel {
				<-done
			}
			b.StopTimer()
			finish() // only a supervisor that has ended shows what it and its commands used
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpu is the time that this process and all that it waited for used.
func cpu() time.Duration {
	var self, children syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &self)
	_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children)
	return time.Duration(self.Utime.Nano() + self.Stime.Nano() + children.Utime.Nano() + children.Stime.Nano())
}
