package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"cairn/engine"
	"cairn/query"
	"cairn/query/result"
	"cairn/server/api"
)

// userEventsMax is how many events of a user a page has at most.
const userEventsMax = 10_000

// getUser answers with what is stored of a user, who is named by any of his ids.
func getUser(r *request) error {
	name := r.params[0]
	var user *result.User
	var body []byte
	err := r.askUser(&api.QueryRequest{TZ: r.param("tz")}, name, func(q *question) (err error) {
		if user, err = query.ReadUser(q.ctx, q.snapshot, name); err != nil || user == nil {
			return err
		}
		links, err := q.snapshot.Links(name)
		for _, l := range links {
			user.Links = append(user.Links, result.UserLink{ID: otherID(&l, user.Name), Kind: string(l.Kind), Time: l.Time, Source: l.Source})
		}
		slices.SortStableFunc(user.Links, func(a, b result.UserLink) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.ID, b.ID)) })
		body = result.AppendUser(nil, user, q.opt.Location)
		return err
	})
	if err != nil {
		return err
	}
	if user == nil {
		return r.unknownUser(name)
	}
	return r.jsonText(body)
}

// otherID returns the id that a link tells of beside the user: of two of his ids the one that was linked.
func otherID(l *engine.Link, user string) string {
	if l.ID == user {
		return l.User
	}
	return l.ID
}

// unknownUser says that there are no events of a user, or that he was erased.
func (r *request) unknownUser(name string) error {
	receipt, err := r.owner.ErasedUser(name)
	if err != nil {
		return err
	}
	if receipt == nil {
		return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no event of the user %.100q is stored", name)}
	}
	answer := erasureAnswer(receipt)
	return &api.Error{Code: api.CodeUserErased, Message: "the user was erased", Receipt: &answer}
}

// getUserEvents answers with a page of a user's events.
func getUserEvents(r *request) error {
	name := r.params[0]
	limit, err := r.number("limit", query.DefaultUserEvents, 1, userEventsMax)
	if err != nil {
		return err
	}
	opt := query.UserEventsOptions{Event: r.param("event"), Limit: limit, Cursor: r.param("cursor")}
	switch order := r.param("order"); order {
	case "", "desc":
	case "asc":
		opt.Ascending = true
	default:
		return badParameter("order", order, "asc or desc")
	}
	var page *result.UserEvents
	var body []byte
	err = r.askUser(&api.QueryRequest{From: r.param("from"), To: r.param("to"), TZ: r.param("tz")}, name, func(q *question) (err error) {
		opt.Range = q.opt.Range
		if page, err = query.ReadUserEvents(q.ctx, q.snapshot, name, opt); err != nil {
			return err
		}
		body = result.AppendUserEvents(nil, page, q.opt.Location)
		return nil
	})
	if errors.Is(err, query.ErrCursor) {
		return badParameter("cursor", opt.Cursor, "a cursor from an answer to the same question")
	}
	if err != nil {
		return err
	}
	if len(page.Events) == 0 && opt.Cursor == "" {
		if receipt, err := r.owner.ErasedUser(name); err != nil || receipt != nil {
			return r.unknownUser(name)
		}
	}
	return r.jsonText(body)
}

// askUser calls read in a query's turn, for no longer than one may take.
func (r *request) askUser(request *api.QueryRequest, name string, read func(*question) error) error {
	request.Query = "*" // its range is written as that of a query without one
	q, err := r.begin(request)
	if err != nil {
		return err
	}
	defer q.release()
	q.text = fmt.Sprintf("user %q", name)
	ctx, cancel := context.WithTimeoutCause(q.ctx, q.opt.Timeout, &query.TimeoutError{Limit: q.opt.Timeout})
	defer cancel()
	within := *q
	within.ctx = ctx
	if err = read(&within); err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return q.ended(err)
}

// jsonText answers with JSON that is written already.
func (r *request) jsonText(text []byte) error {
	r.SetContentType("application/json")
	r.Response.SetBodyRaw(append(text, '\n'))
	return nil
}
