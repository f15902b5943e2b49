package column

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"cairn/engine/event"
)

func testBatch(r *rand.Rand, rows int) *Batch {
	var b Builder
	for i := range rows {
		e := event.Event{Time: int64(i), Name: fmt.Sprint("e", r.IntN(3))}
		if r.IntN(2) == 0 {
			e.User = fmt.Sprint("u", r.IntN(9))
		}
		for f := range 3 {
			switch r.IntN(4) {
			case 0:
				e.Fields = append(e.Fields, event.Field{Name: fmt.Sprint("f", f), Value: event.Int(int64(i))})
			case 1:
				e.Fields = append(e.Fields, event.Field{Name: fmt.Sprint("f", f), Value: event.String(fmt.Sprint("s", r.IntN(5)))})
			}
		}
		b.AppendEvent(&e)
	}
	return b.Finish()
}

func TestSplit(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := testBatch(r, r.IntN(60))
		n := 1 + r.IntN(4)
		parts := make([]uint32, b.Rows)
		want := make([][]event.Event, n)
		rows := make([][]uint32, n)
		all := b.Events()
		for i := range parts {
			parts[i] = uint32(r.IntN(n + 1))
			if parts[i] == uint32(n) {
				parts[i] = NoPart
				continue
			}
			want[parts[i]] = append(want[parts[i]], all[i])
			rows[parts[i]] = append(rows[parts[i]], uint32(i))
		}
		for i, got := range b.Split(parts, n) {
			if got.Rows != len(want[i]) || got.Rows > 0 && !reflect.DeepEqual(got.Events(), want[i]) {
				t.Fatalf("seed %d part %d differs", seed, i)
			}
			var joined Builder
			joined.AppendBatch(b, append([]uint32{}, rows[i]...))
			if out := joined.Finish(); got.Rows > 0 && !reflect.DeepEqual(out.Events(), want[i]) {
				t.Fatalf("seed %d: rows %v appended differ", seed, rows[i])
			}
		}
	}
}
