package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cairn/engine"
	"cairn/query"
	"cairn/query/result"
	"cairn/server/api"
)

// runQuery answers a question about the tenant's events.
func runQuery(r *request) error {
	request, format, err := queryRequest(r)
	if err != nil {
		return err
	}
	var table *result.Table
	err = r.ask(request, func(ctx context.Context, src query.Source, opt query.Options) (err error) {
		table, err = query.Run(ctx, src, request.Query, opt)
		return err
	})
	if err != nil {
		return err
	}
	return r.writeTable(table, format)
}

// ask calls answer with a snapshot of the tenant and the options of the request, when its turn has
// come and for no longer than the request and the server allow.
func (r *request) ask(request *api.QueryRequest, answer func(context.Context, query.Source, query.Options) error) error {
	t, err := r.knownTenant()
	if err != nil {
		return err
	}
	limits := t.limits()
	ctx, cancel := context.WithCancelCause(r.s.running)
	defer cancel(nil)
	done, err := r.s.turns.take(ctx, t.name, limits.Queries)
	if err != nil {
		return err
	}
	defer done()
	defer r.s.queries.add(t.name, r.id, request.Query, r.s.opt.Now(), cancel)()
	snapshot := t.Snapshot()
	defer snapshot.Close()
	if err := includes(snapshot, request.After); err != nil {
		return err
	}
	opt, err := queryOptions(request, snapshot, limits, r.s.opt.Now())
	if err != nil {
		return err
	}
	started := time.Now()
	err = answer(ctx, snapshot, opt)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errCancelled) {
		err = cause
	}
	r.s.metrics.query(t.name, time.Since(started), err)
	if took := time.Since(started); r.s.opt.SlowQuery > 0 && took >= r.s.opt.SlowQuery {
		r.s.opt.Logger.Info("slow query", "request", r.id, "tenant", t.name, "duration", took, "query", request.Query, "error", err)
	}
	return err
}

// queryOptions turns the parameters of a request into options of the query.
func queryOptions(r *api.QueryRequest, snapshot *engine.Snapshot, limits *api.Limits, now time.Time) (query.Options, error) {
	opt := query.Options{
		Now:         now,
		Location:    snapshot.Location(),
		MemoryBytes: limits.QueryMemoryBytes,
		Timeout:     queryTimeout(limits),
		Limit:       int(limits.Rows),
	}
	var err error
	if r.TZ != "" {
		if opt.Location, err = time.LoadLocation(r.TZ); err != nil {
			return opt, badParameter("tz", r.TZ, "an IANA zone, such as Asia/Shanghai")
		}
	}
	if r.Week != "" {
		day, ok := weekdays[strings.ToLower(r.Week)]
		if !ok {
			return opt, badParameter("week", r.Week, "mon, tue, wed, thu, fri, sat or sun")
		}
		opt.WeekStart = &day
	}
	if r.Limit > 0 {
		opt.Limit = min(opt.Limit, r.Limit)
	}
	if r.Timeout != "" {
		asked, err := time.ParseDuration(r.Timeout)
		if err != nil || asked <= 0 {
			return opt, badParameter("timeout", r.Timeout, "a duration, such as 5s")
		}
		opt.Timeout = min(opt.Timeout, asked)
	}
	opt.Range, err = timeRange(r, opt.Location, opt.Now)
	return opt, err
}

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

// queryRequest reads the query, its parameters and the format of the answer. The body of a POST is a
// QueryRequest if it is JSON, else the query's text; parameters in the address go first.
func queryRequest(r *request) (*api.QueryRequest, string, error) {
	request := &api.QueryRequest{}
	if r.IsPost() {
		body, err := r.unpackBody(smallBody, false)
		if err != nil {
			return nil, "", err
		}
		asJSON := strings.HasPrefix(string(r.Request.Header.ContentType()), "application/json")
		if asJSON || bytes.HasPrefix(body, []byte("{")) && json.Valid(body) { // no query is also a JSON object
			if err := json.Unmarshal(body, request); err != nil {
				return nil, "", &api.Error{Code: api.CodeBadJSON, Message: "the body is not a query request: " + err.Error(), Hint: `send {"query": "…"}, or the query's text as text/plain`}
			}
		} else {
			request.Query = string(body)
		}
	}
	args := r.QueryArgs()
	for _, p := range []struct {
		name string
		to   *string
	}{
		{"q", &request.Query},
		{"name", &request.Name},
		{"from", &request.From},
		{"to", &request.To},
		{"on", &request.On},
		{"tz", &request.TZ},
		{"week", &request.Week},
		{"format", &request.Format},
		{"timeout", &request.Timeout},
		{"after", &request.After},
	} {
		if args.Has(p.name) {
			*p.to = string(args.Peek(p.name))
		}
	}
	if args.Has("limit") {
		n, err := strconv.Atoi(string(args.Peek("limit")))
		if err != nil || n < 1 {
			return nil, "", badParameter("limit", string(args.Peek("limit")), "a number of rows")
		}
		request.Limit = n
	}
	if request.Name != "" {
		if request.Query != "" {
			return nil, "", &api.Error{Code: api.CodeBadParameter, Message: "give either a query or the name of a saved one"}
		}
		saved, err := r.savedQuery(request.Name)
		if err != nil {
			return nil, "", err
		}
		request.Query = saved.Query
	}
	if strings.TrimSpace(request.Query) == "" {
		return nil, "", &api.Error{Code: api.CodeBadParameter, Message: "there is no query", Hint: "give it as the body of a POST, or as the parameter q"}
	}
	format, err := formatOf(request.Format, string(r.Request.Header.Peek("Accept")))
	return request, format, err
}

func badParameter(name, value, expected string) error {
	return &api.Error{Code: api.CodeBadParameter, Message: fmt.Sprintf("%s=%s: expected %s", name, value, expected)}
}

// watermark names the newest frame of a commit; the number before the colon is that of the partition.
func watermark(sequence uint64) string {
	if sequence == 0 {
		return ""
	}
	return "0:" + strconv.FormatUint(sequence, 10)
}

// includes checks that the snapshot has what a watermark names. Whatever has been acknowledged here is
// in every later snapshot, so there is nothing to wait for: a watermark ahead of us is not one of ours.
func includes(snapshot *engine.Snapshot, after string) error {
	if after == "" {
		return nil
	}
	number, ok := strings.CutPrefix(after, "0:")
	sequence, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || sequence > snapshot.Sequence() {
		return badParameter("after", after, "a watermark from an answer of this server")
	}
	return nil
}

// The formats of an answer and their content types.
var formats = map[string]string{
	"json":   "application/json",
	"ndjson": "application/x-ndjson",
	"csv":    "text/csv; charset=utf-8",
	"text":   "text/plain; charset=utf-8",
}

// formatOf is the format asked for by name or, without one, by the Accept header.
func formatOf(name, accept string) (string, error) {
	if name != "" {
		if _, ok := formats[name]; !ok {
			return "", badParameter("format", name, "json, ndjson, csv or text")
		}
		return name, nil
	}
	for _, part := range strings.Split(accept, ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch kind {
		case "application/x-ndjson", "application/jsonl":
			return "ndjson", nil
		case "text/csv":
			return "csv", nil
		case "text/plain":
			return "text", nil
		case "application/json":
			return "json", nil
		}
	}
	return "json", nil
}

func (r *request) writeTable(t *result.Table, format string) error {
	r.SetContentType(formats[format])
	var body []byte
	switch format {
	case "json":
		body = result.AppendJSON(nil, t)
	case "ndjson":
		body = result.AppendNDJSON(nil, t)
	case "csv":
		r.Response.Header.SetBytesV("Cairn-Meta", result.AppendMeta(nil, &t.Meta))
		body = result.AppendCSV(nil, t)
	default:
		body = result.AppendText(nil, t, result.TextOptions{})
	}
	r.Response.SetBodyRaw(body)
	return nil
}
