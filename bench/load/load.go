// Package load measures a server under load: how many events and requests a second it acknowledges, how
// long the answers take, what an event costs in CPU, disk and memory, and what queries take meanwhile.
//
// The server is a process of its own on the same machine, the clients are in this one, on 64
// connections. For each size of body:
//
//	bare        closed loop, of an HTTP server that stores nothing: what the machine gives at that moment
//	saturation  closed loop: every connection sends its next request when it has the answer to the last
//	held        open loop: requests become due by the clock, at a share of that rate; the highest share
//	            at which the server keeps up
//	half        open loop at half the rate held
//
// In an open loop the latency of a request counts from when it was due, not from when a connection was
// free for it: a server that stops for a second is late for all requests of that second, not for 64
// (no coordinated omission). At the end a query counts the events; every acknowledged one must be there.
//
// Bodies are lines of bench/workload, made beforehand and sent again and again: what is measured is the
// server, and the client takes as little of the machine's cores as it can.
package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"cairn/bench/table"
)

// Options say what is measured.
type Options struct {
	// Server returns the command that serves an empty or earlier used directory on a free port of
	// loopback. It prints its address (host:port) as the first line on standard output when it is ready,
	// and ends in order on SIGINT. name tells the servers of one measurement apart. settle asks for all
	// background work to be done before the address is printed.
	Server func(dir, name string, settle bool) *exec.Cmd
	// Bare returns the command of a server that counts the lines of the bodies that are posted to it, answers as if it
	// had stored them, and is like Server's otherwise; nil: bare is not measured.
	Bare func() *exec.Cmd
	// Dir is where data directories are made, which are removed.
	Dir string
	// Connections to the server; 64.
	Connections int
	// Bodies are the sizes of body that are measured, in events; 1, 100 and 1,000.
	Bodies []int
	// Seconds that each measurement takes; 3.
	Seconds float64
	// Events is how many different events the bodies have; 200,000.
	Events int
	// History is how many events there are before queries are measured; 1,000,000. Negative: no queries.
	History int
	// IDs gives every event an insert id of its own (header Cairn-Batch-Id).
	IDs bool
	// Progress is told what goes on; nil is silent.
	Progress func(format string, args ...any)

	answerPatience time.Duration // for how long answers are waited for when a load has been called off; 10 s
}

func (o *Options) ensureDefaults() {
	if o.Connections == 0 {
		o.Connections = 64
	}
	if o.Bodies == nil {
		o.Bodies = []int{1, 100, 1000}
	}
	if o.Seconds == 0 {
		o.Seconds = 3
	}
	if o.Events == 0 {
		o.Events = 200_000
	}
	if o.History == 0 {
		o.History = 1_000_000
	}
	if o.answerPatience == 0 {
		o.answerPatience = 10 * time.Second
	}
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
}

// Run measures and returns the report. An acknowledged event that is not found, or an answer that is
// not one of the server's contract, is an error.
func Run(ctx context.Context, opt Options) (*Report, error) {
	opt.ensureDefaults()
	r := &Report{
		Machine: table.Machine(), Load: table.LoadAverage(), Connections: opt.Connections, Seconds: opt.Seconds, IDs: opt.IDs,
	}
	if err := os.MkdirAll(opt.Dir, 0o755); err != nil {
		return nil, err
	}
	for _, events := range opt.Bodies {
		m, err := opt.body(ctx, events)
		if err != nil {
			return nil, fmt.Errorf("bodies of %d: %w", events, err)
		}
		r.Bodies = append(r.Bodies, m)
	}
	if opt.History > 0 {
		largest := r.Bodies[len(r.Bodies)-1]
		queries, err := opt.queries(ctx, largest.Events, queryRates(largest.Events, largest.Half.Rate))
		if err != nil {
			return nil, fmt.Errorf("queries: %w", err)
		}
		r.Queries = queries
	}
	return r, nil
}

// steps are the shares of what the closed loop stored that the open loop is tried at, until one is held.
var steps = []float64{1, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2}

// stepUp is by how much more is tried when the first share is held: a server that is asked for too much stores
// less than it could, for it has to refuse.
const stepUp = 1.15

// hold looks for the highest rate that the server holds.
func (o *Options) hold(m *BodyReport, drive func(rate, seconds float64) (Phase, error)) error {
	stored := float64(m.Saturation.Requests-m.Saturation.Shed) / m.Saturation.Seconds
	try := func(share float64) (Phase, error) {
		o.Progress("bodies of %d: %.0f requests/s", m.Events, share*stored)
		return drive(share*stored, o.Seconds)
	}
	for i, share := range steps {
		var err error
		if m.Held, err = try(share); err != nil {
			return err
		}
		for up := share * stepUp; i == 0 && m.Held.Held; up *= stepUp {
			more, err := try(up)
			if err != nil {
				return err
			}
			if !more.Held {
				break
			}
			m.Held = more
		}
		if m.Held.Held {
			return nil
		}
	}
	return nil
}

// body measures one size of body on a server of its own.
func (o *Options) body(ctx context.Context, events int) (m *BodyReport, err error) {
	requests := makeSupply(o.Events, events)
	p, err := o.start(ctx, fmt.Sprintf("body-%d", events))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.remove()) }()
	m = &BodyReport{Events: events}
	c, err := dial(p.address)
	if err != nil {
		return nil, err
	}
	if _, err := c.count(); err != nil { // the first query
		return nil, err
	}
	if err := sleep(ctx, time.Second/2); err != nil {
		return nil, err
	}
	m.IdleBytes = p.memory()

	acknowledged := 0
	drive := func(rate, seconds float64) (Phase, error) {
		phase, err := o.drive(ctx, p, requests, rate, seconds)
		acknowledged += phase.Events
		return phase, err
	}
	if _, err := drive(0, o.Seconds/3); err != nil { // the first meetings: connections, users, pools
		return nil, err
	}
	if m.Bare, err = o.bare(ctx, events, requests); err != nil {
		return nil, err
	}
	o.Progress("bodies of %d: saturation", events)
	if m.Saturation, err = drive(0, o.Seconds); err != nil {
		return nil, err
	}
	if err := o.hold(m, drive); err != nil {
		return nil, err
	}
	o.Progress("bodies of %d: half of that", events)
	if m.Half, err = drive(m.Held.Rate/2, o.Seconds); err != nil {
		return nil, err
	}
	m.LoadedBytes = p.memory()
	found, err := c.count()
	if err != nil {
		return nil, err
	}
	if found != acknowledged {
		return nil, fmt.Errorf("%d events were acknowledged, %d are found", acknowledged, found)
	}
	m.Verified = found
	if err := sleep(ctx, time.Duration(2*o.Seconds*float64(time.Second))); err != nil {
		return nil, err
	}
	m.AfterBytes = p.memory()
	return m, nil
}

// bare measures the server that stores nothing. Machines that share their processors with others are twice as fast in
// one minute as in the next; what it does in the minute of a measurement tells which it was.
func (o *Options) bare(ctx context.Context, events int, requests *supply) (phase Phase, err error) {
	if o.Bare == nil {
		return Phase{}, nil
	}
	o.Progress("bodies of %d: a server that stores nothing", events)
	p, err := launch(ctx, o.Bare())
	if err != nil {
		return Phase{}, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	return o.drive(ctx, p, requests, 0, o.Seconds)
}

// start starts a server on a directory of its own.
func (o *Options) start(ctx context.Context, name string) (*process, error) {
	dir, err := os.MkdirTemp(o.Dir, "load-")
	if err != nil {
		return nil, err
	}
	p, err := launch(ctx, o.Server(filepath.Join(dir, "data"), name, false))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p.dir = dir
	return p, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
