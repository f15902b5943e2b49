package segment

import "testing"

// TestTinySegments bounds what small segments cost: ten thousand tenants have millions of them.
func TestTinySegments(t *testing.T) {
	all := benchInputs(4000)[0]
	for _, test := range []struct{ rows, most int }{{20, 60}, {100, 35}, {600, 20}, {4000, 15}} {
		in := all
		for row := range min(test.rows, all.Batch.Rows) {
			in.Rows = append(in.Rows, uint32(row))
		}
		encoded, err := Build([]Input{in}, BuildOptions{Cold: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(encoded) != 1 || len(encoded[0].Chunks) != 0 {
			t.Fatalf("%d segments, %d chunks", len(encoded), len(encoded[0].Chunks))
		}
		size := encoded[0].SizeBytes()
		t.Logf("%d rows: %d bytes, %.1f an event", test.rows, size, float64(size)/float64(test.rows))
		if size > test.most*test.rows {
			t.Errorf("%d rows take %d bytes, more than %d an event", test.rows, size, test.most)
		}
	}
}
