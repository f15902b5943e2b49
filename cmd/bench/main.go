// Command bench measures import, appends, size and queries on this machine (package bench).
//
//	go run ./cmd/bench                    the main path: suite shop, ten million events
//	go run ./cmd/bench behaviour          funnels, retention, paths and the like
//	go run ./cmd/bench --events 1000000   a quick look
//	go run ./cmd/bench behaviour --only funnel --json
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
	Suite      string `arg:"" optional:"" default:"shop" help:"Suite to run: ${suites}."`
	Events     int    `help:"Number of events, in place of the suite's." placeholder:"N"`
	Repeats    int    `help:"Runs of each query, after one to warm up." default:"20"`
	Only       string `help:"Only parts whose name contains this: append, import, or words of a query's name." placeholder:"TEXT"`
	Dir        string `help:"Directory for the workload's file, which is kept for the next run, and for data. Default: in the directory for temporary files." placeholder:"DIR"`
	JSON       bool   `name:"json" help:"Print the report as JSON."`
	CPUProfile string `name:"cpuprofile" help:"Write a CPU profile to this file." placeholder:"FILE"`
}

func main() {
	var c command
	k := kong.Parse(&c, kong.Name("bench"), kong.Vars{"suites": strings.Join(bench.Names(), ", ")},
		kong.Description("Measure import, appends, size and queries on this machine.\n\nExample: bench --events 1000000 --json"))
	k.FatalIfErrorf(c.run())
}

func (c *command) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
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
		Dir: c.Dir, Events: c.Events, Repeats: c.Repeats, Only: c.Only,
		Progress: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
	})
	if err != nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	fmt.Print(report.Text())
	return nil
}
