// Package stubmodel is a model server for tests of agent programs: it speaks the streaming dialects of Anthropic
// Messages, OpenAI Responses, OpenAI Chat Completions and Gemini, listens on the loopback interface only, and does
// what directives in the prompt say instead of thinking. It records every request, so that a test can tell which
// earlier messages a resumed session carried, and makes the mistakes that it is told to make.
package stubmodel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Model is the name under which the server offers itself; it answers to any other too.
const Model = "stub-model"

// bodyLimit is far above what any agent sends, so that a broken one cannot fill the memory.
const bodyLimit = 256 << 20

// Server is one model server. Its methods are safe for concurrent use.
type Server struct {
	listener net.Listener
	http     *http.Server
	served   chan error

	mu       sync.Mutex
	requests []Request
	faults   []Fault
	hung     map[string]bool // names of [[hang NAME]] that have hung
	changed  chan struct{}   // closed and replaced whenever requests changes
}

// Start serves on a free port of the loopback interface.
func Start() (*Server, error) { return Listen("127.0.0.1:0") }

// Listen serves on an address, whose host must be of the loopback interface.
func Listen(address string) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%s is not on the loopback interface", address), listener.Close())
	}
	s := &Server{listener: listener, served: make(chan error, 1), hung: map[string]bool{}, changed: make(chan struct{})}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { s.served <- s.http.Serve(listener) }()
	return s, nil
}

// URL is the server's address without a path.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close ends every connection, those that hang too, and the server.
func (s *Server) Close() error {
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("close the model server: %w", err)
	}
	return nil
}

// Inject adds a fault to those that wait for a request.
func (s *Server) Inject(f Fault) error {
	if err := f.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
	return nil
}

// Heal takes back every fault that still waits.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Requests returns what was asked so far, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Await waits until the requests from the given one on satisfy a condition, and returns them.
func (s *Server) Await(ctx context.Context, from int, enough func([]Request) bool) ([]Request, error) {
	for {
		s.mu.Lock()
		seen, changed := slices.Clone(s.requests[min(from, len(s.requests)):]), s.changed
		s.mu.Unlock()
		if enough(seen) {
			return seen, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return seen, fmt.Errorf("wait for a request to the model: %w", context.Cause(ctx))
		}
	}
}

// AwaitHang waits until the server holds back the rest of an answer to a request from the given one on.
func (s *Server) AwaitHang(ctx context.Context, from int) error {
	_, err := s.Await(ctx, from, func(all []Request) bool {
		return slices.ContainsFunc(all, func(q Request) bool { return q.Hanging })
	})
	return err
}

// ServeHTTP answers agents below any path and tests below /control/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/control/") {
		s.control(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d := dialectOf(r.URL.Path)
	if d == nil || r.Method != http.MethodPost {
		s.record(Request{API: "other", Method: r.Method, Path: r.URL.Path, Bytes: len(body)})
		other(w, r.URL.Path)
		return
	}
	q := Request{API: d.name(), Method: r.Method, Path: r.URL.Path, Bytes: len(body)}
	if err := d.read(&q, body); err != nil {
		s.record(q)
		http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	s.answer(w, r, d, q)
}

// answer does what the first fault that fits the request says, or else what the prompt says.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, d dialect, q Request) {
	act := script(&q)
	s.mu.Lock()
	fault, failed := s.take(q)
	if act.hang && act.hangName != "" && !failed {
		act.hang = !s.hung[act.hangName]
		s.hung[act.hangName] = true
	}
	s.mu.Unlock()
	if failed {
		q.Fault = fault.Kind
		if fault.Kind == FaultLimitText {
			act = reply{text: fault.text()}
		}
	}
	q.Reply, q.Call = act.text, act.call
	n := s.record(q)
	q.Number = n
	if failed && fault.serve(w, d) {
		return
	}
	act.broken = failed && fault.Kind == FaultMidStream
	if act.sleep > 0 && !failed {
		select {
		case <-time.After(act.sleep):
		case <-r.Context().Done():
			return
		}
	}
	out := &output{w: w, ctx: r.Context(), hold: func(on bool) { s.hold(n, on) }}
	if q.Stream {
		out.begin()
		d.stream(out, q, act)
	} else {
		d.whole(w, q, act)
	}
}

// take returns the fault for a request, if there is one, and counts it. The lock is held.
func (s *Server) take(q Request) (Fault, bool) {
	for i := range s.faults {
		f := &s.faults[i]
		if f.Match != "" && !q.Saw(f.Match) || q.Aside && !f.Asides {
			continue
		}
		taken := *f
		if f.Count > 0 {
			if f.Count--; f.Count == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return taken, true
	}
	return Fault{}, false
}

// record keeps a request and returns its number.
func (s *Server) record(q Request) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.Number = len(s.requests)
	s.requests = append(s.requests, q)
	s.wake()
	return q.Number
}

// hold notes that a request's answer is being held back, or that nobody waits for it any more.
func (s *Server) hold(number int, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[number].Hanging = on
	s.wake()
}

// wake lets those look again who wait for a change. The lock is held.
func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// other answers what agents ask besides the model's answers.
func other(w http.ResponseWriter, path string) {
	switch {
	case strings.HasSuffix(path, "/count_tokens"):
		writeJSON(w, http.StatusOK, object{"input_tokens": InputTokens})
	case strings.HasSuffix(path, ":countTokens"):
		writeJSON(w, http.StatusOK, object{"totalTokens": InputTokens})
	case strings.HasSuffix(path, "/models"):
		writeJSON(w, http.StatusOK, object{
			"object": "list", "has_more": false, "models": []any{},
			"data": []any{object{"id": Model, "object": "model", "type": "model", "display_name": "Stub", "created_at": "2026-01-01T00:00:00Z"}},
		})
	default:
		writeJSON(w, http.StatusNotFound, object{"error": object{"message": "no such path: " + path, "type": "not_found_error"}})
	}
}
