package segment

import (
	"bytes"
	"encoding/gob"
	"flag"
	"os"
	"slices"
	"testing"

	"cairn/engine/event"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/v1.gob anew; only before a version is released")

// TestFirstVersion opens segments that version 1 wrote: one in chunks, one small.
func TestFirstVersion(t *testing.T) {
	const name = "testdata/v1.gob"
	if *rewrite {
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode([]*Encoded{sample(t, 300, false), sample(t, 300, true)}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var segments []*Encoded
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&segments); err != nil {
		t.Fatal(err)
	}
	events := sampleEvents(300)
	for i := range events {
		events[i].Received = events[i].Time
		slices.SortFunc(events[i].Fields, func(a, b event.Field) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		})
	}
	for _, e := range segments {
		r := opened(t, []*Encoded{e}, nil)[0]
		if err := r.Verify(); err != nil {
			t.Error(err)
		}
		sameRows(t, contentOf(t, r), wanted(events))
	}
}
