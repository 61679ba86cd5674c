package plan

import (
	"fmt"
	"strings"
	"testing"
)

// layered is a plan of n tasks in layers, each with needs and writes.
func layered(n int) []byte {
	var b strings.Builder
	b.WriteString("version: 1\nagents: {c: {provider: command, command: x}}\ndefaults: {agent: c, verify: make test}\ntasks:\n")
	for i := range n {
		fmt.Fprintf(&b, "  t%d:\n    prompt: Change number %d.\n    writes: [src/d%d/**, docs/*.md]\n", i, i, i%1000)
		if i > 100 {
			fmt.Fprintf(&b, "    needs: [t%d, t%d]\n", i-100, i-50)
		}
	}
	return []byte(b.String())
}

// chain is a plan of n tasks one after the other, all writing the same files.
func chain(n int) []byte {
	var b strings.Builder
	b.WriteString("version: 1\ntasks:\n  t0: {run: x}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  t%d: {run: x, needs: t%d, writes: ['**']}\n", i, i-1)
	}
	return []byte(b.String())
}

// ring is a chain that bites its tail.
func ring(n int) []byte {
	return append(chain(n), fmt.Sprintf("  tail: {run: x, needs: t%d}\n", n-1)...)
}

func BenchmarkParse(b *testing.B) {
	for name, src := range map[string][]byte{"layered-100000": layered(100_000), "chain-100000": chain(100_000), "layered-1000": layered(1000)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				if p, list := Parse("p.yaml", src, Options{}); p == nil {
					b.Fatal(list.Errors()[0])
				}
			}
		})
	}
}

func BenchmarkTasks(b *testing.B) {
	p, list := Parse("p.yaml", layered(100_000), Options{})
	if p == nil {
		b.Fatal(list.Errors()[0])
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Tasks()
	}
}

func TestALargeRingIsNamedOnce(t *testing.T) {
	src := strings.Replace(string(ring(5_000)), "t0: {run: x}", "t0: {run: x, needs: tail}", 1)
	_, list := Parse("p.yaml", []byte(src), Options{})
	if len(list) != 1 || list[0].Code != "cycle" || len(list[0].Message) > 200 {
		t.Fatalf("got %d findings: %.300v", len(list), list)
	}
}
