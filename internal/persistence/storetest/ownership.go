package storetest

import (
	"testing"
	"time"

	"orchestrator/internal/persistence"
)

var leaseCases = []testCase{
	{"a lease round-trips and generations grow", leaseRoundTrip},
	{"a live lease of another owner is a conflict", leaseConflict},
	{"an expired, released or forced lease changes hands", leaseChangesHands},
	{"an older generation neither renews nor releases", oldGeneration},
	{"a released lease stays released", releasedStays},
	{"of concurrent owners one wins each generation", leaseRace},
	{"a run without an owner has no lease", noLease},
}

var requestCases = []testCase{
	{"requests are pending in order until consumed", requestOrder},
	{"a request of an unknown run is refused", requestOfUnknownRun},
	{"an unknown request is not found", unknownRequest},
	{"a request is consumed exactly once", consumedOnce},
}

func lease(owner string, expires time.Time) persistence.Lease {
	return persistence.Lease{Run: "aa", Owner: owner, PID: 42, Host: "here", ExpiresAt: expires}
}

func leaseRoundTrip(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	want := lease("one", at.Add(time.Second))
	for i := range int64(3) {
		g, err := s.AcquireLease(t.Context(), want, at, false)
		must(t, err)
		if g != i+1 {
			t.Fatalf("generation %d, want %d", g, i+1)
		}
		want.Generation = g
		got, err := s.GetLease(t.Context(), "aa")
		must(t, err)
		wantSame(t, "lease", got, want)
	}
	want.ExpiresAt = at.Add(time.Hour)
	must(t, s.RenewLease(t.Context(), "aa", 3, at, want.ExpiresAt))
	got, err := s.GetLease(t.Context(), "aa")
	must(t, err)
	wantSame(t, "renewed lease", got, want)
}

func leaseConflict(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	_, err := s.AcquireLease(t.Context(), lease("one", at.Add(time.Second)), at, false)
	must(t, err)
	_, err = s.AcquireLease(t.Context(), lease("two", at.Add(time.Minute)), at, false)
	wantIs(t, err, persistence.ErrConflict)
	got, err := s.GetLease(t.Context(), "aa")
	must(t, err)
	if got.Owner != "one" || got.Generation != 1 {
		t.Errorf("after a refusal the lease is %+v", got)
	}
}

func leaseChangesHands(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	acquire := func(owner string, now time.Time, force bool) int64 {
		t.Helper()
		g, err := s.AcquireLease(t.Context(), lease(owner, now.Add(time.Second)), now, force)
		must(t, err)
		return g
	}
	acquire("one", at, false)
	acquire("two", at.Add(time.Second), false) // expired at that very moment
	g := acquire("three", at.Add(time.Second), true)
	must(t, s.ReleaseLease(t.Context(), "aa", g))
	if g := acquire("four", at.Add(time.Second), false); g != 4 {
		t.Errorf("generation %d after four owners", g)
	}
}

func oldGeneration(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	old := own(t, s, "aa")
	present := own(t, s, "aa")
	wantIs(t, s.RenewLease(t.Context(), "aa", old, at, at), persistence.ErrLeaseLost)
	wantIs(t, s.ReleaseLease(t.Context(), "aa", old), persistence.ErrLeaseLost)
	wantIs(t, s.RenewLease(t.Context(), "aa", present+1, at, at), persistence.ErrLeaseLost)
	must(t, s.RenewLease(t.Context(), "aa", present, at, at.Add(time.Hour)))
	must(t, s.ReleaseLease(t.Context(), "aa", present))
}

func releasedStays(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	g := own(t, s, "aa")
	must(t, s.ReleaseLease(t.Context(), "aa", g))
	wantIs(t, s.RenewLease(t.Context(), "aa", g, at, at.Add(time.Hour)), persistence.ErrLeaseLost)
	got, err := s.GetLease(t.Context(), "aa")
	must(t, err)
	if got.Generation != g || got.Owner != "tester" || !got.ExpiresAt.IsZero() {
		t.Errorf("released lease is %+v", got)
	}
}

func leaseRace(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	const owners = 6
	won := make(chan int64)
	for i := range owners {
		go func() {
			g, err := s.AcquireLease(t.Context(), lease(string(rune('a'+i)), at.Add(time.Hour)), at, false)
			if err != nil {
				g = 0
			}
			won <- g
		}()
	}
	var winners int
	for range owners {
		if g := <-won; g != 0 {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d owners hold the lease", winners)
	}
}

func noLease(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	_, err := s.GetLease(t.Context(), "aa")
	wantIs(t, err, persistence.ErrNotFound)
	wantIs(t, s.RenewLease(t.Context(), "aa", 0, at, at), persistence.ErrLeaseLost)
	l := lease("one", at)
	l.Run = "zz"
	_, err = s.AcquireLease(t.Context(), l, at, false)
	wantIs(t, err, persistence.ErrNotFound)
}

func requestOrder(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	create(t, s, "bb")
	var want []persistence.Request
	for _, kind := range []string{"pause", "retry", "cancel"} {
		r := persistence.Request{Run: "aa", Kind: kind, Payload: `{"task":"a,b"}`, CreatedAt: at}
		id, err := s.AddRequest(t.Context(), r)
		must(t, err)
		if len(want) > 0 && id <= want[len(want)-1].ID {
			t.Fatalf("request %d came after %d", id, want[len(want)-1].ID)
		}
		r.ID = id
		want = append(want, r)
		_, err = s.AddRequest(t.Context(), persistence.Request{Run: "bb", Kind: kind})
		must(t, err)
	}
	got, err := s.PendingRequests(t.Context(), "aa")
	must(t, err)
	wantSame(t, "requests", got, want)
	_, err = s.Apply(t.Context(), persistence.Transition{
		Run: "aa", Generation: own(t, s, "aa"), Now: at, Requests: []persistence.RequestDone{{ID: want[1].ID}},
	})
	must(t, err)
	got, err = s.PendingRequests(t.Context(), "aa")
	must(t, err)
	wantSame(t, "requests that are left", got, []persistence.Request{want[0], want[2]})
	one, err := s.GetRequest(t.Context(), want[1].ID)
	must(t, err)
	want[1].ConsumedAt = at
	wantSame(t, "consumed request", one, want[1])
}

func requestOfUnknownRun(t *testing.T, s persistence.Store) {
	_, err := s.AddRequest(t.Context(), persistence.Request{Run: "zz", Kind: "x"})
	wantIs(t, err, persistence.ErrNotFound)
}

func unknownRequest(t *testing.T, s persistence.Store) {
	_, err := s.GetRequest(t.Context(), 99)
	wantIs(t, err, persistence.ErrNotFound)
}

func consumedOnce(t *testing.T, s persistence.Store) {
	create(t, s, "aa")
	g := own(t, s, "aa")
	id, err := s.AddRequest(t.Context(), persistence.Request{Run: "aa", Kind: "x"})
	must(t, err)
	const consumers = 5
	done := make(chan error)
	for range consumers {
		go func() {
			_, err := s.Apply(t.Context(), persistence.Transition{Run: "aa", Generation: g, Now: at, Requests: []persistence.RequestDone{{ID: id}}})
			done <- err
		}()
	}
	var consumed int
	for range consumers {
		if err := <-done; err == nil {
			consumed++
		} else {
			wantIs(t, err, persistence.ErrConflict)
		}
	}
	if consumed != 1 {
		t.Errorf("consumed %d times", consumed)
	}
}
