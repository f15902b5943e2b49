package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine"
	"cairn/engine/held"
	"cairn/query"
	"cairn/query/result"
	"cairn/query/result/parquet"
	"cairn/server/api"
)

// runQuery answers a question about the tenant's events.
func runQuery(r *request) error {
	request, format, err := queryRequest(r)
	if err != nil {
		return err
	}
	if format == "ndjson" {
		return r.streamQuery(request)
	}
	q, err := r.begin(request)
	if err != nil {
		return err
	}
	defer q.release()
	if same, err := r.unchanged(q, format); same || err != nil {
		return err
	}
	table, err := query.Run(q.ctx, q.snapshot, request.Query, q.opt)
	if err = q.ended(err); err != nil {
		return err
	}
	return r.writeTable(table, format)
}

// tagStep is how long an answer that depends on the clock is good for by its ETag, where no event arrives.
const tagStep = time.Minute

// unchanged gives the answer of a GET its ETag, and reports whether the client has it already: then it
// says so. The ETag is weak: ranges such as last 7d move by up to a minute.
func (r *request) unchanged(q *question, format string) (bool, error) {
	if r.IsPost() {
		return false, nil
	}
	opt := q.opt
	opt.Now = opt.Now.Truncate(tagStep)
	key, err := query.Key(q.snapshot, q.text, opt)
	if err != nil {
		return false, q.ended(err)
	}
	tag := `W/"` + key + "-" + format + `"`
	r.Response.Header.Set("ETag", tag)
	r.Response.Header.Set("Cache-Control", "private, no-cache")
	known := strings.ReplaceAll(string(r.Request.Header.Peek("If-None-Match")), " ", "")
	if !slices.Contains(strings.Split(known, ","), tag) {
		return false, nil
	}
	return true, r.none(304)
}

// ask calls answer with a snapshot of the tenant and the options of the request, when its turn has
// come and for no longer than the request and the server allow.
func (r *request) ask(request *api.QueryRequest, answer func(context.Context, query.Source, query.Options) error) error {
	q, err := r.begin(request)
	if err != nil {
		return err
	}
	defer q.release()
	return q.ended(answer(q.ctx, q.snapshot, q.opt))
}

// question is a query that has its turn.
type question struct {
	s              *Server
	id             string // of the request
	tenant, text   string
	ctx            context.Context
	snapshot       *engine.Snapshot
	use            *held.Use[*engine.Snapshot]
	opt            query.Options
	started        time.Time
	first          time.Duration // until when it goes first, by the server's priority
	cancel         context.CancelCauseFunc
	done, unlisted func()
}

// begin waits for the turn of a query. The caller calls release.
func (r *request) begin(request *api.QueryRequest) (*question, error) {
	t, err := r.knownTenant()
	if err != nil {
		return nil, err
	}
	limits := t.limits()
	q := &question{s: r.s, id: r.id, tenant: t.name, text: request.Query}
	q.ctx, q.cancel = context.WithCancelCause(r.s.running)
	if q.done, err = r.s.turns.take(q.ctx, t.name, limits.Queries); err != nil {
		q.cancel(nil)
		return nil, err
	}
	began := false
	defer func() {
		if !began { // also after a panic
			q.release()
		}
	}()
	r.s.opt.Processors.begin()
	q.unlisted = r.s.queries.add(t.name, r.id, request.Query, r.s.opt.Now(), q.cancel)
	q.started = time.Now()
	q.first = r.s.priority.begin()
	if q.use, err = r.s.snapshotOf(t, request.Snapshot); err != nil {
		return nil, err
	}
	q.snapshot = q.use.Snapshot
	if err = includes(q.snapshot, request.After); err == nil {
		q.opt, err = queryOptions(request, q.snapshot, limits, r.s.opt.Now())
	}
	if err != nil {
		return nil, err
	}
	began = true
	return q, nil
}

// why is the error of a query, or why it was made to end.
func (q *question) why(err error) error {
	if cause := context.Cause(q.ctx); err != nil && errors.Is(cause, errCancelled) {
		return cause
	}
	return err
}

// ended counts a query and logs it if it was slow; it returns why it ended.
func (q *question) ended(err error) error {
	err = q.why(err)
	took := time.Since(q.started)
	q.s.metrics.query(q.tenant, took, err)
	if slow := q.s.opt.SlowQuery; slow > 0 && took >= slow {
		q.s.opt.Logger.Info("slow query", "request", q.id, "tenant", q.tenant, "duration", took, "query", q.text, "error", err)
	}
	return err
}

// release gives back what the query holds, its turn last.
func (q *question) release() {
	if q.use != nil {
		q.use.Release()
	}
	q.unlisted()
	q.s.priority.end(q.first)
	q.s.opt.Processors.end()
	q.done()
	q.cancel(nil)
}

// queryOptions turns the parameters of a request into options of the query.
func queryOptions(r *api.QueryRequest, snapshot *engine.Snapshot, limits *api.Limits, now time.Time) (query.Options, error) {
	opt := query.Options{
		Now:         now,
		Location:    snapshot.Location(),
		MemoryBytes: limits.QueryMemoryBytes,
		Timeout:     queryTimeout(limits),
		Limit:       int(limits.Rows),
		RawLimit:    int(limits.EventRows),
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
		opt.Limit, opt.RawLimit = min(opt.Limit, r.Limit), min(opt.RawLimit, r.Limit)
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
		{"snapshot", &request.Snapshot},
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

// snapshotOf returns a new snapshot of a tenant or, if one is named, that of an earlier answer, which is
// kept for a while.
func (s *Server) snapshotOf(t *tenant, id string) (*held.Use[*engine.Snapshot], error) {
	if id == "" {
		erasures := t.erasures.Load()
		use := s.snapshots.Take(t.name, t.Snapshot())
		if t.erasures.Load() != erasures { // a user was erased meanwhile, whom it may show
			s.snapshots.Forget(t.name)
		}
		return use, nil
	}
	if use, ok := s.snapshots.Find(t.name, id); ok {
		return use, nil
	}
	snapshot := t.Snapshot()
	if snapshot.ID() == id {
		return s.snapshots.Take(t.name, snapshot), nil
	}
	snapshot.Close()
	return nil, &api.Error{
		Code: api.CodeSnapshotGone, Message: fmt.Sprintf("the snapshot %.100q is gone", id),
		Hint: "an answer's snapshot is kept for a minute after its last use",
	}
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
	"json":    "application/json",
	"ndjson":  "application/x-ndjson",
	"csv":     "text/csv; charset=utf-8",
	"text":    "text/plain; charset=utf-8",
	"parquet": parquet.MIMEType,
}

// formatOf is the format asked for by name or, without one, by the Accept header.
func formatOf(name, accept string) (string, error) {
	if name != "" {
		if _, ok := formats[name]; !ok {
			return "", badParameter("format", name, "json, ndjson, csv, parquet or text")
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
		case parquet.MIMEType:
			return "parquet", nil
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
	case "parquet":
		var file bytes.Buffer
		if err := parquet.Write(&file, t); err != nil {
			return fmt.Errorf("write parquet: %w", err)
		}
		body = file.Bytes()
	default:
		body = result.AppendText(nil, t, result.TextOptions{})
	}
	r.Response.SetBodyRaw(body)
	return nil
}
