package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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

func newReport(suite string) *Report { return &Report{Suite: suite, Machine: machine()} }

// Text returns the report as tables for people.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s events, %s of NDJSON (%.0f B an event)\n%s\n", r.Suite, count(r.Events), size(r.InputBytes), float64(r.InputBytes)/float64(max(1, r.Events)), r.Machine)
	if r.Import != nil {
		r.Import.text(&b, r)
	}
	if len(r.Appends) > 0 {
		t := table{{"append", "events/s", "target", "", "p50", "p95"}}
		for _, a := range r.Appends {
			name := fmt.Sprintf("%d writers, batches of %s, synced", a.Writers, count(a.Batch))
			if a.IDs > 0 {
				name += ", insert ids"
			}
			target, verdict := against(a.PerSecond, a.Targets["events_per_s"], true, func(v float64) string { return count(int(v)) })
			t = append(t, []string{name, count(int(a.PerSecond)), target, verdict, span(a.P50), span(a.P95)})
		}
		t.write(&b)
	}
	if len(r.Queries) > 0 {
		t := table{{"query (warm)", "p50", "p95", "target", "", "first", "rows", "rows read", "bytes first read"}}
		for _, q := range r.Queries {
			target, verdict := against(q.P50, q.Target, false, span)
			t = append(t, []string{q.Name, span(q.P50), span(q.P95), target, verdict, span(q.First), count(q.Rows), count(int(q.RowsRead)), size(q.BytesCold)})
		}
		t.write(&b)
	}
	return b.String()
}

func (m *ImportReport) text(b *strings.Builder, r *Report) {
	t := table{{"import", "measured", "target", ""}}
	row := func(name, measured string, value float64, figure string, more bool, format func(float64) string) {
		target, verdict := against(value, m.Targets[figure], more, format)
		t = append(t, []string{name, measured, target, verdict})
	}
	plain := func(name, measured string) { t = append(t, []string{name, measured, "", ""}) }
	number := func(v float64) string { return fmt.Sprintf("%.4g", v) }
	plain("token walk, one core", count(int(r.WalkPerSecond))+" events/s")
	plain("import", fmt.Sprintf("%s events/s (%.1f s)", count(int(m.PerSecond)), m.Seconds))
	row("ratio to the token walk", fmt.Sprintf("%.2f", m.Ratio), m.Ratio, "ratio", true, number)
	row("peak memory of the import", size(m.PeakBytes), float64(m.PeakBytes)/1e6, "peak_mb", false, func(v float64) string { return number(v) + " MB" })
	plain("settling", fmt.Sprintf("%.1f s, peak %s", m.SettleSeconds, size(m.SettlePeakBytes)))
	row("bytes per event on disk", fmt.Sprintf("%.2f", m.BytesPerEvent), m.BytesPerEvent, "bytes_per_event", false, number)
	for _, kind := range slices.Sorted(maps.Keys(m.KindBytes)) {
		plain("  "+kind, fmt.Sprintf("%.2f", float64(m.KindBytes[kind])/float64(max(1, r.Events))))
	}
	plain("partitions, segments", fmt.Sprintf("%d, %d", m.Partitions, m.Segments))
	row("open", span(m.OpenSeconds), m.OpenSeconds*1000, "open_ms", false, func(v float64) string { return number(v) + " ms" })
	t.write(b)
}

// against says what a target is and whether it is reached.
func against(value, target float64, more bool, format func(float64) string) (text, verdict string) {
	if target == 0 {
		return "", ""
	}
	sign, reached := "≤ ", value <= target
	if more {
		sign, reached = "≥ ", value >= target
	}
	verdict = "missed"
	if reached {
		verdict = "ok"
	}
	return sign + format(target), verdict
}

// table is rows of cells, the first its head; the first column is text, the others figures.
type table [][]string

func (t table) write(b *strings.Builder) {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	b.WriteByte('\n')
	for n, row := range t {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			switch {
			case i == 0:
				line.WriteString(cell + pad)
			default:
				line.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		if n == 0 {
			b.WriteString(strings.Repeat("-", len([]rune(line.String()))) + "\n")
		}
	}
}

// count writes a number with thousands apart.
func count(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// size writes bytes in the unit that suits.
func size(n int64) string {
	v := float64(n)
	for _, unit := range []string{"B", "kB", "MB"} {
		if v < 1000 {
			return fmt.Sprintf("%.4g %s", v, unit)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.2f GB", v)
}

// span writes seconds in milliseconds.
func span(seconds float64) string {
	d := time.Duration(seconds * 1e9)
	if d >= 100*time.Millisecond {
		return fmt.Sprintf("%.0f ms", seconds*1000)
	}
	return fmt.Sprintf("%.3g ms", seconds*1000)
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
