package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"cairn/engine"
	"cairn/engine/ingest"
	"cairn/query"
	sample "cairn/testdata/events"
)

type demoCmd struct {
	Data string `help:"Where to keep the sample (default: a new temporary directory)." placeholder:"DIR"`
}

func (demoCmd) Help() string {
	return `Loads a sample of a shop's mini program as cairn import would, and answers seven questions as cairn
query would.

Example:

  cairn demo --data ./cairn-demo`
}

// demoQuestions are asked in this order; each shows another part of the language.
var demoQuestions = []struct{ title, text string }{
	{
		"What do people do most?",
		"* | stats users(), count() by event\n  | sort users desc | limit 8",
	},
	{
		"How many visit and buy, day by day?",
		"* | stats users() as visitors, users(event = \"pay_success\") as buyers by bin(1d)\n  | extend rate = round(buyers / visitors, 3)",
	},
	{
		"Where do they get lost on the way?",
		"* | funnel app_open -> search -> view_item -> add_cart -> checkout -> pay_success within 1d",
	},
	{
		"Do they come back?",
		"* from 2025-06-01 to 2025-06-06\n  | retention first app_open -> app_open every 1d for 5",
	},
	{
		"Which channel brings the money?",
		"pay_success\n  | stats users() as buyers, sum(amount) as revenue, median(amount) as typical by channel\n  | sort revenue desc | limit 6",
	},
	{
		"Do people who used a coupon spend more?",
		"pay_success\n  | extend with_coupon = did(coupon_use) > 0\n  | stats users() as buyers, sum(amount) / users() as per_buyer by with_coupon",
	},
	{
		"Where is search slow?",
		"search{latency_ms > 0}\n  | stats count() as searches, p50(latency_ms), p95(latency_ms), p99(latency_ms) by network\n  | sort p95_latency_ms desc",
	},
}

func (cmd *demoCmd) Run(ctx context.Context, c *console) (err error) {
	dir := cmd.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "cairn-demo-"); err != nil {
			return err
		}
	}
	s := store{Data: dir, Tenant: "default"}
	db, err := s.openDB(engine.Options{})
	if err != nil {
		return err
	}
	defer func() {
		if closed := db.Close(); err == nil {
			err = closed
		}
	}()
	tenant, err := db.Tenant(s.Tenant)
	if err != nil {
		return err
	}
	if len(db.Tenants()) == 0 {
		if err := loadSample(ctx, c, db, tenant); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.out, "%s has events already: asking about those.\n", dir)
	}
	for i, q := range demoQuestions {
		if err := demoAsk(ctx, c, tenant, i+1, q.title, q.text); err != nil {
			return err
		}
	}
	program := programName()
	if cmd.Data == "" {
		fmt.Fprintf(c.out, "\nThe sample stays in %s until you delete it.", dir)
	}
	fmt.Fprintf(c.out, `
Go on with the same events:
  %[1]s query --data %[2]s '* | facets 5'
  %[1]s query --data %[2]s '* | paths from search max 4 top 20'
  %[1]s query --data %[2]s 'pay_success | stats sum(amount) by bin(1h) | sort sum_amount desc | limit 3'
  %[1]s explain --data %[2]s 'search{network = "wifi"} | stats count()'
  %[1]s serve --data %[2]s
Or with yours:
  %[1]s import --help
`, program, shellQuote(dir))
	return nil
}

func loadSample(ctx context.Context, c *console, db *engine.DB, tenant *engine.Tenant) error {
	rejects, err := openRejects("")
	if err != nil {
		return err
	}
	now := time.Now().UnixNano()
	in := &input{name: "mini-program.ndjson.gz", memory: sample.MiniProgram, read: new(atomic.Int64)}
	l := &load{to: &dirSink{db: db, tenant: tenant}, rejects: rejects, progress: newProgress(c, 0)}
	err = l.files(ctx, []*input{in}, nil, formatNDJSON, ingest.Options{Received: now, KeepRaw: true, KeepPositions: true})
	l.progress.close()
	if err != nil {
		return err
	}
	l.print(c.out)
	if rejects.total > 0 {
		return errRejected
	}
	return nil
}

func demoAsk(ctx context.Context, c *console, tenant *engine.Tenant, number int, title, text string) error {
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	start := time.Now()
	table, err := query.Run(ctx, snapshot, text, query.Options{})
	if err != nil {
		return &queryError{text: text, err: err}
	}
	took := time.Since(start)
	fmt.Fprintf(c.out, "\n%d. %s\n\n", number, title)
	for _, line := range strings.Split(text, "\n") {
		fmt.Fprintf(c.out, "  %s\n", line)
	}
	fmt.Fprintf(c.out, "\n%s(%.1f ms)\n", appendTable(table, textOrPicture, c.screen()), float64(took.Microseconds())/1000)
	return nil
}

// programName is how to call this program again: by go run it has no lasting name.
func programName() string {
	path, err := os.Executable()
	if err == nil && strings.Contains(filepath.ToSlash(path), "/go-build") {
		return "go run ./cmd/cairn"
	}
	return "cairn"
}

// shellQuote makes one word of a path that has spaces.
func shellQuote(s string) string {
	if !strings.ContainsAny(s, " \t'\"$`\\*?&|;<>()[]{}!#~") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
