package segment

import (
	"slices"
	"testing"

	"cairn/engine/column"
	"cairn/engine/event"

	"pgregory.net/rapid"
)

// stored is an event with its dense user.
type stored struct {
	user uint32
	e    event.Event
}

func byUserTime(a, b stored) int {
	if a.user != b.user {
		return int(a.user) - int(b.user)
	}
	if a.e.Time != b.e.Time {
		if a.e.Time < b.e.Time {
			return -1
		}
		return 1
	}
	if a.e.Name != b.e.Name {
		if a.e.Name < b.e.Name {
			return -1
		}
		return 1
	}
	return 0
}

// inputOf makes a batch; dense is the id of each user name.
func inputOf(events []event.Event, dense map[string]uint32, received int64) Input {
	var b column.Builder
	for i := range events {
		b.AppendEvent(&events[i])
	}
	in := Input{Batch: b.Finish(), Received: received}
	for i := range in.Batch.User.Dict.Len() {
		in.Users = append(in.Users, dense[in.Batch.User.Dict.String(uint32(i))])
	}
	return in
}

var testUsers = map[string]uint32{"ann": 1, "bob": 2, "cy": 5, "dan": 70000, "eve": 70001}

func drawValue(t *rapid.T) event.Value {
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return event.Null
	case 1:
		return event.Bool(rapid.Bool().Draw(t, "bool"))
	case 2, 3:
		return event.Int(rapid.Int64().Draw(t, "int"))
	case 4:
		return event.Float(rapid.Float64Range(-1e300, 1e300).Draw(t, "float"))
	case 5:
		return event.Float(float64(rapid.IntRange(-1000, 1000).Draw(t, "cents")) / 100)
	case 6:
		return event.List(rapid.SampledFrom([]string{"[]", "[1]", `["a","b"]`}).Draw(t, "list"))
	case 7:
		return event.EmptyObject
	default:
		return event.String(rapid.StringN(0, 12, 20).Draw(t, "string"))
	}
}

// drawEvents draws events whose fields are each of few or many kinds.
func drawEvents(t *rapid.T, limit int) []event.Event {
	n := rapid.IntRange(1, limit).Draw(t, "events")
	kinds := rapid.SliceOfN(rapid.IntRange(0, 5), 6, 6).Draw(t, "field kinds")
	out := make([]event.Event, n)
	users := []string{"", "ann", "bob", "cy", "dan", "eve"}
	for i := range out {
		e := &out[i]
		e.Time = rapid.Int64Range(-1000, 1000).Draw(t, "time")*1000 + 1_700_000_000_000
		e.Name = rapid.SampledFrom([]string{"view", "click", "pay", "x"}).Draw(t, "name")
		e.User = rapid.SampledFrom(users).Draw(t, "user")
		if rapid.IntRange(0, 3).Draw(t, "has id") == 0 {
			e.ID = rapid.StringMatching(`[a-f0-9]{1,12}`).Draw(t, "id")
		}
		for f, kind := range kinds {
			if e.Name == "pay" && f%2 == 0 || rapid.IntRange(0, 2).Draw(t, "present") == 0 {
				continue
			}
			var v event.Value
			switch kind {
			case 0:
				v = drawValue(t)
			case 1:
				v = event.Int(rapid.Int64Range(0, 5).Draw(t, "small"))
			case 2:
				v = event.Int(rapid.Int64().Draw(t, "int"))
			case 3:
				v = event.Float(float64(rapid.IntRange(-100000, 100000).Draw(t, "cents")) / 100)
			case 4:
				v = event.String(rapid.SampledFrom([]string{"", "a", "ab", "b", "\x00", "é"}).Draw(t, "word"))
			default:
				v = event.Float(rapid.Float64Range(-1e300, 1e300).Draw(t, "float"))
			}
			e.Fields = append(e.Fields, event.Field{Name: string(rune('a' + f)), Value: v})
		}
	}
	return out
}

// inputsOf cuts events into batches.
func inputsOf(t *rapid.T, events []event.Event) []Input {
	var out []Input
	for from := 0; from < len(events); {
		to := rapid.IntRange(from+1, len(events)).Draw(t, "cut")
		out = append(out, inputOf(events[from:to], testUsers, 77))
		from = to
	}
	return out
}

// wanted returns events as Rows should give them, sorted.
func wanted(events []event.Event) []stored {
	out := make([]stored, len(events))
	for i, e := range events {
		out[i] = stored{testUsers[e.User], e}
		out[i].e.User = ""
		if e.Received == 0 {
			out[i].e.Received = 77
		}
	}
	slices.SortStableFunc(out, byUserTime)
	return out
}

func contentOf(t testing.TB, readers ...*Reader) []stored {
	var out []stored
	for _, r := range readers {
		rows, err := r.Rows(nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			out = append(out, stored{row.User, row.Event})
			if i > 0 && byUserTime(out[len(out)-2], out[len(out)-1]) > 0 {
				t.Fatalf("row %d is out of order", i)
			}
		}
	}
	slices.SortStableFunc(out, byUserTime)
	return out
}

type fataler interface {
	Fatalf(format string, args ...any)
}

// sameRows compares as multisets among simultaneous rows of one user.
func sameRows(t fataler, got, want []stored) {
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	used := make([]bool, len(want))
	for i := range got {
		found := false
		for j := i; j >= 0 && byUserTime(want[j], got[i]) == 0; j-- {
			if !used[j] && sameEvent(&got[i].e, &want[j].e) {
				used[j], found = true, true
				break
			}
		}
		for j := i + 1; !found && j < len(want) && byUserTime(want[j], got[i]) == 0; j++ {
			if !used[j] && sameEvent(&got[i].e, &want[j].e) {
				used[j], found = true, true
			}
		}
		if !found {
			t.Fatalf("row %d: %+v is not among what was stored, such as %+v", i, got[i], want[i])
		}
	}
}

func sameEvent(a, b *event.Event) bool {
	return a.Time == b.Time && a.Name == b.Name && a.ID == b.ID && a.Received == b.Received && slices.Equal(a.Fields, b.Fields)
}

func TestHotContent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := drawEvents(rt, 60)
		r := NewHot(inputsOf(rt, events))
		sameRows(rt, contentOf(t, r), wanted(events))
	})
}

// open encodes and opens.
func opened(t testing.TB, encoded []*Encoded, err error) []*Reader {
	if err != nil {
		t.Fatal(err)
	}
	var out []*Reader
	for _, e := range encoded {
		r, err := e.Reader()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func drawOptions(t *rapid.T) BuildOptions {
	return BuildOptions{
		Cold:      rapid.Bool().Draw(t, "cold"),
		MaxBlocks: rapid.SampledFrom([]int{1, 2, 16}).Draw(t, "blocks"),
		BlockRows: rapid.SampledFrom([]int{1, 4, 16, 64, 65536}).Draw(t, "block rows"),
		indexAll:  rapid.Bool().Draw(t, "index all"),
	}
}

func TestBuildContent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := drawEvents(rt, 60)
		encoded, err := Build(inputsOf(rt, events), drawOptions(rt))
		sameRows(rt, contentOf(t, opened(t, encoded, err)...), wanted(events))
	})
}

func TestMergeContent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var all []event.Event
		var parts []*Reader
		for range rapid.IntRange(1, 4).Draw(rt, "parts") {
			events := drawEvents(rt, 30)
			all = append(all, events...)
			inputs := inputsOf(rt, events)
			if rapid.Bool().Draw(rt, "hot") {
				parts = append(parts, NewHot(inputs))
				continue
			}
			encoded, err := Build(inputs, drawOptions(rt))
			parts = append(parts, opened(t, encoded, err)...)
		}
		encoded, err := Merge(parts, drawOptions(rt))
		sameRows(rt, contentOf(t, opened(t, encoded, err)...), wanted(all))
	})
}

func TestVerifyAfterBuild(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := drawEvents(rt, 60)
		encoded, err := Build(inputsOf(rt, events), drawOptions(rt))
		for _, r := range opened(t, encoded, err) {
			if err := r.Verify(); err != nil {
				rt.Fatal(err)
			}
			for _, e := range events {
				f, err := r.IDFilter()
				if err != nil {
					rt.Fatal(err)
				}
				if received, ok, err := r.FindID(e.ID); err != nil || ok && (received != 77 || !f.MayContain(HashID(e.ID))) {
					rt.Fatal(received, ok, err)
				}
			}
		}
	})
}
