package workload

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"runtime"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the bundled sample anew")

// TestSample holds the bundled sample to the generator: it is the Demo workload.
func TestSample(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("SKIPPED: the sample was made on amd64; other architectures may round the odd weight otherwise")
	}
	const name = "../../testdata/events/mini-program.ndjson.gz"
	var want bytes.Buffer
	if _, err := Write(&want, Demo()); err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(want.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() > 1_000_000 {
		t.Errorf("the sample has more than 1 MB: %v", err)
	}
	packed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("the sample is not what the generator makes; run this test with -rewrite")
	}
}
