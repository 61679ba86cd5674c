package process

import (
	"bytes"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFramesArriveWholeHoweverTheyAreCut(t *testing.T) {
	l := launch{seq: 7, files: 5, id: "a", dir: "/d", argv: []string{"sh", ""}, env: []string{"A=" + strings.Repeat("x", 200<<10)}}
	e := Exit{Code: 137, Signal: "SIGKILL", Started: time.Unix(1, 2), Ended: time.Unix(3, 4), User: 5, System: 6, MaxRSS: 7, Strays: 8, Lost: true}
	stream := bytes.Join([][]byte{l.frame(), exitFrame(9, e, syscall.SIGKILL), l.frame()}, nil)
	for _, chunk := range []int{1, 3, 4096, len(stream)} {
		var in inbox
		var kinds []byte
		for rest := stream; len(rest) > 0; {
			n := copy(in.room(), rest[:min(chunk, len(rest))])
			in.took(n)
			rest = rest[n:]
			for {
				kind, body, ok, err := in.next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				kinds = append(kinds, kind)
				switch kind {
				case frameLaunch:
					if got, err := parseLaunch(body); err != nil || !reflect.DeepEqual(got, l) {
						t.Fatalf("chunk %d: launch %+v, %v", chunk, got, err)
					}
				case frameExit:
					if seq, got, err := parseExit(body); err != nil || seq != 9 || got != e {
						t.Fatalf("chunk %d: exit %+v, %v", chunk, got, err)
					}
				}
			}
		}
		if !bytes.Equal(kinds, []byte{frameLaunch, frameExit, frameLaunch}) {
			t.Errorf("chunk %d: frames %v", chunk, kinds)
		}
	}
}

func FuzzDecodersNeverPanic(f *testing.F) {
	l := launch{id: "a", argv: []string{"x"}}
	f.Add(l.frame())
	f.Add(exitFrame(1, Exit{}, 0))
	f.Add(refusalFrame(&HeldError{Path: "p", PID: 3}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var in inbox
		in.took(copy(in.room(), b))
		for {
			_, body, ok, err := in.next()
			if err != nil || !ok {
				break
			}
			_, _ = parseLaunch(body)
			_, _, _ = parseExit(body)
			_ = refusal(body)
		}
		_, _ = parseLaunch(b)
	})
}
