package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"cairn/engine"
	"cairn/engine/event"
)

type exportCmd struct {
	store
	From   string `help:"Only events from this time on." placeholder:"TIME"`
	To     string `help:"Only events before this time." placeholder:"TIME"`
	Output string `help:"File to write (default: standard output)." short:"o" placeholder:"FILE" type:"path"`
}

func (exportCmd) Help() string {
	return `One event a line, in the order of time, with every field, type and nanosecond as it was stored, and
the time of its arrival as "received". It can be loaded again with: cairn import --received

Examples:

  cairn export --data ./cairn-data -o events.ndjson
  cairn export --data ./cairn-data --from 2025-06-01 --to 2025-07-01 | zstd > june.ndjson.zst`
}

func (cmd *exportCmd) Run(ctx context.Context, c *console) (err error) {
	if err := cmd.resolve(); err != nil {
		return err
	}
	span := event.AllTime
	for _, limit := range []struct {
		flag, text string
		to         *int64
	}{{"--from", cmd.From, &span.From}, {"--to", cmd.To, &span.To}} {
		if limit.text == "" {
			continue
		}
		at, err := parseTime(limit.text, nil)
		if err != nil {
			return usagef("%s: %w", limit.flag, err)
		}
		*limit.to = at.UnixNano()
	}
	db, tenant, err := cmd.openTenant(engine.Options{NoBackground: true})
	if err != nil {
		return err
	}
	defer db.Close()
	out := c.out
	if cmd.Output != "" {
		f, err := os.Create(cmd.Output)
		if err != nil {
			return err
		}
		defer func() {
			if closed := f.Close(); err == nil {
				err = closed
			}
		}()
		out = f
	}
	n, err := exportTo(ctx, out, tenant, span)
	if err != nil {
		return err
	}
	if cmd.Output != "" {
		fmt.Fprintf(c.out, "%s written to %s\n", plural(n, "event"), cmd.Output)
	}
	return nil
}

func exportTo(ctx context.Context, to io.Writer, tenant *engine.Tenant, span event.TimeRange) (int64, error) {
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	w := bufio.NewWriterSize(to, 1<<18)
	var line []byte
	n := int64(0)
	err := snapshot.Scan(ctx, engine.ScanOptions{Range: span}, func(e *event.Event) error {
		n++
		line = append(event.AppendJSON(line[:0], e), '\n')
		_, err := w.Write(line)
		return err
	})
	if err == nil {
		err = w.Flush()
	}
	return n, err
}
