package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cairn/bench/table"
	"cairn/query/result"
)

// Report holds what was measured; seconds and bytes are plain numbers.
type Report struct {
	Suite         string          `json:"suite"`
	Machine       string          `json:"machine"`
	Events        int             `json:"events"`
	InputBytes    int64           `json:"input_bytes"`
	WalkPerSecond float64         `json:"token_walk_per_s"` // events of a one-core jsontext token walk
	Import        *ImportReport   `json:"import,omitempty"`
	Appends       []*AppendReport `json:"appends,omitempty"`
	Queries       []QueryReport   `json:"queries,omitempty"`
}

// ImportReport tells of the import of the whole workload.
type ImportReport struct {
	Seconds         float64            `json:"seconds"`
	PerSecond       float64            `json:"events_per_s"`
	Ratio           float64            `json:"ratio"` // to the token walk
	PeakBytes       int64              `json:"peak_bytes"`
	SettleSeconds   float64            `json:"settle_seconds"`
	SettlePeakBytes int64              `json:"settle_peak_bytes"`
	DiskBytes       int64              `json:"disk_bytes"` // after settling and closing
	BytesPerEvent   float64            `json:"bytes_per_event"`
	KindBytes       map[string]int64   `json:"kind_bytes"`
	Segments        int                `json:"segments"`
	Partitions      int                `json:"partitions"`
	OpenSeconds     float64            `json:"open_seconds"`
	Targets         map[string]float64 `json:"targets,omitempty"`
}

// AppendReport tells of one measurement of synced batches.
type AppendReport struct {
	Writers   int                `json:"writers"`
	Batch     int                `json:"batch"`
	Events    int                `json:"events"`
	IDs       float64            `json:"ids"`
	Seconds   float64            `json:"seconds"`
	PerSecond float64            `json:"events_per_s"`
	P50       float64            `json:"p50_seconds"` // of one batch
	P95       float64            `json:"p95_seconds"`
	Targets   map[string]float64 `json:"targets,omitempty"`
}

// QueryReport tells of one question. BytesCold and First are of the first run, the others of warm ones.
type QueryReport struct {
	Name      string  `json:"name"`
	Text      string  `json:"text"`
	Rows      int     `json:"rows"`
	First     float64 `json:"first_seconds"`
	P50       float64 `json:"p50_seconds"`
	P95       float64 `json:"p95_seconds"`
	Target    float64 `json:"target_seconds,omitempty"`
	RowsRead  int64   `json:"rows_read"`
	BytesRead int64   `json:"bytes_read"`
	BytesCold int64   `json:"bytes_read_cold"`
}

func newReport(suite string) *Report { return &Report{Suite: suite, Machine: table.Machine()} }

// Text returns the report as tables for people.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s events, %s of NDJSON (%.0f B an event)\n%s\n", r.Suite, table.Count(r.Events), table.Size(r.InputBytes), float64(r.InputBytes)/float64(max(1, r.Events)), r.Machine)
	if r.Import != nil {
		r.Import.text(&b, r)
	}
	if len(r.Appends) > 0 {
		t := table.Table{{"append", "events/s", "target", "", "p50", "p95"}}
		for _, a := range r.Appends {
			name := fmt.Sprintf("%d writers, batches of %s, synced", a.Writers, table.Count(a.Batch))
			if a.IDs > 0 {
				name += ", insert ids"
			}
			target, verdict := table.Against(a.PerSecond, a.Targets["events_per_s"], true, func(v float64) string { return table.Count(int(v)) })
			t = append(t, []string{name, table.Count(int(a.PerSecond)), target, verdict, table.Span(a.P50), table.Span(a.P95)})
		}
		t.Write(&b)
	}
	if len(r.Queries) > 0 {
		t := table.Table{{"query (warm)", "p50", "p95", "target", "", "first", "rows", "rows read", "bytes first read"}}
		for _, q := range r.Queries {
			target, verdict := table.Against(q.P50, q.Target, false, table.Span)
			t = append(t, []string{q.Name, table.Span(q.P50), table.Span(q.P95), target, verdict, table.Span(q.First), table.Count(q.Rows), table.Count(int(q.RowsRead)), table.Size(q.BytesCold)})
		}
		t.Write(&b)
	}
	return b.String()
}

func (m *ImportReport) text(b *strings.Builder, r *Report) {
	t := table.Table{{"import", "measured", "target", ""}}
	row := func(name, measured string, value float64, figure string, more bool, format func(float64) string) {
		target, verdict := table.Against(value, m.Targets[figure], more, format)
		t = append(t, []string{name, measured, target, verdict})
	}
	plain := func(name, measured string) { t = append(t, []string{name, measured, "", ""}) }
	number := func(v float64) string { return fmt.Sprintf("%.4g", v) }
	plain("token walk, one core", table.Count(int(r.WalkPerSecond))+" events/s")
	plain("import", fmt.Sprintf("%s events/s (%.1f s)", table.Count(int(m.PerSecond)), m.Seconds))
	row("ratio to the token walk", fmt.Sprintf("%.2f", m.Ratio), m.Ratio, "ratio", true, number)
	row("peak memory of the import", table.Size(m.PeakBytes), float64(m.PeakBytes)/1e6, "peak_mb", false, func(v float64) string { return number(v) + " MB" })
	plain("settling", fmt.Sprintf("%.1f s, peak %s", m.SettleSeconds, table.Size(m.SettlePeakBytes)))
	row("bytes per event on disk", fmt.Sprintf("%.2f", m.BytesPerEvent), m.BytesPerEvent, "bytes_per_event", false, number)
	for _, kind := range slices.Sorted(maps.Keys(m.KindBytes)) {
		plain("  "+kind, fmt.Sprintf("%.2f", float64(m.KindBytes[kind])/float64(max(1, r.Events))))
	}
	plain("partitions, segments", fmt.Sprintf("%d, %d", m.Partitions, m.Segments))
	row("open", table.Span(m.OpenSeconds), m.OpenSeconds*1000, "open_ms", false, func(v float64) string { return number(v) + " ms" })
	t.Write(b)
}

// tableText is a table's rows as text, to compare answers with.
func tableText(t *result.Table) [][]string {
	rows := make([][]string, len(t.Rows))
	for i, row := range t.Rows {
		for _, v := range row {
			rows[i] = append(rows[i], fmt.Sprint(v.Kind(), v.Bits(), v.Text()))
		}
	}
	return rows
}
