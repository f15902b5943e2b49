package postings

import (
	"fmt"
	"testing"
)

// BenchmarkSet reads one set of 2^20 rows; n is what it holds.
func BenchmarkSet(b *testing.B) {
	for _, shape := range []struct {
		name             string
		gap, length, len uint32
	}{{"scattered/share=1%", 99, 1, 1 << 20}, {"scattered/share=20%", 4, 1, 1 << 20}, {"runs/share=50%", 8, 8, 1 << 20}, {"runs/share=2%", 400, 8, 1 << 20}} {
		var members []uint32
		for at := uint32(0); at < shape.len; at += shape.gap + shape.length {
			// A little noise, so that widths are not all zero.
			start := at + at*2654435761>>30
			for i := range shape.length {
				members = append(members, start+i)
			}
		}
		var builder Builder
		builder.Add(members)
		data := builder.Bytes()
		b.Run(fmt.Sprintf("op=read/%s", shape.name), func(b *testing.B) {
			for b.Loop() {
				t, err := Open(data, 1, 1<<20+100)
				if err != nil {
					b.Fatal(err)
				}
				if set, err := t.Set(0); err != nil || set.GetCardinality() != uint64(len(members)) {
					b.Fatal("wrong set", err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(members)), "ns/member")
			b.ReportMetric(float64(len(data))/float64(len(members)), "bytes/member")
		})
		b.Run(fmt.Sprintf("op=write/%s", shape.name), func(b *testing.B) {
			for b.Loop() {
				var builder Builder
				builder.Add(members)
				if len(builder.Bytes()) != len(data) {
					b.Fatal("other bytes")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(members)), "ns/member")
		})
	}
}
