// Command workload writes the events of the benchmarks and of the bundled sample, as NDJSON.
//
//	go run ./cmd/workload --events 10000000 --out events.ndjson
//	go run ./cmd/workload --profile demo --out testdata/events/mini-program.ndjson.gz
package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"cairn/bench/workload"
)

type command struct {
	Profile string  `help:"shop (the benchmark: 200,000 users, 30 days) or demo (the bundled sample)." enum:"shop,demo" default:"shop"`
	Events  int     `help:"Number of events; 0: 1,000,000, or the profile's." placeholder:"N"`
	Seed    uint64  `help:"Seed; the same seed and numbers give the same bytes." placeholder:"N"`
	Days    int     `help:"Days over which the events are spread." placeholder:"N"`
	Users   int     `help:"Users there are." placeholder:"N"`
	IDs     float64 `name:"ids" help:"Share of sessions whose events have an insert id, 0 to 1." placeholder:"SHARE"`
	Start   string  `help:"First day, such as 2025-06-01." placeholder:"DATE"`
	Out     string  `help:"File to write; .gz compresses it. Standard output without it." short:"o" placeholder:"FILE"`
}

func main() {
	var c command
	k := kong.Parse(&c, kong.Name("workload"),
		kong.Description("Write the events of a mini-program shop, as NDJSON.\n\nExample: workload --events 10000000 --out events.ndjson"))
	k.FatalIfErrorf(c.run())
}

func (c *command) run() (err error) {
	var opt workload.Options
	if c.Profile == "demo" {
		opt = workload.Demo()
	}
	set(&opt.Events, c.Events)
	set(&opt.Seed, c.Seed)
	set(&opt.Days, c.Days)
	set(&opt.Users, c.Users)
	set(&opt.IDs, c.IDs)
	if c.Start != "" {
		if opt.Start, err = time.Parse(time.DateOnly, c.Start); err != nil {
			return fmt.Errorf("--start: %w", err)
		}
	}
	var out io.Writer = os.Stdout
	if c.Out != "" {
		file, createErr := os.Create(c.Out)
		if createErr != nil {
			return createErr
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
	}
	if strings.HasSuffix(c.Out, ".gz") {
		packed, _ := gzip.NewWriterLevel(out, gzip.BestCompression)
		defer func() { err = errors.Join(err, packed.Close()) }()
		out = packed
	}
	_, err = workload.Write(out, opt)
	return err
}

func set[T comparable](option *T, value T) {
	var zero T
	if value != zero {
		*option = value
	}
}
