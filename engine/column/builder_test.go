package column

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"cairn/engine/event"
)

func TestHashOfWordsIsHash(t *testing.T) {
	for n := range 40 {
		s := []byte("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH")[:n]
		h := HashStart()
		rest := s
		for len(rest) >= 8 {
			var word uint64
			for i := range 8 {
				word |= uint64(rest[i]) << (8 * i)
			}
			h = HashStep(h, word)
			rest = rest[8:]
		}
		var tail uint64
		for i, c := range rest {
			tail |= uint64(c) << (8 * i)
		}
		if got := HashEnd(h, tail); got != Hash(s) {
			t.Errorf("%d bytes: %x by words, %x whole", n, got, Hash(s))
		}
	}
}

func TestDictNumbersByFirstAppearance(t *testing.T) {
	var d Dict
	for i := range 5000 {
		if got := d.Intern(fmt.Appendf(nil, "s%d", i%1700)); int(got) != i%1700 {
			t.Fatalf("string %d has number %d", i%1700, got)
		}
	}
	if _, ok := d.Find([]byte("absent")); ok || d.Len() != 1700 {
		t.Fatalf("%d strings", d.Len())
	}
	d.dropLast()
	if _, ok := d.Find([]byte("s1699")); ok {
		t.Fatal("a dropped string is found")
	}
	if got := d.Intern([]byte("s1699")); got != 1699 {
		t.Fatalf("a dropped string comes back as %d", got)
	}
	data, ends := d.Raw()
	var loaded Dict
	loaded.Load(data, ends, true)
	for i := range 1700 {
		if n, ok := loaded.Find(fmt.Appendf(nil, "s%d", i)); !ok || int(n) != i {
			t.Fatalf("loaded: string %d has number %d", i, n)
		}
	}
}

// TestRollbackLeavesNoTrace builds the same events with and without bad ones in between, in batches
// one after the other, and compares the batches down to their dictionaries.
func TestRollbackLeavesNoTrace(t *testing.T) {
	for _, grow := range []bool{false, true} {
		var clean, messy Builder
		for round := range 3 {
			if grow {
				clean.Grow(50)
				messy.Grow(50)
			}
			for i := range 50 {
				e := event.Event{Time: int64(i), Name: fmt.Sprint("e", i%7), User: fmt.Sprint("u", i%11), Fields: []event.Field{
					{Name: "a", Value: event.String(fmt.Sprint("x", i%13, round))}, {Name: "n", Value: event.Int(int64(i))},
				}}
				if i%3 == 0 {
					e.ID = fmt.Sprint("id", i)
					e.Fields = append(e.Fields, event.Field{Name: "sparse", Value: event.Float(0.5)})
				}
				clean.AppendEvent(&e)

				messy.Begin(-1)
				messy.SetReceived(5)
				messy.SetEvent([]byte(fmt.Sprint("e", i%7)))
				messy.SetUser([]byte(fmt.Sprint("bad", i)))
				messy.Field([]byte("a")).AppendText(messy.Row(), event.KindList, fmt.Appendf(nil, "x%d%d", i%13, round))
				messy.Field([]byte("n")).AppendText(messy.Row(), event.KindString, []byte("new"))
				messy.Field(fmt.Appendf(nil, "bad%d", i)).AppendNum(messy.Row(), event.KindNull, 0)
				if messy.Field([]byte("a")) != nil {
					t.Fatal("a name is taken twice")
				}
				messy.Rollback()
				messy.AppendEvent(&e)
			}
			a, b := clean.Finish(), messy.Finish()
			for i := range a.Fields {
				if !reflect.DeepEqual(a.Fields[i], b.Fields[i]) {
					t.Errorf("grow=%v round %d: columns differ:\n%+v\n%+v", grow, round, a.Fields[i], b.Fields[i])
				}
			}
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("grow=%v round %d: batches differ:\n%+v\n%+v", grow, round, a, b)
			}
		}
	}
}

// TestReuseAndCompact builds batches of the same events with and without memory used again, and compares
// them and their copies.
func TestReuseAndCompact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var reusing Builder
	var former []*Batch
	for range 300 {
		var events []event.Event
		for range rnd.IntN(12) {
			e := event.Event{Time: rnd.Int64(), Name: fmt.Sprint("e", rnd.IntN(30))}
			if rnd.IntN(3) > 0 {
				e.User = fmt.Sprint("u", rnd.IntN(30))
			}
			if rnd.IntN(3) == 0 {
				e.ID = fmt.Sprint("i", rnd.Int64())
			}
			for f := range rnd.IntN(6) {
				v := event.Int(rnd.Int64N(9))
				if rnd.IntN(2) == 0 {
					v = event.String(fmt.Sprint("text", rnd.IntN(40)))
				}
				e.Fields = append(e.Fields, event.Field{Name: fmt.Sprint("f", f+rnd.IntN(2)*10), Value: v})
			}
			events = append(events, e)
		}
		var plain Builder
		if n := len(former); n > 0 && rnd.IntN(3) > 0 {
			reusing.Reuse(former[n-1])
			former = former[:n-1]
		}
		for i := range events {
			takenBack := rnd.IntN(8) == 0
			for _, b := range []*Builder{&plain, &reusing} {
				if takenBack { // an event that is taken back
					b.Begin(7)
					b.SetEvent([]byte("rolled back"))
					b.Field([]byte("f1")).AppendText(b.Row(), event.KindString, []byte("rolled back"))
					b.Rollback()
				}
				b.AppendEvent(&events[i])
			}
		}
		want, got := plain.Finish(), reusing.Finish()
		for name, b := range map[string]*Batch{"reusing": got, "compact": got.Compact()} {
			if b.Rows != len(events) || !reflect.DeepEqual(b.Events(), want.Events()) {
				t.Fatalf("%s: %v, want %v", name, b.Events(), want.Events())
			}
			for _, c := range b.Fields {
				if c.Len() == 0 || (c.Rows == nil) != (c.Len() == b.Rows) {
					t.Fatalf("%s: column %s has %d values in %d rows, rows %v", name, c.Name, c.Len(), b.Rows, c.Rows)
				}
			}
		}
		former = append(former, got)
	}
}

func TestReuseAllocatesNothing(t *testing.T) {
	e := event.Event{Time: 1, Name: "name", User: "user", Fields: []event.Field{
		{Name: "text", Value: event.String("value")}, {Name: "number", Value: event.Int(3)},
	}}
	var b Builder
	b.AppendEvent(&e)
	done := b.Finish()
	allocations := testing.AllocsPerRun(100, func() {
		b.Reuse(done)
		b.AppendEvent(&e)
		done = b.Finish()
	})
	if allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}
