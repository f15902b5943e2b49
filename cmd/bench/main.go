// Command bench measures this machine: import, appends, size and queries (package bench), and a server
// under load (package bench/load).
//
//	go run ./cmd/bench                    the main path: suite shop, ten million events
//	go run ./cmd/bench behaviour          funnels, retention, paths and the like
//	go run ./cmd/bench --events 1000000   a quick look
//	go run ./cmd/bench behaviour --only funnel --json
//	go run ./cmd/bench load               rates, latencies and costs of a server
//	go run ./cmd/bench load --bodies 1 --seconds 10 --profile DIR
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"github.com/alecthomas/kong"

	"cairn/bench"
)

type command struct {
	Run   suiteCmd `cmd:"" name:"suite" default:"withargs" help:"Run a suite: import, appends, size and queries."`
	Load  loadCmd  `cmd:"" help:"Measure a server under load, in a process of its own."`
	Serve serveCmd `cmd:"" hidden:"" help:"Be the server that load measures."`
	Bare  bareCmd  `cmd:"" hidden:"" help:"Be a server that stores nothing."`
}

type suiteCmd struct {
	Suite      string `arg:"" optional:"" default:"shop" help:"Suite to run: ${suites}."`
	Events     int    `help:"Number of events, in place of the suite's." placeholder:"N"`
	Repeats    int    `help:"Runs of each query, after one to warm up." default:"20"`
	Only       string `help:"Only parts whose name contains this: append, import, or words of a query's name." placeholder:"TEXT"`
	Dir        string `help:"Directory for the workload's file, which is kept for the next run, and for data. Default: in the directory for temporary files." placeholder:"DIR"`
	JSON       bool   `name:"json" help:"Print the report as JSON."`
	CPUProfile string `name:"cpuprofile" help:"Write a CPU profile to this file." placeholder:"FILE"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var c command
	k := kong.Parse(&c, kong.Name("bench"), kong.Vars{"suites": strings.Join(bench.Names(), ", ")}, kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Description("Measure import, appends, size, queries and a server on this machine.\n\nExample: bench --events 1000000 --json"))
	k.FatalIfErrorf(k.Run())
}

// Run measures a suite and prints the report.
func (c *suiteCmd) Run(ctx context.Context) error {
	suite, err := bench.Open(c.Suite)
	if err != nil {
		return err
	}
	if c.Dir == "" {
		c.Dir = filepath.Join(os.TempDir(), "cairn-bench")
	}
	if c.CPUProfile != "" {
		file, err := os.Create(c.CPUProfile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	report, err := bench.Run(ctx, suite, bench.Options{
		Dir: c.Dir, Events: c.Events, Repeats: c.Repeats, Only: c.Only, Progress: progress,
	})
	if err != nil {
		return err
	}
	return show(c.JSON, report, report.Text)
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// show prints a report.
func show(asJSON bool, report any, text func() string) error {
	if asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	fmt.Print(text())
	return nil
}
