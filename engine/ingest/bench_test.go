package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// shop is a chunk of the bundled sample, which the generator of the benchmarks made.
var shop = sync.OnceValue(func() []byte {
	file, err := os.Open("../../testdata/events/mini-program.ndjson.gz")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	packed, err := gzip.NewReader(file)
	if err != nil {
		panic(err)
	}
	data, err := io.ReadAll(packed)
	if err != nil {
		panic(err)
	}
	end := 0
	for range shopEvents {
		end += bytes.IndexByte(data[end:], '\n') + 1
	}
	return data[:end]
})

const shopEvents = 12_000

func BenchmarkScan(b *testing.B) {
	b.Run("shape=workload", func(b *testing.B) {
		data := shop()
		s, err := NewScanner(Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		events := 0
		for b.Loop() {
			result := s.NDJSON(data)
			if result.Batch.Rows != shopEvents || len(result.Rejects) > 0 {
				b.Fatal(result.Batch.Rows, result.Rejects)
			}
			events += result.Events
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
	})
}

// BenchmarkTokens is what BenchmarkScan is measured against: jsontext walking over the same bytes.
func BenchmarkTokens(b *testing.B) {
	b.Run("shape=workload", func(b *testing.B) {
		data := shop()
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		events := 0
		for b.Loop() {
			d := jsontext.NewDecoder(bytes.NewBuffer(data))
			for {
				token, err := d.ReadToken()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				if token.Kind() == '{' {
					events++
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
	})
}

// BenchmarkCSV reads the records of 36 columns of the sample data.
func BenchmarkCSV(b *testing.B) {
	b.Run("shape=incidents", func(b *testing.B) {
		file, err := os.Open("../../../shared/data/it-incidents/incident_event_log.csv.gz")
		if err != nil {
			b.Skipf("SKIPPED, the sample data is not here: %v", err)
		}
		defer file.Close()
		packed, err := gzip.NewReader(file)
		if err != nil {
			b.Fatal(err)
		}
		data := make([]byte, 4<<20)
		if _, err := io.ReadFull(packed, data); err != nil {
			b.Fatal(err)
		}
		data = data[:bytes.LastIndexByte(data, '\n')+1]
		s, err := NewScanner(Options{Format: FormatCSV, TimeField: "sys_updated_at", TimeFormat: "2/1/2006 15:04", UserField: "number", EventField: "incident_state"})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		events := 0
		for b.Loop() {
			result, err := s.Scan(data)
			if err != nil || len(result.Rejects) > 0 {
				b.Fatal(err)
			}
			events += result.Events
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
	})
}
