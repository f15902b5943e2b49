package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRecordedClients sends what vendors' clients were recorded to send to a server, each request twice, as after
// a lost answer. All events are there then, once where they have an insert id.
func TestRecordedClients(t *testing.T) {
	files, err := filepath.Glob("protocol/testdata/recorded/*.ndjson")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".ndjson")
		t.Run(name, func(t *testing.T) {
			ids, blind := goldenEvents(t, strings.TrimSuffix(file, ".ndjson")+".golden")
			var now atomic.Int64
			f := newFixture(t, Options{Now: func() time.Time { return time.UnixMilli(now.Load()) }})
			for range 2 {
				f.replay(t, file, &now)
			}
			if got := f.count(t, "* | where id != null | stats count()"); got != ids {
				t.Errorf("%d events with an insert id are stored, want %d", got, ids)
			}
			if got := f.count(t, "* | where id = null | stats count()"); got != 2*blind {
				t.Errorf("%d events without one are stored, want %d twice", got, blind)
			}
			if tenant, err := f.tenants.get("default"); err != nil || len(tenant.rejects.latest(10)) > 0 {
				t.Errorf("rejects %+v, %v", tenant.rejects.latest(10), err)
			}
		})
	}
}

// goldenEvents counts the events of a golden file: different insert ids, and those without one.
func goldenEvents(t *testing.T, file string) (ids, blind int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if !strings.HasPrefix(line, "  {") {
			continue
		}
		var e struct{ ID string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.ID == "" {
			blind++
		}
		seen[e.ID] = true
	}
	delete(seen, "")
	return len(seen), blind
}

// replay sends the recorded requests of a file, the clock being that of the recording. What a page sends may be read
// by it.
func (f *fixture) replay(t *testing.T, file string, now *atomic.Int64) {
	t.Helper()
	recorded, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer recorded.Close()
	lines := bufio.NewScanner(recorded)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r struct {
			Received    int64
			Method, URL string
			Headers     map[string]string
			Body        string
			Body64      []byte
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		now.Store(r.Received)
		req, err := http.NewRequest(r.Method, "http://localhost"+r.URL, bytes.NewReader(append([]byte(r.Body), r.Body64...)))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range r.Headers {
			req.Header.Set(name, value)
		}
		resp, err := f.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d %s %v", r.Method, r.URL, resp.StatusCode, answer, err)
		}
		if origin := req.Header.Get("Origin"); resp.Header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s: a page of %s is told %q", r.URL, origin, fmt.Sprint(resp.Header))
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
}
