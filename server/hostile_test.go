package server

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"cairn/server/access"
	"cairn/server/api"
)

// onWire serves a fixture on a port too, and returns its address.
func onWire(t *testing.T, f *fixture) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = f.Serve(ln) }()
	return ln.Addr().String()
}

// raw writes bytes to a new connection and returns all that comes back until it is closed, or for
// five seconds.
func raw(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	go func() { _, _ = io.WriteString(conn, text) }()
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

const oneEvent = `{"event":"e","user":"u"}`

func TestFramingThatIsNotHTTP(t *testing.T) {
	f := newFixture(t, Options{HeaderTimeout: 300 * time.Millisecond, IdleTimeout: 300 * time.Millisecond})
	address := onWire(t, f)
	head := "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n"
	for name, c := range map[string]struct {
		text   string
		wanted string // in the answer
		stored int
	}{
		"a length that is too long":     {head + "Content-Length: 1000\r\n\r\n" + oneEvent, " 40", 0},
		"a length that is too short":    {head + "Content-Length: 5\r\n\r\n" + oneEvent, " 422 ", 0},
		"a negative length":             {head + "Content-Length: -5\r\n\r\n" + oneEvent, " 400 ", 0},
		"a length that is no number":    {head + "Content-Length: 5x\r\n\r\n" + oneEvent, " 400 ", 0},
		"two lengths":                   {head + "Content-Length: 24\r\nContent-Length: 5\r\n\r\n" + oneEvent, " 400 ", 0},
		"a length and chunks":           {head + "Content-Length: 24\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", " 400 ", 0},
		"chunks that are not":           {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + oneEvent, " 400 ", 0},
		"chunks without end":            {head + "Transfer-Encoding: chunked\r\n\r\n18\r\n" + oneEvent + "\r\n", "", 0},
		"a header line without a colon": {head + "nonsense\r\n\r\n", " 400 ", 0},
		"a blank before the colon":      {head + "Content-Length : 24\r\n\r\n" + oneEvent, " 400 ", 0},
		"a folded header":               {head + "X-A: b\r\n Content-Length: 24\r\n\r\n" + oneEvent, "", 0},
		"a huge header":                 {head + "X-A: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", " 431 ", 0},
		"no HTTP at all":                {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", " 400 ", 0},
		"a good one in chunks":          {head + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n18\r\n" + oneEvent + "\r\n0\r\n\r\n", " 200 ", 1},
	} {
		before := f.count(t, "* | stats count() as n")
		answer := raw(t, address, c.text)
		if !strings.Contains(firstLine(answer), c.wanted) {
			t.Errorf("%s: answered %q, want%s", name, firstLine(answer), c.wanted)
		}
		if strings.Contains(answer, `{"status":"ok"}`) {
			t.Errorf("%s: a second request was smuggled in", name)
		}
		if stored := f.count(t, "* | stats count() as n") - before; stored != c.stored {
			t.Errorf("%s: %d events stored, want %d", name, stored, c.stored)
		}
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\r\n")
	return line
}

func TestPipelining(t *testing.T) {
	f := newFixture(t, Options{})
	address := onWire(t, f)
	const n = 100
	one := fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(oneEvent), oneEvent)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(conn, strings.Repeat(one, n)) }()
	in := bufio.NewReader(conn)
	for i := range n {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != 200 {
			t.Fatalf("answer %d: status %d", i, resp.StatusCode)
		}
	}
	if got := f.count(t, "* | stats count() as n"); got != n {
		t.Errorf("%d events stored, want %d", got, n)
	}
}

func TestSlowClientsHoldNothing(t *testing.T) {
	f := newFixture(t, Options{HeaderTimeout: 300 * time.Millisecond, BodyGrace: 300 * time.Millisecond, Connections: 64})
	address := onWire(t, f)
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			text := "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nX-A: " // a header that never ends
			switch i % 3 {
			case 1:
				text = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n"
			case 2:
				text = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
			}
			_, _ = io.WriteString(conn, text)
			ended := make(chan struct{})
			go func() { _, _ = io.Copy(io.Discard, conn); close(ended) }()
			for {
				select {
				case <-ended:
					return
				case <-time.After(50 * time.Millisecond): // now and then a byte
					next := "a"
					if i%3 == 2 {
						next = "1\r\n \r\n"
					}
					_, _ = io.WriteString(conn, next)
				}
			}
		})
	}
	// Others are served meanwhile.
	for range 10 {
		f.expect(t, "/v1/events", oneEvent, 200, "")
		time.Sleep(20 * time.Millisecond)
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		t.Fatal("clients that send a byte now and then keep their connections")
	}
	waitFor(t, "bytes in flight to be given back", func() bool { return f.inFlight.used.Load() == 0 })
}

// waitFor waits until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestBombs sends bodies that unpack to a gigabyte, many at once, and watches the memory.
func TestBombs(t *testing.T) {
	f := newFixture(t, Options{InFlightBytes: 64 << 20})
	var member bytes.Buffer
	w := gzip.NewWriter(&member)
	_, _ = w.Write(make([]byte, 1<<20))
	_ = w.Close()
	bomb := bytes.Repeat(member.Bytes(), 1024)
	lying := append(binary.AppendUvarint(nil, 1<<32-1), bytes.Repeat([]byte{0}, 100)...)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := int64(0)
	stop := make(chan struct{})
	var watch, group sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				peak = max(peak, f.inFlight.used.Load())
				time.Sleep(time.Millisecond)
			}
		}
	})
	for i := range 16 {
		group.Go(func() {
			body, encoding := bomb, "gzip"
			if i%2 == 1 {
				body, encoding = lying, "snappy"
			}
			req, _ := http.NewRequest(http.MethodPost, "http://localhost/v1/events", bytes.NewReader(body))
			req.Header.Set("Content-Encoding", encoding)
			resp, err := f.client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			switch resp.StatusCode {
			case 413, 429, 400:
			default:
				t.Errorf("%s: status %d: %s", encoding, resp.StatusCode, text)
			}
		})
	}
	group.Wait()
	close(stop)
	watch.Wait()
	if peak > 64<<20 {
		t.Errorf("%d bytes in flight, 64 MiB are allowed", peak)
	}
	if f.inFlight.used.Load() != 0 {
		t.Errorf("%d bytes are in flight when nothing is", f.inFlight.used.Load())
	}
	var after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d bytes of memory are kept after bombs", grown)
	}
	f.expect(t, "/v1/events", oneEvent, 200, "")
}

func TestJSONThatIsMeantToHurt(t *testing.T) {
	f := newFixture(t, Options{})
	for name, body := range map[string]string{
		"deep objects":     strings.Repeat(`{"a":`, 100_000),
		"deep lists":       `{"event":"e","a":` + strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000) + `}`,
		"invalid UTF-8":    "{\"event\":\"\xff\xfe\"}",
		"a lone surrogate": `{"event":"\ud800"}`,
		"a huge number":    `{"event":"e","n":1` + strings.Repeat("0", 400) + `}`,
		"twice the same":   `{"event":"e","a":1,"a":2}`,
		"many fields":      `{"event":"e"` + strings.Repeat(`,"x":1`, 1) + fields(5000) + `}`,
		"a long string":    `{"event":"e","a":"` + strings.Repeat("x", 100<<10) + `"}`,
		"a long name":      `{"event":"` + strings.Repeat("x", 1000) + `"}`,
		"a NUL in a name":  "{\"event\":\"a\x00b\"}",
	} {
		for _, path := range []string{"/v1/events", "/v1/batch", "/segment/v1/track"} {
			status, text, _, err := f.post(path, body)
			if err != nil || status >= 500 {
				t.Errorf("%s to %s: status %d, %v: %.200s", name, path, status, err, text)
			}
		}
		if n := f.count(t, "* | stats count() as n"); n != 0 {
			t.Fatalf("%s: stored", name)
		}
	}
}

func fields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"f%d":1`, i)
	}
	return b.String()
}

// TestTokenGuessing compares what strangers are told: nothing that helps to guess.
func TestTokenGuessing(t *testing.T) {
	f := newFixture(t, Options{})
	_, text, err := f.tokens.Create(access.Token{Tenant: "shop", Scopes: access.Ingest}, "")
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]int{}
	for _, guess := range []string{"x", text[:len(text)-1], text + "x", strings.ToUpper(text), text[:8], "ck_" + strings.Repeat("A", 32), strings.Repeat("x", 4000)} {
		req, _ := http.NewRequest(http.MethodPost, "http://localhost/v1/events", strings.NewReader(oneEvent))
		req.Header.Set("Authorization", "Bearer "+guess)
		resp, err := f.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		answers[fmt.Sprint(resp.StatusCode, string(body[:bytes.Index(body, []byte("request_id"))]))]++
	}
	if len(answers) != 1 {
		t.Errorf("guesses are answered in different ways: %v", answers)
	}
	f.expect(t, "/v1/events", oneEvent, 401, api.CodeNoToken)
}
