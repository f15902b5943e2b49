package frame

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cairn/engine/column"
	"cairn/engine/event"
)

func randomBatch(r *rand.Rand, rows int) *column.Batch {
	var b column.Builder
	for i := range rows {
		e := event.Event{Time: 1750000000000000000 + r.Int64N(1e12), Name: fmt.Sprintf("event_%d", r.IntN(5))}
		if r.IntN(4) > 0 {
			e.User = fmt.Sprintf("user-%d", r.IntN(50))
		}
		if r.IntN(2) == 0 {
			e.ID = fmt.Sprintf("id-%d", i)
		}
		values := []event.Value{
			event.Int(r.Int64N(1 << r.IntN(62))), event.Int(-r.Int64N(300)), event.Float(r.NormFloat64()), event.Bool(r.IntN(2) == 0),
			event.Null, event.String(fmt.Sprint("text ", r.IntN(100))), event.List("[1,2]"), event.EmptyObject, event.String(""),
		}
		for f := range 6 {
			if r.IntN(3) > 0 {
				kind := f
				if f == 0 {
					kind = r.IntN(len(values))
				}
				e.Fields = append(e.Fields, event.Field{Name: fmt.Sprintf("field_%d", f), Value: values[kind]})
			}
		}
		b.AppendEvent(&e)
	}
	return b.Finish()
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		b := randomBatch(r, rapid.IntRange(0, 300).Draw(t, "rows"))
		if b.Rows > 0 && rapid.Bool().Draw(t, "received") {
			b.Received = slices.Clone(b.Time)
		}
		record := Record{Received: r.Int64(), Users: make([]uint32, b.User.Dict.Len())}
		for i := range record.Users {
			record.Users[i] = r.Uint32()
		}
		for row := range b.Rows {
			if r.IntN(5) == 0 {
				record.Skipped = append(record.Skipped, uint32(row))
			}
		}
		data := AppendRecord(Append(nil, b), record)
		got, gotRecord, err := DecodeEntry(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Events(), b.Events()) {
			t.Fatal("the events differ")
		}
		if len(record.Users) == 0 {
			record.Users = nil
		}
		if !reflect.DeepEqual(gotRecord, record) {
			t.Fatalf("record %+v, want %+v", gotRecord, record)
		}
		if again := AppendRecord(Append(nil, got), gotRecord); !bytes.Equal(again, data) {
			t.Fatal("the bytes differ when encoded again")
		}
	})
}

func TestTimes(t *testing.T) {
	for _, times := range [][]int64{
		{}, {0}, {math.MinInt64, math.MaxInt64}, {1, 2, 3}, {1e9, 5e9}, {-1e9, 7e6}, {1750000000123000000, 1750000000124000000},
	} {
		d := decoder{in: appendTimes(nil, times)}
		if got := d.times(len(times)); d.err != nil || !slices.Equal(got, times) {
			t.Errorf("%v came back as %v, %v", times, got, d.err)
		}
	}
}

// TestDamage flips and cuts an entry everywhere: always an error, never a panic, never other events.
func TestDamage(t *testing.T) {
	b := randomBatch(rand.New(rand.NewPCG(1, 1)), 20)
	data := AppendRecord(Append(nil, b), Record{Received: 5, Users: make([]uint32, b.User.Dict.Len())})
	for i := range data {
		if _, _, err := DecodeEntry(data[:i]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			if _, _, err := DecodeEntry(bad); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("byte %d bit %d: %v", i, bit, err)
			}
		}
	}
}

// FuzzPayload decodes what may be a payload, without the checksum in the way; what it accepts must
// survive being written again.
func FuzzPayload(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(encodePayload(nil, randomBatch(rand.New(rand.NewPCG(seed, 2)), int(seed)*3)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 0 && data[0] >= 0x80 {
			return // thousands of rows out of a few bytes: allowed, but slow here
		}
		d := decoder{in: data}
		b := d.batch()
		if d.err != nil {
			return
		}
		events := b.Events()
		again := decoder{in: encodePayload(nil, b)}
		if c := again.batch(); again.err != nil || len(c.Events()) != len(events) {
			t.Fatalf("encoded again: %v", again.err)
		}
	})
}

func FuzzEntry(f *testing.F) {
	b := randomBatch(rand.New(rand.NewPCG(3, 3)), 5)
	f.Add(AppendRecord(Append(nil, b), Record{Users: make([]uint32, b.User.Dict.Len()), Skipped: []uint32{1}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, err := DecodeEntry(data); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	batch := randomBatch(rand.New(rand.NewPCG(1, 1)), 4096)
	b.SetBytes(int64(len(encodePayload(nil, batch))))
	var dst []byte
	for b.Loop() {
		dst = Append(dst[:0], batch)
	}
}

func BenchmarkDecode(b *testing.B) {
	batch := randomBatch(rand.New(rand.NewPCG(1, 1)), 4096)
	b.SetBytes(int64(len(encodePayload(nil, batch))))
	data := Append(nil, batch)
	for b.Loop() {
		got, _, err := Decode(data)
		if err != nil || got.Rows != batch.Rows {
			b.Fatal(err)
		}
	}
}
