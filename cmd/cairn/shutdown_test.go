package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn/server/api"
)

func discardLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestStoppedServerAnswersOrRefuses stops a server by SIGTERM while clients write: a request is answered
// as a whole or its connection refused, and every event that was acknowledged is there afterwards.
func TestStoppedServerAnswersOrRefuses(t *testing.T) {
	dir := t.TempDir()
	srv, err := startServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged, answered atomic.Int64
	var group sync.WaitGroup
	for w := range 16 {
		group.Go(func() {
			client := http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for n := 0; ; n++ {
				body := strings.Repeat(fmt.Sprintf(`{"event":"e","user":"u%d"}`+"\n", w), 20)
				resp, err := client.Post(srv.url+"/v1/events", "application/x-ndjson", strings.NewReader(body))
				if err != nil {
					return // refused, or an idle connection that was closed
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil {
					t.Errorf("an answer was cut: %v", err)
					return
				}
				answered.Add(1)
				var answer api.EventsAnswer
				if err := json.Unmarshal(text, &answer); err != nil {
					t.Errorf("answer %q: %v", text, err)
				}
				acknowledged.Add(int64(answer.OK))
				if resp.StatusCode != http.StatusOK {
					return // 503: stopping
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	if err := srv.stop(); err != nil {
		t.Fatalf("stop: %v\n%s", err, srv.log.String())
	}
	group.Wait()
	if answered.Load() < 16 {
		t.Fatalf("only %d requests were answered: the test shows nothing", answered.Load())
	}
	again, err := startServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.kill()
	if n := countEvents(t, again.url); n < acknowledged.Load() {
		t.Errorf("%d events stored, %d acknowledged", n, acknowledged.Load())
	}
}

// TestHangup has a service manager reload a server without a certificate, which goes on, and a terminal close on one.
func TestHangup(t *testing.T) {
	srv, err := startServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := srv.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Millisecond)
		if n := countEvents(t, srv.url); n != 0 {
			t.Errorf("%d events", n)
		}
	}
	if err := srv.stop(); err != nil {
		t.Errorf("stop: %v\n%s", err, srv.log.String())
	}
	if !strings.Contains(srv.log.String(), "no certificate to read again") {
		t.Errorf("the log does not tell of it:\n%s", srv.log.String())
	}

	stopped := false
	h := hangup{log: discardLogger(), terminal: true, stop: func() { stopped = true }}
	if h.handle(); !stopped {
		t.Error("the server goes on without its terminal")
	}
	stopped = false
	h.certificate.Store(&certificate{certFile: "none", keyFile: "none", log: discardLogger()})
	if h.handle(); stopped {
		t.Error("a server with a certificate is ended")
	}
}

func countEvents(t *testing.T, url string) int64 {
	t.Helper()
	resp, err := http.Post(url+"/v1/query?format=csv", "text/plain", strings.NewReader("* | stats count() as n"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("query: status %d, %v: %s", resp.StatusCode, err, text)
	}
	var n int64
	if _, err := fmt.Sscanf(string(text), "n\n%d", &n); err != nil {
		t.Fatalf("query: %q", text)
	}
	return n
}

// TestSecondSignalEndsAtOnce has a request that is never finished hold up the orderly end.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	srv, err := startServer(t.TempDir(), "--drain", "60s")
	if err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	defer writer.Close()
	go func() {
		resp, err := http.Post(srv.url+"/v1/events", "application/x-ndjson", reader)
		if err == nil {
			resp.Body.Close()
		}
	}()
	if _, err := writer.Write([]byte(`{"event":"e"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	for range 2 {
		if err := srv.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	select {
	case err := <-srv.exited:
		if err == nil {
			t.Error("a server that was cut off says that it ended in order")
		}
	case <-time.After(10 * time.Second):
		srv.kill()
		t.Error("a second signal does not end the server")
	}
}
