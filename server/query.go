package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"cairn/engine"
	"cairn/query"
	"cairn/query/result"
	"cairn/server/api"
)

// query answers a question about the tenant's events.
func (s *Server) query(ctx *fasthttp.RequestCtx) { s.answer(ctx, query.Run) }

// explain tells what a query would read, without reading it.
func (s *Server) explain(ctx *fasthttp.RequestCtx) { s.answer(ctx, query.Explain) }

type runFunc func(ctx context.Context, src query.Source, text string, opt query.Options) (*result.Table, error)

func (s *Server) answer(ctx *fasthttp.RequestCtx, run runFunc) {
	request, err := queryRequest(ctx)
	if err != nil {
		s.fail(ctx, err)
		return
	}
	format, err := formatOf(request.Format, string(ctx.Request.Header.Peek("Accept")))
	if err != nil {
		s.fail(ctx, err)
		return
	}
	table, err := s.ask(ctx, request, run)
	if err != nil {
		s.fail(ctx, err)
		return
	}
	writeTable(ctx, table, format)
}

// ask runs the query within the limits of the server and of the request.
func (s *Server) ask(ctx *fasthttp.RequestCtx, request *api.QueryRequest, run runFunc) (*result.Table, error) {
	opt, timeout, err := s.queryOptions(request)
	if err != nil {
		return nil, err
	}
	tenant, err := s.knownTenantOf(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case s.queries <- struct{}{}:
		defer func() { <-s.queries }()
	default:
		return nil, &api.Error{Code: api.CodeQueriesRunning, Message: fmt.Sprintf("%d queries are running already", s.opt.QueriesMax)}
	}
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	if err := includes(snapshot, request.After); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(s.running, timeout)
	defer cancel()
	return run(limited, snapshot, request.Query, opt)
}

// queryOptions turns the parameters of a request into options of the query, and its time limit.
func (s *Server) queryOptions(r *api.QueryRequest) (query.Options, time.Duration, error) {
	opt := query.Options{
		Now:         s.opt.Now(),
		MemoryBytes: s.opt.QueryMemoryBytes,
		From:        r.From,
		To:          r.To,
		On:          r.On,
		Limit:       s.opt.RowsMax,
	}
	if r.TZ != "" {
		zone, err := time.LoadLocation(r.TZ)
		if err != nil {
			return opt, 0, badParameter("tz", r.TZ, "an IANA zone, such as Asia/Shanghai")
		}
		opt.Location = zone
	}
	if r.Week != "" {
		day, ok := weekdays[strings.ToLower(r.Week)]
		if !ok {
			return opt, 0, badParameter("week", r.Week, "mon, tue, wed, thu, fri, sat or sun")
		}
		opt.WeekStart = &day
	}
	if r.Limit > 0 {
		opt.Limit = min(opt.Limit, r.Limit)
	}
	timeout := s.opt.QueryTimeout
	if r.Timeout != "" {
		asked, err := time.ParseDuration(r.Timeout)
		if err != nil || asked <= 0 {
			return opt, 0, badParameter("timeout", r.Timeout, "a duration, such as 5s")
		}
		timeout = min(timeout, asked)
	}
	return opt, timeout, nil
}

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

// queryRequest reads the query from the parameters and, of a POST, from the body: JSON if it says so or
// looks so, else the query's text.
func queryRequest(ctx *fasthttp.RequestCtx) (*api.QueryRequest, error) {
	request := &api.QueryRequest{}
	if ctx.IsPost() {
		body := ctx.Request.Body()
		asJSON := strings.HasPrefix(string(ctx.Request.Header.ContentType()), "application/json")
		if asJSON {
			if err := json.Unmarshal(body, request); err != nil {
				return nil, &api.Error{Code: api.CodeBadJSON, Message: "the body is not a query request: " + err.Error(), Hint: `send {"query": "…"}, or the query's text as text/plain`}
			}
		} else {
			request.Query = string(body)
		}
	}
	args := ctx.QueryArgs()
	for _, p := range []struct {
		name string
		to   *string
	}{
		{"q", &request.Query}, {"from", &request.From}, {"to", &request.To}, {"on", &request.On}, {"tz", &request.TZ},
		{"week", &request.Week}, {"format", &request.Format}, {"timeout", &request.Timeout}, {"after", &request.After},
	} {
		if args.Has(p.name) {
			*p.to = string(args.Peek(p.name))
		}
	}
	if args.Has("limit") {
		n, err := strconv.Atoi(string(args.Peek("limit")))
		if err != nil || n < 1 {
			return nil, badParameter("limit", string(args.Peek("limit")), "a number of rows")
		}
		request.Limit = n
	}
	if strings.TrimSpace(request.Query) == "" {
		return nil, &api.Error{Code: api.CodeBadParameter, Message: "there is no query", Hint: "give it as the body of a POST, or as the parameter q"}
	}
	return request, nil
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

func writeTable(ctx *fasthttp.RequestCtx, t *result.Table, format string) {
	ctx.SetContentType(formats[format])
	var body []byte
	switch format {
	case "json":
		body = result.AppendJSON(nil, t)
	case "ndjson":
		body = result.AppendNDJSON(nil, t)
	case "csv":
		ctx.Response.Header.SetBytesV("Cairn-Meta", result.AppendMeta(nil, &t.Meta))
		body = result.AppendCSV(nil, t)
	default:
		body = result.AppendText(nil, t, result.TextOptions{})
	}
	ctx.Response.SetBodyRaw(body)
}
