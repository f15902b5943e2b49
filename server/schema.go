package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query/result"
	"cairn/query/schema"
	"cairn/server/api"
)

const (
	schemaStandard = 100
	schemaMax      = 10_000
)

// browse calls read with a snapshot and the options in the request, in a query's turn: reading what is
// stored may take as long as one.
func (r *request) browse(what string, read func(ctx context.Context, snapshot *engine.Snapshot, opt schema.Options) error) error {
	limit, err := r.number("limit", schemaStandard, 1, schemaMax)
	if err != nil {
		return err
	}
	opt := schema.Options{
		Event: r.param("event"), Prefix: r.param("prefix"), Limit: limit, Cursor: r.param("cursor"), Numbers: true,
	}
	// The range is written as that of a query without one.
	request := &api.QueryRequest{Query: "*", From: r.param("from"), To: r.param("to"), TZ: r.param("tz")}
	q, err := r.begin(request)
	if err != nil {
		return err
	}
	defer q.release()
	q.text = what
	opt.Range, opt.MemoryBytes = q.opt.Range, q.opt.MemoryBytes
	ctx, cancel := context.WithTimeoutCause(q.ctx, q.opt.Timeout, &api.Error{
		Code: api.CodeQueryTimeout, Message: fmt.Sprintf("%s took longer than %v", what, q.opt.Timeout), Hint: "ask for a shorter time range",
	})
	defer cancel()
	if err = read(ctx, q.snapshot, opt); err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, schema.ErrCursor) {
		err = badParameter("cursor", opt.Cursor, "a cursor from an answer")
	}
	return q.ended(err)
}

func schemaEvents(r *request) error {
	answer := api.SchemaEvents{Events: []api.SchemaEvent{}}
	err := r.browse("schema/events", func(ctx context.Context, snapshot *engine.Snapshot, opt schema.Options) error {
		page, err := schema.Events(ctx, snapshot, opt)
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			answer.Events = append(answer.Events, api.SchemaEvent{Name: e.Name, Count: e.Count, First: utc(e.First), Last: utc(e.Last)})
		}
		answer.Cursor = page.Cursor
		return nil
	})
	if err != nil {
		return err
	}
	return r.json(200, answer)
}

func schemaFields(r *request) error {
	answer := api.SchemaFields{Fields: []api.SchemaField{}}
	err := r.browse("schema/fields", func(ctx context.Context, snapshot *engine.Snapshot, opt schema.Options) error {
		page, err := schema.Fields(ctx, snapshot, opt)
		if err != nil {
			return err
		}
		for _, f := range page.Fields {
			answer.Fields = append(answer.Fields, api.SchemaField{
				Name: f.Name, Types: f.Types, Count: f.Count, Nulls: f.Nulls, Distinct: f.Distinct, DistinctError: f.DistinctError,
				First: utc(f.First), Last: utc(f.Last),
			})
		}
		answer.Cursor = page.Cursor
		return nil
	})
	if err != nil {
		return err
	}
	return r.json(200, answer)
}

func schemaValues(r *request) error {
	field := r.param("field")
	if field == "" {
		return &api.Error{Code: api.CodeBadParameter, Message: "field: whose values?"}
	}
	answer := api.SchemaValues{Values: []api.SchemaValue{}}
	err := r.browse("schema/values", func(ctx context.Context, snapshot *engine.Snapshot, opt schema.Options) error {
		top, err := schema.Values(ctx, snapshot, field, opt)
		if err != nil {
			return err
		}
		for _, v := range top.Values {
			answer.Values = append(answer.Values, api.SchemaValue{Value: valueText(v.Value), Count: v.Count})
		}
		answer.Complete, answer.Distinct = top.Complete, top.Distinct
		return nil
	})
	if err != nil {
		return err
	}
	return r.json(200, answer)
}

// valueText is a value as answers of queries have it.
func valueText(v event.Value) json.RawMessage { return result.AppendValue(nil, v, time.UTC) }

// utc is an instant in an answer.
func utc(nanos int64) time.Time {
	if nanos == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
