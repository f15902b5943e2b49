package server

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"cairn/server/api"
)

// errCancelled is why a query ends that somebody has cancelled.
var errCancelled = errors.New("the query was cancelled")

// queries are those that run now. A client that hangs up is noticed only when the answer is written, so
// a long query is ended by its id.
type queries struct {
	sync.Mutex
	byID map[string]*runningQuery
}

type runningQuery struct {
	tenant, text string
	started      time.Time
	cancel       context.CancelCauseFunc
}

// add notes a query until the function returned is called.
func (q *queries) add(tenant, id, text string, now time.Time, cancel context.CancelCauseFunc) func() {
	q.Lock()
	defer q.Unlock()
	if q.byID == nil {
		q.byID = make(map[string]*runningQuery)
	}
	q.byID[id] = &runningQuery{tenant: tenant, text: text, started: now, cancel: cancel}
	return func() {
		q.Lock()
		defer q.Unlock()
		delete(q.byID, id)
	}
}

// list returns the queries of a tenant, the oldest first.
func (q *queries) list(tenant string, now time.Time) []api.RunningQuery {
	q.Lock()
	defer q.Unlock()
	out := []api.RunningQuery{}
	for id, one := range q.byID {
		if one.tenant == tenant {
			out = append(out, api.RunningQuery{ID: id, Query: one.text, Started: one.started.UTC(), Seconds: now.Sub(one.started).Seconds()})
		}
	}
	slices.SortFunc(out, func(a, b api.RunningQuery) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) })
	return out
}

// cancel ends a query of a tenant; false says that none of that id runs.
func (q *queries) cancel(tenant, id string) bool {
	q.Lock()
	defer q.Unlock()
	one := q.byID[id]
	if one == nil || one.tenant != tenant {
		return false
	}
	one.cancel(errCancelled)
	return true
}

func listRunning(r *request) error {
	t, err := r.knownTenant()
	if err != nil {
		return err
	}
	return r.json(200, api.RunningAnswer{Queries: r.s.queries.list(t.name, r.s.opt.Now())})
}

func cancelRunning(r *request) error {
	t, err := r.knownTenant()
	if err != nil {
		return err
	}
	if !r.s.queries.cancel(t.name, r.params[0]) {
		return &api.Error{Code: api.CodeNotFound, Message: "no query with the id " + r.params[0] + " is running"}
	}
	return r.none(204)
}
