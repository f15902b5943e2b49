package query_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query"
	"cairn/query/querytest"
	"cairn/query/reference"
	"cairn/query/result"
)

// onEngine runs queries on an engine with tiny segments: some events sealed and merged, some sealed
// since, the rest hot.
type onEngine struct {
	opt engine.Options
	db  *engine.DB
	// reopen closes and opens the directory between sealing and the hot rest.
	reopen bool
}

const engineTenant = "golden"

func engineOptions(blockRows int) engine.Options {
	return engine.Options{
		BlockRows: blockRows, NoBackground: true, DedupWindow: -1,
		Now: func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) },
	}
}

func (e *onEngine) Load(t testing.TB, events []event.Event) {
	if err := e.load(events); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.close() })
}

func (e *onEngine) close() {
	if e.db != nil {
		e.db.Close()
		e.db = nil
	}
}

func (e *onEngine) load(events []event.Event) (err error) {
	e.close()
	e.opt.FS = vfs.NewMem()
	if e.db, err = engine.Open("golden", e.opt); err != nil {
		return err
	}
	third := (len(events) + 2) / 3
	for i, part := range [][]event.Event{
		events[:min(third, len(events))], events[min(third, len(events)):min(2*third, len(events))], events[min(2*third, len(events)):],
	} {
		if err := e.append(part); err != nil {
			return err
		}
		if i == 2 {
			break
		}
		if err := e.db.Settle(context.Background()); err != nil {
			return err
		}
		if e.reopen {
			if err := e.db.Close(); err != nil {
				return err
			}
			if e.db, err = engine.Open("golden", e.opt); err != nil {
				return err
			}
		}
	}
	return nil
}

// append appends events in several batches.
func (e *onEngine) append(events []event.Event) error {
	tenant, err := e.db.Tenant(engineTenant)
	if err != nil {
		return err
	}
	for len(events) > 0 {
		n := min(7, len(events))
		verdicts, err := tenant.Append(context.Background(), slices.Clone(events[:n]))
		if err != nil {
			return err
		}
		for i, v := range verdicts {
			if v.Kind != engine.OK {
				return fmt.Errorf("event %+v: %+v", events[i], v)
			}
		}
		events = events[n:]
	}
	return nil
}

func (e *onEngine) Link(t testing.TB, links []engine.Link) {
	if err := e.link(links); err != nil {
		t.Fatal(err)
	}
}

func (e *onEngine) link(links []engine.Link) error {
	tenant, err := e.db.Tenant(engineTenant)
	if err == nil {
		_, err = tenant.Link(context.Background(), links)
	}
	return err
}

func (e *onEngine) Query(text string, env reference.Env) (*result.Table, error) {
	tenant, err := e.db.Tenant(engineTenant)
	if err != nil {
		return nil, err
	}
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	return query.Run(context.Background(), snapshot, text, withEnv(query.Options{}, env))
}

func TestGoldenOnEngine(t *testing.T) {
	querytest.Run(t, func(testing.TB) querytest.Evaluator { return &onEngine{opt: engineOptions(8)} })
}

// The same on an engine that is closed and opened between appends.
func TestRandomQueriesOnEngine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := querytest.RandomEvents(t)
		text := querytest.RandomQuery(t)
		var reference querytest.Reference
		reference.Load(nil, events)
		want, wantErr := reference.Query(text, querytest.RandomEnv())
		e := &onEngine{
			opt:    engineOptions(rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "block rows")),
			reopen: rapid.Bool().Draw(t, "reopen"),
		}
		defer e.close()
		if err := e.load(rapid.Permutation(slices.Clone(events)).Draw(t, "order")); err != nil {
			t.Fatal(err)
		}
		got, gotErr := e.Query(text, querytest.RandomEnv())
		if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
			t.Fatalf("%s\n%s", text, diff)
		}
	})
}
