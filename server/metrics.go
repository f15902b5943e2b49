package server

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	vm "github.com/VictoriaMetrics/metrics"

	"cairn/server/api"
)

// metrics counts what the server does, for Prometheus. Each server has a set of its own.
type metrics struct {
	set    *vm.Set
	panics atomic.Int64 // of requests; the engine counts its own

	mu sync.RWMutex
	// counters of events by tenant, protocol, verdict and reason, and so on: looked up without making
	// the name's text anew.
	eventCounters map[eventLabels]*vm.Counter
	durations     map[routeLabels]*vm.PrometheusHistogram
}

type eventLabels struct{ tenant, protocol, verdict, reason string }

type routeLabels struct {
	route  string
	status int
}

func newMetrics(s *Server) *metrics {
	m := &metrics{set: vm.NewSet(), eventCounters: make(map[eventLabels]*vm.Counter), durations: make(map[routeLabels]*vm.PrometheusHistogram)}
	gauge := func(name string, value func() float64) { m.set.NewGauge(name, value) }
	gauge("cairn_in_flight_bytes", func() float64 { return float64(s.inFlight.used.Load()) })
	gauge("cairn_queries_running", func() float64 { running, _ := s.turns.state(); return float64(running) })
	gauge("cairn_queries_waiting", func() float64 { _, waiting := s.turns.state(); return float64(waiting) })
	gauge("cairn_connections", func() float64 { return float64(s.public.GetOpenConnectionsCount()) })
	gauge("cairn_store_pressure", s.db.Pressure)
	gauge("cairn_tokens", func() float64 { return float64(s.tokens.Len()) })
	return m
}

// event counts one event.
func (m *metrics) event(tenant, protocol, verdict, reason string) {
	m.events(tenant, protocol, verdict, reason, 1)
}

// events counts n events of one fate.
func (m *metrics) events(tenant, protocol, verdict, reason string, n int) {
	if n == 0 {
		return
	}
	labels := eventLabels{tenant, protocol, verdict, reason}
	m.mu.RLock()
	c := m.eventCounters[labels]
	m.mu.RUnlock()
	if c == nil {
		name := "cairn_events_total" + labelText("tenant", tenant, "protocol", protocol, "verdict", verdict)
		if reason != "" {
			name = "cairn_events_total" + labelText("tenant", tenant, "protocol", protocol, "verdict", verdict, "reason", reason)
		}
		c = m.set.GetOrCreateCounter(name)
		m.mu.Lock()
		m.eventCounters[labels] = c
		m.mu.Unlock()
	}
	c.Add(n)
}

// ignored counts what a protocol takes and does not store, such as recordings of screens.
func (m *metrics) ignored(tenant, protocol string, n int) {
	m.events(tenant, protocol, "ignored", "", n)
}

// request counts a request by its route and status.
func (m *metrics) request(r *request, took time.Duration) {
	labels := routeLabels{"none", r.Response.StatusCode()}
	switch {
	case r.route != nil:
		labels.route = r.route.path
	case r.note != "":
		labels.route = r.note
	}
	m.mu.RLock()
	d := m.durations[labels]
	m.mu.RUnlock()
	if d == nil {
		d = m.set.GetOrCreatePrometheusHistogram("cairn_request_seconds" + labelText("route", labels.route, "status", strconv.Itoa(labels.status)))
		m.mu.Lock()
		m.durations[labels] = d
		m.mu.Unlock()
	}
	d.Update(took.Seconds())
}

// query counts a query of a tenant.
func (m *metrics) query(tenant string, took time.Duration, err error) {
	m.set.GetOrCreatePrometheusHistogram("cairn_query_seconds" + labelText("tenant", tenant)).Update(took.Seconds())
	if err != nil {
		m.set.GetOrCreateCounter("cairn_query_errors_total" + labelText("tenant", tenant)).Inc()
	}
}

// failure counts an error by its code.
func (m *metrics) failure(code string) {
	m.set.GetOrCreateCounter("cairn_errors_total" + labelText("code", code)).Inc()
}

// forget drops what is counted of a tenant.
func (m *metrics) forget(tenant string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for labels := range m.eventCounters {
		if labels.tenant == tenant {
			delete(m.eventCounters, labels)
		}
	}
	needle := "tenant=" + strconv.Quote(tenant)
	for _, name := range m.set.ListMetricNames() {
		if strings.Contains(name, needle) {
			m.set.UnregisterMetric(name)
		}
	}
}

func labelText(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		separator := ","
		if i == 0 {
			separator = "{"
		}
		fmt.Fprintf(&b, "%s%s=%s", separator, pairs[i], strconv.Quote(pairs[i+1]))
	}
	return b.String() + "}"
}

// write writes all figures in the text format of Prometheus: those of the server, of the engine and of
// the process.
func (m *metrics) write(w io.Writer, s *Server) {
	m.set.WritePrometheus(w)
	stats := s.db.Stats()
	for _, g := range []struct {
		name  string
		value float64
	}{
		{"cairn_tenants", float64(stats.Tenants)},
		{"cairn_disk_bytes", float64(stats.DiskBytes)},
		{"cairn_hot_bytes", float64(stats.HotBytes)},
		{"cairn_cache_bytes", float64(stats.Cache.Bytes)},
		{"cairn_engine_events_total{verdict=\"ok\"}", float64(stats.Stored)},
		{"cairn_engine_events_total{verdict=\"duplicate\"}", float64(stats.Duplicates)},
		{"cairn_engine_events_total{verdict=\"rejected\"}", float64(stats.Rejected)},
		{"cairn_seals_total", float64(stats.Seals)},
		{"cairn_sealed_rows_total", float64(stats.SealedRows)},
		{"cairn_merges_total", float64(stats.Merges)},
		{"cairn_merged_rows_total", float64(stats.MergedRows)},
		{"cairn_slow_commits", float64(stats.SlowCommits)},
		{"cairn_panics_total", float64(m.panics.Load() + stats.Panics)},
		{"cairn_days_dropped_total", float64(stats.DaysDropped)},
		{"cairn_write_amplification", stats.WriteAmplification},
	} {
		fmt.Fprintf(w, "%s %s\n", g.name, strconv.FormatFloat(g.value, 'g', -1, 64))
	}
	vm.WriteProcessMetrics(w)
}

// getMetrics answers GET /metrics.
func getMetrics(r *request) error {
	r.SetContentType("text/plain; version=0.0.4; charset=utf-8")
	r.s.metrics.write(r.Response.BodyWriter(), r.s)
	return nil
}

// getHealth answers as long as the process lives.
func getHealth(r *request) error { return r.json(200, api.HealthAnswer{Status: "ok"}) }

// getReady tells a load balancer whether to send requests: not while the hot log is being read, and no
// longer once the server is stopping, or its log could not be written.
func getReady(r *request) error {
	switch {
	case r.s.stopping.Load():
		return r.json(503, api.ReadyAnswer{Reason: "stopping"})
	case r.s.starting.Load():
		return r.json(503, api.ReadyAnswer{Reason: "recovering"})
	}
	if err := r.s.db.Err(); err != nil { // reading goes on, but a restart is needed
		return r.json(503, api.ReadyAnswer{Reason: "store failed"})
	}
	return r.json(200, api.ReadyAnswer{Ready: true})
}
