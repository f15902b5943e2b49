package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestImportSurvivesLostAnswers imports through a server whose answers are lost now and then, and which
// is overloaded at other times: every event is stored exactly once, though none has an id.
func TestImportSurvivesLostAnswers(t *testing.T) {
	srv, err := startServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var requests, lost atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		if n%5 == 4 { // refused before it is read
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"error":{"code":"overloaded","message":"later"}}`)
			return
		}
		forward, err := http.NewRequest(r.Method, srv.url+r.URL.String(), r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		forward.Header = r.Header
		resp, err := http.DefaultClient.Do(forward)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		if n%5 == 2 { // stored, but nobody hears of it
			lost.Add(1)
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	defer proxy.Close()

	const events = 45_000
	var text strings.Builder
	for i := range events {
		fmt.Fprintf(&text, `{"time":"2025-06-01T08:00:00Z","event":"e","user":"u%d","n":%d}`+"\n", i%100, i)
	}
	file := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	cairn(t, "import", "--server", proxy.URL, file)
	if lost.Load() == 0 {
		t.Error("no answer was lost: the test shows nothing")
	}
	got := cairn(t, "query", "--server", srv.url, "--format", "csv", "* | stats count() as n, distinct(n) as different, sum(n)")
	if want := fmt.Sprintf("n,different,sum_n\n%d,%d,%d\n", events, events, events*(events-1)/2); got != want {
		t.Errorf("stored\n%swant\n%s", got, want)
	}
	if err := srv.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
