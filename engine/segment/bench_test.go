package segment

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cairn/engine/column"
	"cairn/engine/event"

	"github.com/RoaringBitmap/roaring/v2"
)

// benchInputs are the batches of a day: sessions with a dozen fields an event, most of which stay
// the same in a session.
func benchInputs(events int) []Input { return benchBatches(events, 10_000) }

// benchBatches are the same in batches of about so many rows.
func benchBatches(events, rows int) []Input {
	rng := rand.New(rand.NewPCG(1, 2))
	var inputs []Input
	for from := 0; from < events; {
		var b column.Builder
		for b.Len() < rows && from+b.Len() < events {
			user := rng.IntN(50_000)
			at := int64(from+b.Len()) * 200_000_000
			for range 2 + rng.IntN(12) {
				at += int64(rng.IntN(20_000)) * 1_000_000
				e := event.Event{Time: at, Name: fmt.Sprintf("event_%02d", rng.IntN(8)*rng.IntN(8)), User: fmt.Sprintf("user-%d", user)}
				add := func(name string, v event.Value) {
					e.Fields = append(e.Fields, event.Field{Name: name, Value: v})
				}
				for f, n := range []int{3, 5, 12, 20, 34, 200} {
					add(fmt.Sprintf("session_%d", f), event.String(fmt.Sprintf("value-%d", user*(f+7)%n)))
				}
				add("page", event.String(fmt.Sprintf("pages/%d", rng.IntN(33))))
				if rng.IntN(10) < 7 {
					add("latency_ms", event.Int(int64(15+rng.ExpFloat64()*90)))
				}
				if rng.IntN(10) < 3 {
					add("item_id", event.Int(int64(100_000+rng.IntN(100_000))))
					add("price", event.Float(float64(rng.IntN(20_000))/100))
				}
				if e.Name == "event_49" {
					add("order_id", event.String(fmt.Sprintf("%016d", rng.Int64N(1e16))))
				}
				b.AppendEvent(&e)
			}
		}
		in := Input{Batch: b.Finish(), Received: int64(len(inputs))}
		for i := range in.Batch.User.Dict.Len() {
			var user uint32
			fmt.Sscanf(in.Batch.User.Dict.String(uint32(i)), "user-%d", &user)
			in.Users = append(in.Users, user+1)
		}
		from += in.Batch.Rows
		inputs = append(inputs, in)
	}
	return inputs
}

const benchEvents = 200_000

func rowsOf(inputs []Input) int {
	n := 0
	for i := range inputs {
		n += inputs[i].rows()
	}
	return n
}

func reportEach(b *testing.B, what string, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/"+what)
}

func BenchmarkBuild(b *testing.B) {
	inputs := benchInputs(benchEvents)
	rows := rowsOf(inputs)
	for _, cold := range []bool{false, true} {
		b.Run(fmt.Sprintf("rows=%dk/cold=%v", rows/1000, cold), func(b *testing.B) {
			size := 0
			for b.Loop() {
				encoded, err := Build(inputs, BuildOptions{Cold: cold})
				if err != nil || len(encoded) != 1 {
					b.Fatal(len(encoded), err)
				}
				size = encoded[0].SizeBytes()
			}
			reportEach(b, "event", rows)
			b.ReportMetric(float64(size)/float64(rows), "bytes/event")
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	inputs := benchInputs(benchEvents)
	rows := rowsOf(inputs)
	var parts []*Reader
	for i := range 4 {
		encoded, err := Build(inputs[i*len(inputs)/4:(i+1)*len(inputs)/4], BuildOptions{})
		parts = append(parts, opened(b, encoded, err)...)
	}
	b.Run(fmt.Sprintf("rows=%dk/parts=%d", rows/1000, len(parts)), func(b *testing.B) {
		for b.Loop() {
			encoded, err := Merge(parts, BuildOptions{Cold: true})
			if r := opened(b, encoded, err)[0]; r.Len() != rows {
				b.Fatal(r.Len())
			}
		}
		reportEach(b, "event", rows)
	})
}

func BenchmarkHot(b *testing.B) {
	inputs := benchInputs(benchEvents)
	rows := rowsOf(inputs)
	b.Run(fmt.Sprintf("rows=%dk/columns=all", rows/1000), func(b *testing.B) {
		for b.Loop() {
			r := NewHot(inputs)
			for _, c := range r.Fields() {
				if _, err := c.Block(0); err != nil {
					b.Fatal(err)
				}
			}
		}
		reportEach(b, "event", rows)
	})
}

// BenchmarkHotOpen is what a query pays for events that it finds new before it reads any column: many small batches, as
// they come while it runs, or one.
func BenchmarkHotOpen(b *testing.B) {
	const events = 1024
	for _, rows := range []int{events, 64, 16} {
		inputs := benchBatches(events, rows)
		b.Run(fmt.Sprintf("rows=%d/batches=%d", events, len(inputs)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := NewHot(inputs); r.Len() != rowsOf(inputs) {
					b.Fatal(r.Len())
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	encoded, err := Build(benchInputs(benchEvents), BuildOptions{Cold: true})
	r := opened(b, encoded, err)[0]
	for _, c := range append(r.Fields(), r.Event(), r.Time()) {
		info := c.Info()
		b.Run(fmt.Sprintf("column=%s/form=%s", c.Name(), info.Encoding), func(b *testing.B) {
			values := 0
			for b.Loop() {
				values = 0
				for block := range r.Blocks() {
					v, err := c.data.(*sealedColumn).readBlock(block, nil)
					if err != nil {
						b.Fatal(err)
					}
					values += v.Len
				}
				if values != info.Present {
					b.Fatal(values, info.Present)
				}
			}
			reportEach(b, "value", values)
		})
	}
}

func BenchmarkGather(b *testing.B) {
	encoded, err := Build(benchInputs(benchEvents), BuildOptions{})
	r := opened(b, encoded, err)[0]
	for _, name := range []string{"session_3", "page", "latency_ms"} {
		for _, share := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("column=%s/rows=%d%%", name, share), func(b *testing.B) {
				v, err := r.Field(name).Block(0)
				if err != nil {
					b.Fatal(err)
				}
				var rows []uint16
				for row := 0; row < v.Rows; row += 100 / share {
					rows = append(rows, uint16(row))
				}
				codes := make([]uint32, 0, v.Rows)
				for b.Loop() {
					if codes = v.Codes(codes[:0], rows); len(codes) != len(rows) {
						b.Fatal(len(codes))
					}
				}
				reportEach(b, "row", len(rows))
			})
		}
	}
}

func BenchmarkRows(b *testing.B) {
	encoded, err := Build(benchInputs(benchEvents), BuildOptions{})
	r := opened(b, encoded, err)[0]
	b.Run(fmt.Sprintf("rows=%dk", r.Len()/1000), func(b *testing.B) {
		for b.Loop() {
			if rows, err := r.Rows(nil); err != nil || len(rows) != r.Len() {
				b.Fatal(len(rows), err)
			}
		}
		reportEach(b, "event", r.Len())
	})
}

// BenchmarkRenumber copies the rows of every tenth user.
func BenchmarkRenumber(b *testing.B) {
	inputs := benchInputs(benchEvents)
	encoded, err := Build(inputs, BuildOptions{Cold: true})
	r := opened(b, encoded, err)[0]
	all, err := r.AllUsers()
	if err != nil {
		b.Fatal(err)
	}
	users := roaring.New()
	for it := all.Iterator(); it.HasNext(); {
		if user := it.Next(); user%10 == 0 {
			users.Add(user)
		}
	}
	b.Run(fmt.Sprintf("rows=%dk/users=10%%", r.Len()/1000), func(b *testing.B) {
		for b.Loop() {
			copies, err := r.Renumber(users, func(user uint32) uint32 { return user + 1 }, BuildOptions{})
			if err != nil || len(copies) != 1 {
				b.Fatal(len(copies), err)
			}
		}
		reportEach(b, "event", r.Len())
	})
}
