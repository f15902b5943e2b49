package protocol

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files of recorded requests anew")

// recorded is a request as a vendor's own client sent it. Bodies that are no text are in Body64.
type recorded struct {
	Received int64 // Unix milliseconds
	Method   string
	URL      string
	Headers  map[string]string
	Body     string
	Body64   []byte
}

func readRecorded(t testing.TB, file string) (all []recorded) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if lines.Err() != nil || len(all) == 0 {
		t.Fatalf("%s: %d requests, %v", file, len(all), lines.Err())
	}
	return all
}

// request finds the protocol of a recorded request, and unpacks it as the server does.
func (r *recorded) request(t testing.TB) (Protocol, *Request) {
	t.Helper()
	body := append([]byte(r.Body), r.Body64...)
	h := httptest.NewRequest(r.Method, r.URL, bytes.NewReader(body))
	for name, value := range r.Headers {
		h.Header.Set(name, value)
	}
	unpacked, err := gunzip(body)
	if err != nil {
		t.Fatal(err)
	}
	route, ok := Find(r.Method, h.URL.Path)
	if !ok {
		t.Fatalf("%s: no route", r.URL)
	}
	query := h.URL.Query()
	req := &Request{
		Method: r.Method, Path: route.Path, URLToken: route.Token, Query: query.Get, HasQuery: query.Has, Header: h.Header.Get,
		Body: unpacked, WireBytes: len(body), Received: time.UnixMilli(r.Received), RemoteIP: "192.0.2.1",
	}
	p := route.Pick(req)
	if p == nil {
		t.Fatalf("%s: no protocol", r.URL)
	}
	return p, req
}

// TestRecorded reads what vendors' clients sent, and compares what it means and what is answered with
// golden files, which were read by people.
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.ndjson")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".ndjson")
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			for _, r := range readRecorded(t, file) {
				r.describe(t, &out)
			}
			golden := strings.TrimSuffix(file, ".ndjson") + ".golden"
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Fatalf("%s differs; go test -run TestRecorded -update writes it anew\n%s", golden, firstDifference(out.String(), string(want)))
			}
		})
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}

// describe writes what the request means, and the answer if all is well.
func (r *recorded) describe(t *testing.T, out *bytes.Buffer) {
	t.Helper()
	p, req := r.request(t)
	d, err := p.Decode(req)
	if err != nil {
		t.Fatalf("%s: %v", r.URL, err)
	}
	path, _, _ := strings.Cut(r.URL, "?")
	fmt.Fprintf(out, "%s %s %s keys %q\n", r.Method, path, p.Name(), d.Keys)
	outcomes := make([]Outcome, len(d.Items))
	for i := range d.Items {
		item := &d.Items[i]
		outcomes[i] = item.Outcome()
		for j := range item.Events {
			e := &item.Events[j]
			if e.Received != req.Received.UnixNano() {
				t.Fatalf("received at %d", e.Received)
			}
			e.Received = arrival.UnixNano() // what checkDecoded expects
			fmt.Fprintf(out, "  %s\n", text(*e))
		}
		for _, l := range item.Links {
			fmt.Fprintf(out, "    link %s %s <- %s\n", l.Kind, l.User, l.ID)
		}
		if item.Reject != nil || item.Warning != nil {
			t.Fatalf("%s: item %d: %+v %+v", r.URL, i, item.Reject, item.Warning)
		}
	}
	checkDecoded(t, req, d)
	if d.Reply == nil {
		a := p.Answer(req, d, outcomes)
		if a.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", r.URL, a.Status, a.Body)
		}
		fmt.Fprintf(out, "  = %d %s %s\n", a.Status, a.ContentType, a.Body)
	}
}
