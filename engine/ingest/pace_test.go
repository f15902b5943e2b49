package ingest_test

import (
	"strings"
	"testing"

	"cairn/engine/ingest"
)

// Options.Pace is called between events of every format, and again and again in a long body.
func TestScannersLetOthersGoFirst(t *testing.T) {
	for _, test := range []struct {
		format ingest.Format
		body   string
	}{
		{ingest.FormatNDJSON, strings.Repeat(`{"event":"a","time":1}`+"\n", 5000)},
		{ingest.FormatJSON, "[" + strings.Repeat(`{"event":"a","time":1},`, 4999) + `{"event":"a","time":1}]`},
		{ingest.FormatCSV, "event,time\n" + strings.Repeat("a,1\n", 5000)},
	} {
		calls := 0
		scanner, err := ingest.NewScanner(ingest.Options{Format: test.format, Pace: func() { calls++ }})
		if err != nil {
			t.Fatal(err)
		}
		result, err := scanner.Scan([]byte(test.body))
		if err != nil || result.Batch.Rows != 5000 {
			t.Fatalf("%v: %v, %v", test.format, result, err)
		}
		if calls < 50 || calls > 100 {
			t.Errorf("format %v: %d calls for five thousand events", test.format, calls)
		}
	}
}
