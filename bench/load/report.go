package load

import (
	"fmt"
	"strings"

	"cairn/bench/table"
)

// Report holds what was measured; seconds and bytes are plain numbers.
type Report struct {
	Machine     string        `json:"machine"`
	Load        string        `json:"load_average"` // before
	Connections int           `json:"connections"`
	Seconds     float64       `json:"seconds"` // of each measurement
	IDs         bool          `json:"ids"`
	Bodies      []*BodyReport `json:"bodies"`
	Queries     []QueryReport `json:"queries,omitempty"`
}

// BodyReport tells of one size of body. Memory is the server's, resident.
type BodyReport struct {
	Events      int   `json:"events"` // a body
	Bare        Phase `json:"bare"`   // of a server that stores nothing; zero: not measured
	Saturation  Phase `json:"saturation"`
	Held        Phase `json:"held"` // the last rate tried; Held.Held says whether it was
	Half        Phase `json:"half"`
	Verified    int   `json:"verified"`     // events acknowledged and found by a query
	IdleBytes   int64 `json:"idle_bytes"`   // of a fresh server, after a first query
	LoadedBytes int64 `json:"loaded_bytes"` // under load
	AfterBytes  int64 `json:"after_bytes"`  // a little later
}

// Phase tells of one measurement. In an open loop latencies count from when a request was due.
type Phase struct {
	Rate      float64 `json:"rate"` // requests a second asked for; 0: closed loop
	Requests  int     `json:"requests"`
	Events    int     `json:"events"` // acknowledged
	Shed      int     `json:"shed"`   // requests answered with 429
	Seconds   float64 `json:"seconds"`
	P50       float64 `json:"p50_seconds"`
	P99       float64 `json:"p99_seconds"`
	P999      float64 `json:"p999_seconds"`
	Max       float64 `json:"max_seconds"`
	ServerCPU float64 `json:"server_cpu_seconds"`
	ClientCPU float64 `json:"client_cpu_seconds"`
	DiskBytes int64   `json:"disk_bytes"` // written to the disk of the data, by the whole machine
	Held      bool    `json:"held"`       // all were answered, in time
}

// QueryReport tells of one question, while nothing else happened and beside ingestion.
type QueryReport struct {
	Name    string  `json:"name"`
	Text    string  `json:"text"`
	Asked   float64 `json:"asked_events_per_s"` // of the ingestion
	Rate    float64 `json:"events_per_s"`       // that were stored meanwhile
	IdleP50 float64 `json:"idle_p50_seconds"`
	IdleP95 float64 `json:"idle_p95_seconds"`
	BusyP50 float64 `json:"busy_p50_seconds"`
	BusyP95 float64 `json:"busy_p95_seconds"`
}

// The targets, for two cores, clients included.
const (
	eventsTarget    = 400_000 // durable events a second at 1,000 a body
	requestsTarget  = 30_000  // durable requests a second with one event each
	p99Target       = 0.050   // seconds, at half load
	idleBytesTarget = 60e6
	slowdownTarget  = 2 // of queries beside ingestion at half of that
)

// Text returns the report as tables for people.
func (r *Report) Text() string {
	var b strings.Builder
	ids := "without insert ids"
	if r.IDs {
		ids = "with insert ids"
	}
	fmt.Fprintf(&b, "load: %d connections on loopback, events of the shop workload %s, %.3g s a measurement\n%s, load average before %s\n",
		r.Connections, ids, r.Seconds, r.Machine, r.Load)
	r.rates(&b)
	r.latencies(&b)
	r.costs(&b)
	r.questions(&b)
	return b.String()
}

func (r *Report) rates(b *strings.Builder) {
	t := table.Table{{"durable, a second", "bare HTTP", "saturation", "held", "of it", "events held", "target", ""}}
	for _, m := range r.Bodies {
		held := perSecond(m.Held.Requests, m.Held)
		target, verdict := "", ""
		switch m.Events {
		case 1:
			target, verdict = table.Against(held, requestsTarget, true, whole)
		case 1000:
			target, verdict = table.Against(perSecond(m.Held.Events, m.Held), eventsTarget, true, whole)
		}
		if !m.Held.Held {
			verdict = "no rate held"
		}
		bare := ""
		if m.Bare.Requests > 0 {
			bare = whole(perSecond(m.Bare.Requests, m.Bare)) + " req"
		}
		saturation := perSecond(m.Saturation.Requests, m.Saturation)
		t = append(t, []string{
			"bodies of " + table.Count(m.Events), bare, whole(saturation) + " req", whole(held) + " req", fmt.Sprintf("%.0f %%", 100*m.Held.Rate/saturation),
			whole(perSecond(m.Held.Events, m.Held)), target, verdict,
		})
	}
	t.Write(b)
}

func (r *Report) latencies(b *strings.Builder) {
	t := table.Table{{"latency from when due", "events/s", "p50", "p99", "p999", "max", "target p99", ""}}
	for _, m := range r.Bodies {
		for _, phase := range []struct {
			name   string
			p      *Phase
			target float64
		}{{"half load", &m.Half, p99Target}, {"highest held", &m.Held, 0}, {"saturated, from when sent", &m.Saturation, 0}} {
			target, verdict := table.Against(phase.p.P99, phase.target, false, table.Span)
			t = append(t, []string{
				"bodies of " + table.Count(m.Events) + ", " + phase.name, whole(perSecond(phase.p.Events, *phase.p)),
				table.Span(phase.p.P50), table.Span(phase.p.P99), table.Span(phase.p.P999), table.Span(phase.p.Max), target, verdict,
			})
		}
	}
	t.Write(b)
}

func (r *Report) costs(b *strings.Builder) {
	t := table.Table{{"cost", "server CPU/event", "client CPU/event", "disk B/event", "refused", "verified", "memory idle", "target", "", "loaded", "after"}}
	for _, m := range r.Bodies {
		p := &m.Saturation
		target, verdict := table.Against(float64(m.IdleBytes), idleBytesTarget, false, func(v float64) string { return table.Size(int64(v)) })
		t = append(t, []string{
			"bodies of " + table.Count(m.Events), micros(p.ServerCPU, p.Events), micros(p.ClientCPU, p.Events),
			fmt.Sprintf("%.0f", float64(p.DiskBytes)/float64(max(1, p.Events))), table.Count(p.Shed + m.Held.Shed + m.Half.Shed), table.Count(m.Verified),
			table.Size(m.IdleBytes), target, verdict, table.Size(m.LoadedBytes), table.Size(m.AfterBytes),
		})
	}
	t.Write(b)
}

func (r *Report) questions(b *strings.Builder) {
	for first := 0; first < len(r.Queries); {
		asked := r.Queries[first].Asked
		last := first
		for last < len(r.Queries) && r.Queries[last].Asked == asked {
			last++
		}
		r.questionsBeside(b, r.Queries[first:last], first == 0)
		first = last
	}
}

// questionsBeside tells of the questions at one rate; the target is for one of them.
func (r *Report) questionsBeside(b *strings.Builder, queries []QueryReport, targeted bool) {
	t := table.Table{{
		fmt.Sprintf("query beside %s events/s (of %s)", whole(queries[0].Rate), whole(queries[0].Asked)),
		"idle p50", "p95", "beside p50", "p95", "times idle", "target", "",
	}}
	for _, q := range queries {
		ratio := q.BusyP50 / q.IdleP50
		times := func(v float64) string { return fmt.Sprintf("%.3g", v) }
		target, verdict := "", ""
		if targeted {
			target, verdict = table.Against(ratio, slowdownTarget, false, times)
		}
		t = append(t, []string{
			q.Name, table.Span(q.IdleP50), table.Span(q.IdleP95), table.Span(q.BusyP50), table.Span(q.BusyP95), times(ratio), target, verdict,
		})
	}
	t.Write(b)
}

func perSecond(n int, p Phase) float64 { return float64(n) / max(p.Seconds, 1e-9) }

func whole(v float64) string { return table.Count(int(v)) }

func micros(seconds float64, n int) string {
	return fmt.Sprintf("%.2f µs", 1e6*seconds/float64(max(1, n)))
}
