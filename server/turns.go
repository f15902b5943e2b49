package server

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"cairn/server/api"
)

// turns lets so many queries run at once, and shares the places among tenants: when one becomes free it
// goes to the waiting tenant with the fewest queries running, in the order of their last turns among
// equals. So a tenant that asks a thousand questions at once delays another's by one query at most.
type turns struct {
	running int           // at most, of all tenants
	waiting int           // at most, of one tenant
	wait    time.Duration // at most, for a place

	mu struct {
		sync.Mutex
		free    int
		tenants map[string]*turnsOf
		clock   int // of turns
	}
}

// turnsOf are a tenant's queries.
type turnsOf struct {
	running int
	last    int // turn
	queue   []chan struct{}
	max     int
}

func newTurns(running, waiting int, wait time.Duration) *turns {
	t := &turns{running: running, waiting: waiting, wait: wait}
	t.mu.free = running
	t.mu.tenants = make(map[string]*turnsOf)
	return t
}

// take waits for a place for a query of the tenant, which may have max running (-1: any number). The
// caller calls the function returned when the query has ended.
func (t *turns) take(ctx context.Context, tenant string, limit int64) (func(), error) {
	most := t.running
	if limit > 0 {
		most = min(most, int(limit))
	}
	t.mu.Lock()
	own := t.mu.tenants[tenant]
	if own == nil {
		own = &turnsOf{}
		t.mu.tenants[tenant] = own
	}
	own.max = most
	if t.mu.free > 0 && own.running < most && len(own.queue) == 0 {
		t.start(own)
		t.mu.Unlock()
		return func() { t.end(tenant) }, nil
	}
	if len(own.queue) >= t.waiting {
		running, queued := own.running, len(own.queue)
		t.mu.Unlock()
		return nil, &api.Error{
			Code:    api.CodeQueriesRunning,
			Message: fmt.Sprintf("%d queries of this tenant are running and %d wait already", running, queued),
			Hint:    "ask again when some of them have ended",
		}
	}
	turn := make(chan struct{})
	own.queue = append(own.queue, turn)
	t.mu.Unlock()

	timer := time.NewTimer(t.wait)
	defer timer.Stop()
	err := error(&api.Error{Code: api.CodeQueriesRunning, Message: fmt.Sprintf("the query has waited %v for others to end", t.wait), Hint: "ask again a little later"})
	select {
	case <-turn:
		return func() { t.end(tenant) }, nil
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.mu.Lock()
	i := slices.Index(own.queue, turn)
	if i < 0 { // its turn has come meanwhile
		t.mu.Unlock()
		return func() { t.end(tenant) }, nil
	}
	own.queue = slices.Delete(own.queue, i, i+1)
	t.forget(tenant, own)
	t.mu.Unlock()
	return nil, err
}

func (t *turns) start(own *turnsOf) {
	t.mu.free--
	t.mu.clock++
	own.running++
	own.last = t.mu.clock
}

func (t *turns) end(tenant string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.mu.tenants[tenant]
	own.running--
	t.mu.free++
	t.forget(tenant, own)
	for t.mu.free > 0 {
		var next *turnsOf
		for _, o := range t.mu.tenants {
			if len(o.queue) == 0 || o.running >= o.max {
				continue
			}
			if next == nil || o.running < next.running || o.running == next.running && o.last < next.last {
				next = o
			}
		}
		if next == nil {
			return
		}
		t.start(next)
		close(next.queue[0])
		next.queue = next.queue[1:]
	}
}

// forget drops a tenant of whom nothing runs or waits.
func (t *turns) forget(tenant string, own *turnsOf) {
	if own.running == 0 && len(own.queue) == 0 {
		delete(t.mu.tenants, tenant)
	}
}

// state returns how many queries run and wait.
func (t *turns) state() (running, waiting int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, own := range t.mu.tenants {
		running += own.running
		waiting += len(own.queue)
	}
	return running, waiting
}
