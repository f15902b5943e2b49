package engine

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// aheadFor is how long after a query the tenant's new events are put in order before the next one.
	aheadFor = 5 * time.Second
	// aheadRows is how many new events are put in order at a time.
	aheadRows = 4096
)

// ahead is what one tenant's queries tell the worker. The work of putting events in order is the same whoever does
// it; a query that comes after some ten thousand new ones would else take ten times as long as on old ones.
type ahead struct {
	asked atomic.Int64 // when a query last read events, Unix nanoseconds
	rows  atomic.Int64 // events committed since they were last put in order
}

// hotAsked notes that a query reads events, and whether it had to put some in order.
func (t *Tenant) hotAsked(built bool) {
	t.ahead.asked.Store(time.Now().UnixNano())
	if built {
		t.db.worker.putInOrder(t)
	}
}

// hotCame notes events that were committed now.
func (t *Tenant) hotCame(rows int, now int64) {
	if now-t.ahead.asked.Load() < int64(aheadFor) && t.ahead.rows.Add(int64(rows)) >= aheadRows {
		t.ahead.rows.Store(0)
		t.db.worker.putInOrder(t)
	}
}

// putInOrder has the worker put a tenant's hot events in order.
func (w *worker) putInOrder(t *Tenant) {
	if w.db.opt.NoBackground {
		return
	}
	w.mu.Lock()
	w.mu.unordered[t] = struct{}{}
	w.mu.Unlock()
	signal(w.order)
}

// runAhead puts hot events in order until ctx ends.
func (w *worker) runAhead(ctx context.Context) {
	defer w.done.Done()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.order:
		}
		w.mu.Lock()
		tenants := w.mu.unordered
		w.mu.unordered = make(map[*Tenant]struct{})
		w.mu.Unlock()
		for t := range tenants {
			_ = w.db.contain(func() error { t.prepareHot(ctx); return nil }) // which the log tells
		}
	}
}

// prepareHot puts the hot events of a tenant in order. What fails here fails again in the query that is told.
func (t *Tenant) prepareHot(ctx context.Context) {
	s := t.Snapshot()
	defer s.Close()
	if s.linksRead() != nil {
		return
	}
	for _, span := range s.view.spans {
		t.db.standStill()
		if ctx.Err() != nil {
			return
		}
		if len(span.hot) > 0 {
			_ = span.chunks.prepare(span.hot, s.links(), t.db.standStill)
		}
	}
}
