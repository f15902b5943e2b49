package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	cairnparquet "cairn/query/result/parquet"
)

// sampleData returns a data directory with three events.
func sampleData(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	events := `{"time":"2025-06-01T08:00:00Z","event":"pay","user":"u1","amount":12.5,"tags":["a","b"]}
{"time":"2025-06-01T09:00:00Z","event":"view","user":"u2"}
{"time":"2025-06-02T09:00:00Z","event":"pay","user":"u2","amount":3}
`
	c := &console{in: strings.NewReader(events), out: new(bytes.Buffer), err: new(bytes.Buffer)}
	if code := run(context.Background(), []string{"import", "--data", dir, "-"}, c); code != exitOK {
		t.Fatalf("import: exit code %d\n%s", code, c.err)
	}
	return dir
}

func TestQueryWritesParquet(t *testing.T) {
	out := new(bytes.Buffer)
	c := &console{in: strings.NewReader(""), out: out, err: new(bytes.Buffer)}
	args := []string{"query", "--data", sampleData(t), "--format", "parquet", "* | events"}
	if code := run(context.Background(), args, c); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, c.err)
	}
	type row struct {
		Event  string   `parquet:"event,optional"`
		User   string   `parquet:"user,optional"`
		Amount *float64 `parquet:"amount,optional"`
		Tags   []string `parquet:"tags,optional,list"`
	}
	rows, err := parquet.Read[row](bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || rows[0].Event != "pay" || *rows[0].Amount != 3 || rows[1].Amount != nil || strings.Join(rows[2].Tags, ",") != "a,b" {
		t.Errorf("read back %+v", rows)
	}
	f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if meta, _ := f.Lookup(cairnparquet.KeyMeta); !strings.Contains(meta, `"snapshot":"s_`) {
		t.Errorf("meta %q", meta)
	}
}

func TestParquetIsNotWrittenToATerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("SKIPPED: no pseudo terminal here, so nothing was written to one: ", err)
	}
	defer terminal.Close()
	c := &console{in: strings.NewReader(""), out: terminal, err: new(bytes.Buffer)}
	if c.screen().Width == 0 {
		t.Skip("SKIPPED: a pseudo terminal is no terminal here, so nothing was written to one")
	}
	args := []string{"query", "--data", filepath.Join(t.TempDir(), "none"), "--format", "parquet", "*"}
	if code := run(context.Background(), args, c); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	if got := c.err.(*bytes.Buffer).String(); !strings.Contains(got, "not for a terminal") {
		t.Errorf("said %q", got)
	}
}
