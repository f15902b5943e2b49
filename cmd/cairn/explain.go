package main

import (
	"context"
	"fmt"

	"cairn/query"
	"cairn/server/api"
)

type explainCmd struct{ question }

func (explainCmd) Help() string {
	return `Shows the days, segments, blocks and bytes that a query would read, and which index answers which
condition.

Example:

  cairn explain --data ./cairn-data 'pay_success{channel = "qr"} last 7d | stats count() by bin(1d)'`
}

func (cmd *explainCmd) Run(ctx context.Context, c *console) error {
	text, err := cmd.prepare(c)
	if err != nil {
		return err
	}
	if cmd.Server != "" {
		return cmd.ask(ctx, c, "/v1/query/explain", api.QueryRequest{Query: text, TZ: cmd.TZ, Format: "text"})
	}
	return cmd.fromData(text, func(src query.Source, opt query.Options) error {
		explanation, err := query.Explain(ctx, src, text, opt)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(c.out, explanation)
		return err
	})
}
