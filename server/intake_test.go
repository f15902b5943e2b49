package server

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/valyala/fasthttp"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/server/api"
)

// intakeServer is a server with one tenant, whose events are of 2025-06-01.
func intakeServer(t *testing.T) (*Server, *tenant) {
	t.Helper()
	now := func() time.Time { return time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC) }
	db, err := engine.Open("data", engine.Options{FS: vfs.NewMem(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(db, Options{Now: now, Limits: api.Limits{Events: 20}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	owner, err := s.tenants.get("shop")
	if err != nil {
		t.Fatal(err)
	}
	return s, owner
}

// randomPosted makes a body of which some events, or all of it, may be refused.
func randomPosted(r *rand.Rand, number int) *posted {
	line := func() string {
		switch r.IntN(12) {
		case 0:
			return `{"event":7}` // rejected by the scanner
		case 1:
			return `{"event":"old","time":"1600-01-01T00:00:00Z"}` // rejected by the store
		case 2:
			return fmt.Sprintf(`{"event":"twice","id":"t%d","time":1748764800}`, r.IntN(20))
		case 3:
			return fmt.Sprintf(`{"event":"known","time":1748764801,"received":174876480%d,"n":%d}`, r.IntN(9), number)
		default:
			return fmt.Sprintf(`{"event":"e%d","user":"u%d","time":%d,"n":%d,"f%d":"x"}`, r.IntN(4), r.IntN(9), 1748764800+r.IntN(3600), number, r.IntN(5))
		}
	}
	var lines []string
	for range 1 + r.IntN(6) {
		lines = append(lines, line())
	}
	p := &posted{body: []byte(strings.Join(lines, "\n")), allVerdicts: r.IntN(4) == 0}
	switch r.IntN(10) {
	case 0:
		p.body = []byte("[" + strings.Join(lines, ",") + "}") // refused whole, at its end
	case 1:
		p.body = []byte(" \n")
	case 2:
		p.body = []byte(strings.Repeat(lines[0]+"\n", 21)) // too many
	case 3:
		p.body = []byte("[" + strings.Join(lines, ",") + "]")
	}
	if r.IntN(3) == 0 {
		p.batchID = fmt.Appendf(nil, "b%d", number/2) // every second is a repeat, in part or whole
	}
	p.hashIDs = r.IntN(5) == 0
	return p
}

// TestBodiesStoredTogetherAreStoredAsAlone stores random bodies one by one, and the same ones in groups. Every
// answer must be the same, and so must all that is stored.
func TestBodiesStoredTogetherAreStoredAsAlone(t *testing.T) {
	const bodies = 600
	alone, together := func(posts []*posted, in *intake) {
		for _, p := range posts {
			in.storeGroup([]*posted{p})
		}
	}, func(posts []*posted, in *intake) { in.storeGroup(posts) }
	run := func(t *testing.T, seed uint64, restoring bool, store func([]*posted, *intake)) (answers []string, stored []string) {
		s, owner := intakeServer(t)
		in := owner.state.Load().intake
		if restoring {
			in = owner.state.Load().restoring
		}
		r := rand.New(rand.NewPCG(seed, 1))
		for number := 0; number < bodies; {
			var posts []*posted
			for range 1 + r.IntN(40) {
				p := randomPosted(r, number)
				p.tenant, p.request = owner, &request{RequestCtx: &fasthttp.RequestCtx{}, s: s, owner: owner}
				posts = append(posts, p)
				number++
			}
			store(posts, in)
			for _, p := range posts {
				p.answer.Watermark = "" // frames are numbered differently
				text, err := json.Marshal(p.answer)
				if err != nil {
					t.Fatal(err)
				}
				if p.err != nil {
					text = []byte(p.err.Error())
				}
				answers = append(answers, string(p.body)+" → "+string(text))
			}
		}
		snapshot := owner.Snapshot()
		defer snapshot.Close()
		err := snapshot.Scan(t.Context(), engine.ScanOptions{Range: snapshot.TimeRange()}, func(e *event.Event) error {
			stored = append(stored, string(appendEvent(nil, e))+fmt.Sprint(" received ", e.Received))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(stored)
		return answers, stored
	}
	for seed := range uint64(6) {
		wantAnswers, want := run(t, seed, seed%2 == 0, alone)
		gotAnswers, got := run(t, seed, seed%2 == 0, together)
		for i := range wantAnswers {
			if gotAnswers[i] != wantAnswers[i] {
				t.Fatalf("seed %d: body %d alone: %s\ntogether: %s", seed, i, wantAnswers[i], gotAnswers[i])
			}
		}
		if !slices.Equal(got, want) {
			for i := range want {
				if i >= len(got) || got[i] != want[i] {
					t.Fatalf("seed %d: %d events are stored alone, %d together; the first other one is\n%s alone,\n%s together", seed, len(want), len(got), want[i], got[min(i, len(got)-1)])
				}
			}
			t.Fatalf("seed %d: %d events are stored alone, %d together", seed, len(want), len(got))
		}
	}
}
