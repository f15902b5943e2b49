package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/valyala/fasthttp/fasthttputil"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/server/api"
)

// fixture is a server on a listener in memory, over a store in memory.
type fixture struct {
	*Server
	client http.Client
	admins http.Client // of the admin listener
	served chan error
	// mayFail says that the store need not close in order.
	mayFail bool
}

func newFixture(t *testing.T, opt Options) *fixture {
	t.Helper()
	return newFixtureOn(t, engine.Options{FS: vfs.NewMem(), NoBackground: true}, opt)
}

// newFixtureOn is newFixture over a store with these options.
func newFixtureOn(t *testing.T, store engine.Options, opt Options) *fixture {
	t.Helper()
	db, err := engine.Open("data", store)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := New(db, opt)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Server: srv, served: make(chan error, 1)}
	listen := func(client *http.Client) net.Listener {
		ln := fasthttputil.NewInmemoryListener()
		client.Transport = &http.Transport{
			DialContext:         func(context.Context, string, string) (net.Conn, error) { return ln.Dial() },
			MaxIdleConnsPerHost: 64,
		}
		return ln
	}
	public, admin := listen(&f.client), listen(&f.admins)
	go func() { f.served <- f.Serve(public) }()
	go func() { _ = f.ServeAdmin(admin) }()
	t.Cleanup(func() {
		f.client.CloseIdleConnections()
		f.admins.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := db.Close(); err != nil && !f.mayFail {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

// call is a request and answer of a test.
type call struct {
	method, path, token, body string
	header                    map[string]string
	admin                     bool // to the admin listener
}

// answer is what a call came to.
type answer struct {
	status int
	text   string
	header http.Header
}

// code is that of an error.
func (a answer) code() string {
	var body api.ErrorAnswer
	_ = json.Unmarshal([]byte(a.text), &body)
	return body.Error.Code
}

// do makes a request.
func (f *fixture) do(t *testing.T, c call) answer {
	t.Helper()
	client := &f.client
	if c.admin {
		client = &f.admins
	}
	req, err := http.NewRequestWithContext(context.Background(), c.method, "http://localhost"+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatalf("%s %q: %v", c.method, c.path, err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, value := range c.header {
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %q: %v", c.method, c.path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %q: %v", c.method, c.path, err)
	}
	return answer{resp.StatusCode, string(text), resp.Header}
}

// want makes a request and compares the status and, of an error, the code.
func (f *fixture) want(t *testing.T, c call, status int, code string) answer {
	t.Helper()
	got := f.do(t, c)
	if got.status != status || got.code() != code {
		t.Errorf("%s %s: status %d, code %q; want %d, %q\n%s", c.method, c.path, got.status, got.code(), status, code, got.text)
	}
	return got
}

// post sends a body and returns status and answer; an error is one of the connection.
func (f *fixture) post(path, body string) (int, string, http.Header, error) {
	resp, err := f.client.Post("http://localhost"+path, "text/plain", strings.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), resp.Header, err
}

// get is post without a body.
func (f *fixture) get(path string) (int, string, http.Header, error) {
	resp, err := f.client.Get("http://localhost" + path)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), resp.Header, err
}

// expect posts and compares the status and, of an error, the code.
func (f *fixture) expect(t *testing.T, path, body string, status int, code string) http.Header {
	t.Helper()
	got, text, header, err := f.post(path, body)
	if err != nil {
		t.Fatalf("POST %s: %v", path, err)
	}
	var answer api.ErrorAnswer
	_ = json.Unmarshal([]byte(text), &answer)
	if got != status || answer.Error.Code != code {
		t.Errorf("POST %s: status %d, code %q; want %d, %q\n%s", path, got, answer.Error.Code, status, code, text)
	}
	return header
}

func (f *fixture) count(t *testing.T, query string) int {
	t.Helper()
	status, text, _, err := f.post("/v1/query?format=csv", query)
	if err != nil || status != http.StatusOK {
		t.Fatalf("query: status %d, %v\n%s", status, err, text)
	}
	var n int
	if _, err := fmt.Sscanf(strings.SplitN(text, "\n", 2)[1], "%d", &n); err != nil {
		t.Fatalf("query: %v\n%s", err, text)
	}
	return n
}

func TestPanicIsContained(t *testing.T) {
	var broken atomic.Bool
	f := newFixture(t, Options{Now: func() time.Time {
		if broken.Load() {
			panic("the clock stopped")
		}
		return time.Now()
	}})
	broken.Store(true)
	f.expect(t, "/v1/events", `{"event":"e"}`, 500, api.CodeInternal)
	broken.Store(false)
	f.expect(t, "/v1/events", `{"event":"e"}`, 200, "")
	if n := f.count(t, "* | stats count()"); n != 1 {
		t.Errorf("%d events stored, want 1", n)
	}
}

func TestLimits(t *testing.T) {
	f := newFixture(t, Options{
		InFlightBytes: 4096, Queries: 1, QueriesWaiting: 1, QueryWait: 50 * time.Millisecond,
		Limits: api.Limits{QueryMemoryBytes: 16 << 10, Rows: 3},
	})
	if header := f.expect(t, "/v1/events", strings.Repeat(`{"event":"e"}`+"\n", 400), 429, api.CodeOverloaded); header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	for i := range 60 {
		var body strings.Builder
		for j := range 50 {
			fmt.Fprintf(&body, `{"event":"e","user":"u%d","key":"k%d"}`+"\n", i, i*50+j)
		}
		f.expect(t, "/v1/events", body.String(), 200, "")
	}
	f.expect(t, "/v1/query", "* | stats count() by key, user", 422, api.CodeQueryMemory)
	f.expect(t, "/v1/query?timeout=1ns", "* | stats count()", 504, api.CodeQueryTimeout)
	f.expect(t, "/v1/query?timeout=soon", "* | stats count()", 400, api.CodeBadParameter)
	f.expect(t, "/v1/query?limit=0", "* | stats count()", 400, api.CodeBadParameter)
	f.expect(t, "/v1/query?after=0:999999", "* | stats count()", 400, api.CodeBadParameter)
	f.expect(t, "/v1/query?after=0:1", "* | stats count()", 200, "")
	f.expect(t, "/v1/query?week=someday", "* | stats count()", 400, api.CodeBadParameter)

	_, text, _, err := f.post("/v1/query", "* | stats count() by user | limit 10")
	if err != nil || !strings.Contains(text, `"truncated":true`) {
		t.Errorf("an answer over the limit of rows does not say so: %v\n%s", err, text)
	}
	done, err := f.turns.take(context.Background(), "other", -1)
	if err != nil {
		t.Fatal(err)
	}
	f.expect(t, "/v1/query", "* | stats count()", 429, api.CodeQueriesRunning)
	done()
	f.expect(t, "/v1/query", "* | stats count()", 200, "")
}

func TestConcurrentWritersShareNothing(t *testing.T) {
	f := newFixture(t, Options{})
	const writers, each = 32, 40
	var stored, repeats atomic.Int64
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				// The second event is sent by every writer under one id: one of them wins.
				body := fmt.Sprintf(`{"event":"own","id":"%d-%d"}`+"\n"+`{"event":"common","id":"c%d"}`, w, i, i)
				status, text, _, err := f.post("/v1/events", body)
				var answer api.EventsAnswer
				if err == nil {
					err = json.Unmarshal([]byte(text), &answer)
				}
				if err != nil || status != 200 || answer.OK+answer.Duplicate != 2 {
					t.Errorf("status %d, %v: %s", status, err, text)
					return
				}
				stored.Add(int64(answer.OK))
				repeats.Add(int64(answer.Duplicate))
			}
		})
	}
	group.Wait()
	if want := int64(writers*each + each); stored.Load() != want {
		t.Errorf("%d events acknowledged as new, want %d", stored.Load(), want)
	}
	if n := f.count(t, "own | stats distinct(id)"); n != writers*each {
		t.Errorf("%d own events, want %d", n, writers*each)
	}
	if n := f.count(t, "common | stats count()"); n != each {
		t.Errorf("%d common events, want %d", n, each)
	}
}

func TestShutdownAnswersWhatIsRunning(t *testing.T) {
	f := newFixture(t, Options{})
	var acknowledged atomic.Int64
	var group sync.WaitGroup
	var stop atomic.Bool
	for range 16 {
		group.Go(func() {
			for !stop.Load() {
				status, _, _, err := f.post("/v1/events", `{"event":"e"}`)
				if err == nil && status == 200 {
					acknowledged.Add(1)
				} else {
					return
				}
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := f.Shutdown(ctx); err != nil {
		t.Fatalf("shutdown: %v", err)
	}
	stop.Store(true)
	f.client.CloseIdleConnections()
	group.Wait()
	select {
	case err := <-f.served:
		if err != nil {
			t.Errorf("serve: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("Serve does not return after Shutdown")
	}
	tenant, err := f.db.Tenant(defaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	if rows := int64(snapshot.Rows()); rows < acknowledged.Load() || acknowledged.Load() == 0 {
		t.Errorf("%d events stored, %d acknowledged", rows, acknowledged.Load())
	}
}

func TestSlowClientIsCutOff(t *testing.T) {
	f := newFixture(t, Options{HeaderTimeout: 100 * time.Millisecond})
	conn, err := f.client.Transport.(*http.Transport).DialContext(context.Background(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("POST /v1/events HTTP/1.1\r\nHost: cairn\r\nContent-Length: 1000\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
	done := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(conn)
		done <- text
	}()
	select {
	case text := <-done:
		if !bytes.Contains(text, []byte("408")) && len(text) > 0 {
			t.Errorf("a request that never ends was answered: %s", text)
		}
	case <-time.After(5 * time.Second):
		t.Error("a request that never ends holds its connection")
	}
}

func TestErrorsHaveStatuses(t *testing.T) {
	s := &Server{}
	for _, c := range []struct {
		err  error
		code string
	}{
		{engine.ErrClosed, api.CodeStopping},
		{fmt.Errorf("read: %w", engine.ErrCorrupt), api.CodeCorruption},
		{engine.ErrTenantName, api.CodeBadParameter},
		{errors.New("unheard of"), api.CodeInternal},
	} {
		if got := s.coded(c.err); got.Code != c.code || got.Message == "" {
			t.Errorf("%v: code %q, want %q", c.err, got.Code, c.code)
		}
	}
}

// TestReadyAfterRecovery has a hot log be read slowly: the server is not ready until it is, and answers
// all the same.
func TestReadyAfterRecovery(t *testing.T) {
	disk := &weakDisk{MemFS: vfs.NewMem()}
	before, err := engine.Open("data", engine.Options{FS: disk.fs(), NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := before.Tenant(defaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.Append(t.Context(), []event.Event{{Time: time.Now().UnixNano(), Name: "e"}}); err != nil {
		t.Fatal(err)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	f := newFixtureOn(t, engine.Options{FS: disk.fs(), NoBackground: true}, Options{})
	recovery := f.Recovery()
	if status, text, _, _ := f.get("/readyz"); status != 503 || !strings.Contains(text, "recovering") {
		t.Errorf("while it recovers: %d %s", status, text)
	}
	f.expect(t, "/v1/events", oneEvent, 200, "")
	recovery()
	if status, text, _, _ := f.get("/readyz"); status != 200 {
		t.Errorf("afterwards: %d %s", status, text)
	}
	if n := f.count(t, "* | stats count() as n"); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}
