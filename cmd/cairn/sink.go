package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"cairn/engine"
	"cairn/engine/column"
	"cairn/engine/event"
	"cairn/engine/ingest"
	"cairn/server/api"
)

// sink is where an import's events go.
type sink interface {
	// write stores the events of a result and calls rejected for those that were refused.
	write(ctx context.Context, r *ingest.Result, rejected rejectedRow) (ok, duplicate int, err error)
	// finish returns when everything written is durable and can be queried.
	finish(ctx context.Context) error
	close() error
}

// rejectedRow is told of an event, by its row in the batch, that the store refused.
type rejectedRow func(row int, reason, field, message string) error

func (cmd *importCmd) openSink(now time.Time) (sink, error) {
	if cmd.Server != "" {
		c := cmd.client()
		c.patient = true
		return &serverSink{client: c, run: rand.Text()}, nil
	}
	// An import reads hardly anything back: memory is better spent on what is being written. The clock
	// stands still, so that all its events have one time of arrival.
	db, err := cmd.openDB(engine.Options{CacheBytes: 16 << 20, BlockCacheBytes: 16 << 20, Now: func() time.Time { return now }})
	if err != nil {
		return nil, err
	}
	tenant, err := db.Tenant(cmd.Tenant)
	if err != nil {
		db.Close()
		return nil, err
	}
	return &dirSink{db: db, tenant: tenant}, nil
}

// dirSink stores in a data directory. Batches are not synced one by one: finish syncs them all, and
// only then does the import say that they are stored.
type dirSink struct {
	db     *engine.DB
	tenant *engine.Tenant
}

func (s *dirSink) write(ctx context.Context, r *ingest.Result, rejected rejectedRow) (ok, duplicate int, err error) {
	stored, err := s.tenant.AppendBatch(ctx, r.Batch, engine.AppendOptions{Unsynced: true})
	if err != nil {
		return 0, 0, err
	}
	for _, v := range stored.Verdicts {
		if v.Kind == engine.Duplicate {
			continue
		}
		if err := rejected(v.Index, v.Reason, v.Field, v.Message); err != nil {
			return 0, 0, err
		}
	}
	return stored.Stored, stored.Duplicates, nil
}

func (s *dirSink) finish(context.Context) error { return s.db.Sync() }
func (s *dirSink) close() error                 { return s.db.Close() }

// The most of one request to a server, below its default limits.
const (
	requestEventsMax = 10_000
	requestBytesMax  = 4 << 20
)

// serverSink sends events to a server in requests of some thousands. Each has a batch id of its own,
// so a request that is repeated because its answer was lost stores nothing twice.
type serverSink struct {
	client *client
	run    string // random: tells this import's requests from all others
	sent   int
}

func (s *serverSink) write(ctx context.Context, r *ingest.Result, rejected rejectedRow) (ok, duplicate int, err error) {
	events := r.Batch.Events()
	for from := 0; from < len(events); {
		var body []byte // new for each request: a connection that was given up may still read the last
		to := from
		for to < len(events) && to-from < requestEventsMax && len(body) < requestBytesMax {
			body = append(event.AppendJSON(body, &events[to]), '\n')
			to++
		}
		answer, err := s.send(ctx, body)
		if err != nil {
			return ok, duplicate, err
		}
		ok += answer.OK
		duplicate += answer.Duplicate
		for _, v := range answer.Verdicts {
			if v.Verdict != api.VerdictRejected {
				continue
			}
			if err := rejected(from+v.Index, v.Reason, v.Field, v.Message); err != nil {
				return ok, duplicate, err
			}
		}
		from = to
	}
	return ok, duplicate, nil
}

func (s *serverSink) send(ctx context.Context, body []byte) (*api.EventsAnswer, error) {
	s.sent++
	header := http.Header{
		"Content-Type":   {"application/x-ndjson"},
		"Cairn-Batch-Id": {fmt.Sprintf("%s-%d", s.run, s.sent)},
	}
	text, err := s.client.post(ctx, "/v1/events", header, body, http.StatusUnprocessableEntity)
	if err != nil {
		return nil, err
	}
	var answer api.EventsAnswer
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("the answer of %s cannot be read: %w", s.client.base, err)
	}
	return &answer, nil
}

func (s *serverSink) finish(context.Context) error { return nil }

func (s *serverSink) close() error {
	s.client.http.CloseIdleConnections()
	return nil
}

// rowJSON is the event of a row as JSON, for the report on it.
func rowJSON(b *column.Batch, row int) []byte {
	one := b.Select([]uint32{uint32(row)}).Events()
	return event.AppendJSON(nil, &one[0])
}
