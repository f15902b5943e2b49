package schema_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query"
	"cairn/query/querytest"
	"cairn/query/schema"
)

var ctx = context.Background()

// hiding is a source some users of which are hidden.
type hiding struct {
	query.Source
	hidden *roaring.Bitmap
}

// Segments implements schema.Source.
func (h *hiding) Segments(ctx context.Context, r event.TimeRange) ([]*segment.Reader, error) {
	readers, err := h.Source.Segments(ctx, r)
	for i := range readers {
		readers[i] = readers[i].Without(h.hidden)
	}
	return readers, err
}

// stored is a source and the events that are to be seen in it.
type stored struct {
	source  schema.Source
	visible []event.Event
}

func draw(t *rapid.T) stored {
	events := querytest.RandomEvents(t)
	source, err := query.MemoryWith(events, query.MemoryOptions{
		Segments:  rapid.IntRange(1, 4).Draw(t, "segments"),
		BlockRows: rapid.SampledFrom([]int{1, 2, 4, 16, 65536}).Draw(t, "block rows"),
		Hot:       rapid.Bool().Draw(t, "hot"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "nobody hidden") {
		return stored{source, events}
	}
	h := &hiding{source, roaring.New()}
	hidden := map[string]bool{}
	for _, user := range []string{"u1", "u2", "u3", "u4"} {
		if id, ok, _ := source.UserID(user); ok && rapid.Bool().Draw(t, "hide "+user) {
			hidden[user] = true
			h.hidden.Add(id)
		}
	}
	return stored{h, slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return hidden[e.User] })}
}

func drawOptions(t *rapid.T) schema.Options {
	opt := schema.Options{
		Event:   rapid.SampledFrom([]string{"", "", "a", "b", "nope"}).Draw(t, "event"),
		Prefix:  rapid.SampledFrom([]string{"", "", "", "x", "a"}).Draw(t, "prefix"),
		Limit:   rapid.IntRange(0, 3).Draw(t, "limit"),
		Exact:   rapid.Bool().Draw(t, "exact"),
		Numbers: rapid.Bool().Draw(t, "numbers"),
	}
	if rapid.Bool().Draw(t, "range") {
		start := time.Date(2025, 3, 28, 0, 0, 0, 0, time.UTC).UnixNano()
		from := start + int64(rapid.IntRange(-5, 130).Draw(t, "from"))*int64(time.Hour)
		opt.Range = &event.TimeRange{From: from, To: from + int64(rapid.IntRange(0, 100).Draw(t, "hours"))*int64(time.Hour)}
	}
	return opt
}

// selected are the events that count.
func (s stored) selected(opt schema.Options) []event.Event {
	return slices.DeleteFunc(slices.Clone(s.visible), func(e event.Event) bool {
		return opt.Range != nil && !opt.Range.Contains(e.Time) || opt.Event != "" && e.Name != opt.Event
	})
}

func TestRandomEventNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, opt := draw(t), drawOptions(t)
		opt.Event = ""
		want := map[string]*schema.Event{}
		for _, e := range s.selected(opt) {
			if !strings.HasPrefix(e.Name, opt.Prefix) {
				continue
			}
			w := want[e.Name]
			if w == nil {
				w = &schema.Event{Name: e.Name, First: e.Time, Last: e.Time}
				want[e.Name] = w
			}
			w.Count++
			w.First, w.Last = min(w.First, e.Time), max(w.Last, e.Time)
		}
		var got []schema.Event
		for page := 0; ; page++ {
			answer, err := schema.Events(ctx, s.source, opt)
			if err != nil {
				t.Fatal(err)
			}
			if opt.Limit > 0 && len(answer.Events) > opt.Limit || answer.Cursor != "" && len(answer.Events) != opt.Limit {
				t.Fatalf("%d names on a page of %d", len(answer.Events), opt.Limit)
			}
			got = append(got, answer.Events...)
			if opt.Cursor = answer.Cursor; opt.Cursor == "" {
				break
			}
		}
		if len(got) != len(want) || !slices.IsSortedFunc(got, func(a, b schema.Event) int { return strings.Compare(a.Name, b.Name) }) {
			t.Fatalf("got %+v, want %v", got, slices.Sorted(maps.Keys(want)))
		}
		for _, g := range got {
			w := want[g.Name]
			if w == nil || g.Count != w.Count {
				t.Fatalf("got %+v, want %+v", g, w)
			}
			checkTimes(t, opt, g.First, g.Last, w.First, w.Last)
		}
	})
}

func checkTimes(t *rapid.T, opt schema.Options, first, last, wantFirst, wantLast int64) {
	if opt.Exact && (first != wantFirst || last != wantLast) || first > wantFirst || last < wantLast {
		t.Fatalf("times %d to %d, want %d to %d, exact: %v", first, last, wantFirst, wantLast, opt.Exact)
	}
	if opt.Range != nil && (first < opt.Range.From || last >= opt.Range.To) {
		t.Fatalf("times %d to %d are outside of %v", first, last, *opt.Range)
	}
}

// fieldUse is what a field has by the plainest of loops.
type fieldUse struct {
	schema.Field
	values map[event.Value]int64
}

func usesOf(events []event.Event) map[string]*fieldUse {
	uses := map[string]*fieldUse{}
	kinds := map[string]map[event.Kind]bool{}
	for _, e := range events {
		for _, f := range e.Fields {
			u := uses[f.Name]
			if u == nil {
				u = &fieldUse{Field: schema.Field{Name: f.Name, First: e.Time, Last: e.Time}, values: map[event.Value]int64{}}
				uses[f.Name], kinds[f.Name] = u, map[event.Kind]bool{}
			}
			u.Count++
			u.First, u.Last = min(u.First, e.Time), max(u.Last, e.Time)
			kinds[f.Name][f.Value.Kind()] = true
			if f.Value.IsNull() {
				u.Nulls++
			} else {
				u.values[f.Value.Canonical()]++
			}
		}
	}
	for name, u := range uses {
		for _, k := range slices.Sorted(maps.Keys(kinds[name])) {
			u.Types = append(u.Types, k.String())
		}
		u.Distinct = int64(len(u.values))
	}
	return uses
}

func TestRandomFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, opt := draw(t), drawOptions(t)
		want := usesOf(s.selected(opt))
		for name := range want {
			if !strings.HasPrefix(name, opt.Prefix) {
				delete(want, name)
			}
		}
		var got []schema.Field
		for {
			answer, err := schema.Fields(ctx, s.source, opt)
			if err != nil {
				t.Fatal(err)
			}
			if opt.Limit > 0 && len(answer.Fields) > opt.Limit || answer.Cursor != "" && len(answer.Fields) != opt.Limit {
				t.Fatalf("%d names on a page of %d", len(answer.Fields), opt.Limit)
			}
			got = append(got, answer.Fields...)
			if opt.Cursor = answer.Cursor; opt.Cursor == "" {
				break
			}
		}
		if len(got) != len(want) || !slices.IsSortedFunc(got, func(a, b schema.Field) int { return strings.Compare(a.Name, b.Name) }) {
			t.Fatalf("got %+v, want %v", got, slices.Sorted(maps.Keys(want)))
		}
		for _, g := range got {
			u := want[g.Name]
			if u == nil {
				t.Fatalf("nobody has %q", g.Name)
			}
			checkTimes(t, opt, g.First, g.Last, u.First, u.Last)
			w := u.Field
			w.First, w.Last = g.First, g.Last
			if g.Distinct < 0 && !opt.Numbers {
				w.Distinct = g.Distinct
			}
			if !reflect.DeepEqual(g, w) {
				t.Fatalf("got %+v, want %+v", g, w)
			}
		}
	})
}

func TestRandomValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, opt := draw(t), drawOptions(t)
		for _, name := range []string{"x", "y", "s", "l", "nope"} {
			var want []schema.ValueCount
			if u := usesOf(s.selected(opt))[name]; u != nil {
				for v, n := range u.values {
					want = append(want, schema.ValueCount{Value: v, Count: n})
				}
			}
			slices.SortFunc(want, func(a, b schema.ValueCount) int {
				if a.Count != b.Count {
					return int(b.Count - a.Count)
				}
				return event.Compare(a.Value, b.Value)
			})
			distinct := len(want)
			if opt.Limit > 0 {
				want = want[:min(opt.Limit, len(want))]
			}
			got, err := schema.Values(ctx, s.source, name, opt)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Values, want) || got.Complete != (len(want) == distinct) || got.Distinct != int64(distinct) {
				t.Fatalf("%s: got %+v, want %+v of %d", name, got, want, distinct)
			}
		}
	})
}

// The answers are those of queries, on events of which some are sealed and some are not.
func TestSchemaOfAnEngine(t *testing.T) {
	db, err := engine.Open("data", engine.Options{FS: vfs.NewMem(), NoBackground: true, BlockRows: 256, Now: func() time.Time { return time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tenant, err := db.Tenant("t")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	var events []event.Event
	for i := range 6000 {
		e := event.Event{Time: start + int64(i*7919%6000)*int64(2*time.Minute), Name: []string{"view", "pay", "open"}[i%3], User: fmt.Sprintf("u%d", i%91)}
		e.Fields = append(e.Fields, event.Field{Name: "order", Value: event.String(fmt.Sprintf("order-%d", i*3))})
		e.Fields = append(e.Fields, event.Field{Name: "region", Value: event.String([]string{"north", "south"}[i%2])})
		if i%3 == 1 {
			e.Fields = append(e.Fields, event.Field{Name: "amount", Value: event.Float(float64(i) / 7)})
		}
		events = append(events, e)
	}
	for i, part := range [][]event.Event{events[:4000], events[4000:]} {
		if _, err := tenant.Append(ctx, part); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := db.Settle(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	for _, rng := range []*event.TimeRange{nil, {From: start + 30*int64(time.Hour), To: start + 100*int64(time.Hour)}} {
		opt := schema.Options{Range: rng, Exact: true, Numbers: true}
		page, err := schema.Events(ctx, snapshot, opt)
		if err != nil {
			t.Fatal(err)
		}
		table, err := query.Run(ctx, snapshot, "* | stats count(), min(time) as first, max(time) as last by event | sort event", query.Options{Range: rng})
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range table.Rows {
			if want := (schema.Event{Name: row[0].AsString(), Count: row[1].AsInt(), First: row[2].AsInt(), Last: row[3].AsInt()}); i >= len(page.Events) || page.Events[i] != want {
				t.Errorf("%v: got %+v, want %+v", rng, page.Events, want)
			}
		}
		opt.Event = "pay"
		fields, err := schema.Fields(ctx, snapshot, opt)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fields.Fields {
			table, err := query.Run(ctx, snapshot, "pay{exists("+f.Name+")} | stats count(), distinct("+f.Name+") as d, min(time) as first, max(time) as last", query.Options{Range: rng})
			if err != nil {
				t.Fatal(err)
			}
			row := table.Rows[0]
			if f.Count != row[0].AsInt() || f.Distinct != row[1].AsInt() || f.DistinctError != 0 || f.First != row[2].AsInt() || f.Last != row[3].AsInt() {
				t.Errorf("%v: got %+v, want %v", rng, f, row)
			}
		}
		if len(fields.Fields) != 3 {
			t.Errorf("%v: fields %+v", rng, fields.Fields)
		}
		values, err := schema.Values(ctx, snapshot, "region", schema.Options{Range: rng})
		if err != nil {
			t.Fatal(err)
		}
		if table, err = query.Run(ctx, snapshot, "* | top 10 region", query.Options{Range: rng}); err != nil {
			t.Fatal(err)
		}
		for i, row := range table.Rows {
			if v := values.Values[i]; v.Value != row[0] || v.Count != row[1].AsInt() {
				t.Errorf("%v: got %+v, want %v", rng, values, row)
			}
		}
	}
}

// Many distinct values are estimated, and the page says so.
func TestManyDistinctValuesAreEstimated(t *testing.T) {
	const n = 200_000
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{Time: int64(i), Name: "a", Fields: []event.Field{
			{Name: "few", Value: event.Int(int64(i % 100))},
			{Name: "id", Value: event.String(fmt.Sprintf("id-%d", i))},
			{Name: "number", Value: event.Float(float64(i) + 0.5)},
		}}
	}
	source, err := query.MemoryWith(events, query.MemoryOptions{Segments: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, numbers := range []bool{false, true} {
		page, err := schema.Fields(ctx, source, schema.Options{Numbers: numbers})
		if err != nil {
			t.Fatal(err)
		}
		few, id, number := page.Fields[0], page.Fields[1], page.Fields[2]
		if few.Distinct != 100 || few.DistinctError != 0 {
			t.Errorf("%+v", few)
		}
		if id.DistinctError == 0 || math.Abs(float64(id.Distinct)/n-1) > 4*id.DistinctError {
			t.Errorf("%+v", id)
		}
		if !numbers && number.Distinct != -1 || numbers && math.Abs(float64(number.Distinct)/n-1) > 4*number.DistinctError {
			t.Errorf("numbers %v: %+v", numbers, number)
		}
	}
	top, err := schema.Values(ctx, source, "id", schema.Options{Limit: 3})
	if err != nil || len(top.Values) != 3 || top.Complete || top.Distinct != n || top.Values[0].Value != event.String("id-0") {
		t.Errorf("%+v, %v", top, err)
	}
}

func TestCursorsThatNobodyGave(t *testing.T) {
	source, err := query.Memory([]event.Event{{Name: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, cursor := range []string{"x", "n!", "na", "n\x00"} {
		if _, err := schema.Events(ctx, source, schema.Options{Cursor: cursor}); !errors.Is(err, schema.ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
		if _, err := schema.Fields(ctx, source, schema.Options{Cursor: cursor}); !errors.Is(err, schema.ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}

func TestCancellation(t *testing.T) {
	source, err := query.Memory([]event.Event{{Name: "a", Fields: []event.Field{{Name: "x", Value: event.Int(1)}}}})
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("enough")
	ended, cancel := context.WithCancelCause(ctx)
	cancel(why)
	_, events := schema.Events(ended, source, schema.Options{})
	_, fields := schema.Fields(ended, source, schema.Options{})
	_, values := schema.Values(ended, source, "x", schema.Options{})
	for _, err := range []error{events, fields, values} {
		if !errors.Is(err, why) {
			t.Errorf("%v, want %v", err, why)
		}
	}
}

// TestValuesKeepToTheirMemory asks for the values of fields that are different in every event.
func TestValuesKeepToTheirMemory(t *testing.T) {
	const rows = 10_000
	events := make([]event.Event, rows)
	for i := range events {
		events[i] = event.Event{Name: "a", Fields: []event.Field{
			{Name: "number", Value: event.Int(int64(i) << 20)}, {Name: "text", Value: event.String(fmt.Sprint("t", i))}, {Name: "one", Value: event.String("x")},
		}}
	}
	source, err := query.MemoryWith(events, query.MemoryOptions{Segments: 4})
	if err != nil {
		t.Fatal(err)
	}
	for field, distinct := range map[string]int64{"number": rows, "text": rows, "one": 1} {
		for _, memory := range []int64{0, 64 * rows, 4 * rows} {
			top, err := schema.Values(ctx, source, field, schema.Options{Limit: 3, MemoryBytes: memory})
			switch enough := memory != 4*rows || distinct == 1; {
			case enough && (err != nil || top.Distinct != distinct):
				t.Errorf("%s with %d bytes: %+v, %v", field, memory, top, err)
			case !enough && !errors.Is(err, schema.ErrMemory):
				t.Errorf("%s with %d bytes: %v, want %v", field, memory, err, schema.ErrMemory)
			}
		}
	}
}
