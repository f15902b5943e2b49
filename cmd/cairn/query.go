package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"cairn/engine"
	"cairn/query"
	"cairn/query/result"
	"cairn/query/result/parquet"
	"cairn/query/syntax"
	"cairn/server/api"
)

type queryCmd struct {
	question
	Format string `help:"text, json, ndjson, csv or parquet; auto is text, or a picture on a terminal." enum:"auto,text,json,ndjson,csv,parquet" default:"auto"`
}

func (queryCmd) Help() string {
	return `A query is a selector, perhaps a time range, and stages joined by |. Keep it in single quotes.

Examples:

  cairn query --data ./cairn-data '* | stats count() by event | sort count desc'
  cairn query --data ./cairn-data 'pay_success{amount > 100} last 30d | stats users(), sum(amount) by bin(1d)'
  cairn query --data ./cairn-data --format csv '{user = "u1"} | events | limit 20' > u1.csv
  cairn query --data ./cairn-data --format parquet '* last 30d | events' > events.parquet
  cairn query --server http://127.0.0.1:8080 - < question.txt

On a terminal, answers of funnel, retention, paths, trend, lifecycle and stickiness are pictures; --format
text gives their plain tables. NO_COLOR=1 leaves out the colours. A server answers in plain tables.`
}

// question is what cairn query and cairn explain have in common.
type question struct {
	target
	TZ     string   `name:"tz" help:"Zone of days, weeks and printed times (default: the tenant's)." placeholder:"ZONE"`
	Memory byteSize `help:"Memory that the query may use; a server has its own limit." default:"512MiB" placeholder:"SIZE"`
	Query  string   `arg:"" help:"The query; - reads it from standard input."`
}

func (cmd *queryCmd) Run(ctx context.Context, c *console) error {
	text, err := cmd.prepare(c)
	if err != nil {
		return err
	}
	format := cmd.Format
	if format == formatParquet && c.screen().Width > 0 {
		return usagef("--format parquet is not for a terminal: write it to a file, as in cairn query --format parquet '…' > answer.parquet")
	}
	if cmd.Server != "" {
		if format == textOrPicture {
			format = "text"
		}
		return cmd.ask(ctx, c, "/v1/query", api.QueryRequest{Query: text, TZ: cmd.TZ, Format: format})
	}
	return cmd.fromData(text, func(src query.Source, opt query.Options) error {
		if format == "ndjson" {
			_, err := query.Stream(ctx, src, text, opt, query.Output{W: c.out})
			return err
		}
		table, err := query.Run(ctx, src, text, opt)
		if err != nil {
			return err
		}
		if format == formatParquet {
			return parquet.Write(c.out, table)
		}
		_, err = c.out.Write(appendTable(table, format, c.screen()))
		return err
	})
}

// prepare resolves the target and returns the query's text.
func (q *question) prepare(c *console) (string, error) {
	if err := q.resolve(); err != nil {
		return "", err
	}
	if q.TZ != "" {
		if _, err := time.LoadLocation(q.TZ); err != nil {
			return "", usagef("--tz %s: not a time zone; use an IANA name such as Asia/Shanghai", q.TZ)
		}
	}
	text := q.Query
	if text == "-" {
		read, err := io.ReadAll(c.in)
		if err != nil {
			return "", fmt.Errorf("read the query: %w", err)
		}
		text = string(read)
	}
	return strings.TrimRight(text, " \t\r\n"), nil
}

// fromData calls answer with a snapshot of the tenant in the data directory.
func (q *question) fromData(text string, answer func(query.Source, query.Options) error) error {
	db, tenant, err := q.openTenant(engine.Options{NoBackground: true})
	if err != nil {
		return err
	}
	defer db.Close()
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	opt := query.Options{MemoryBytes: int64(q.Memory)}
	if q.TZ != "" {
		if opt.Location, err = time.LoadLocation(q.TZ); err != nil {
			return err
		}
	}
	if err := answer(snapshot, opt); err != nil {
		return &queryError{text: text, err: err}
	}
	return nil
}

// ask sends the query to the server and prints its answer.
func (q *question) ask(ctx context.Context, c *console, path string, request api.QueryRequest) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	server := q.client()
	header := http.Header{"Content-Type": {"application/json"}}
	answer, err := server.post(ctx, path, header, body, http.StatusOK)
	if err != nil {
		return &queryError{text: request.Query, err: err}
	}
	_, err = c.out.Write(answer)
	return err
}

// textOrPicture is the format of answers when none is asked for: a picture on a terminal, text elsewhere.
const textOrPicture = "auto"

// formatParquet is the format that is no text.
const formatParquet = "parquet"

// appendTable encodes a table as text in one of the formats that are not streamed, for the screen s, whose
// width is 0 when it is none.
func appendTable(t *result.Table, format string, s result.TextOptions) []byte {
	switch format {
	case "json":
		return result.AppendJSON(nil, t)
	case "csv":
		return result.AppendCSV(nil, t)
	case textOrPicture:
		if s.Width > 0 {
			return result.AppendPicture(nil, t, s)
		}
	}
	return result.AppendText(nil, t, s)
}

// queryError is an error of a query; where it names a place, the text is shown with a mark there.
type queryError struct {
	text string
	err  error
}

func (e *queryError) Error() string { return e.err.Error() }
func (e *queryError) Unwrap() error { return e.err }

// place shows where in the text the error is, or returns "".
func (e *queryError) place() string {
	var mistake *syntax.Error
	var remote *api.Error
	switch {
	case errors.As(e.err, &mistake):
		return caret(e.text, mistake.Line, mistake.Column)
	case errors.As(e.err, &remote):
		return caret(e.text, remote.Line, remote.Column)
	}
	return ""
}
