package query_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/query"
	"cairn/query/exec"
	"cairn/query/querytest"
	"cairn/query/result"
)

// work is what meta says of how an answer was found, which differs between ways to find it.
var work = regexp.MustCompile(`"segments":\d+,"rows":\d+,"bytes":\d+,"seconds":[0-9.e-]+`)

func sameNDJSON(t *rapid.T, src query.Source, text string, opt query.Options) {
	want, wantErr := query.Run(context.Background(), src, text, opt)
	var got bytes.Buffer
	flushed := 0
	done, err := query.Stream(context.Background(), src, text, opt, query.Output{W: &got, Flush: func() error { flushed = got.Len(); return nil }})
	if wantErr != nil || err != nil {
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || got.Len() > 0 {
			t.Fatalf("%s\ngot  %v\nwant %v\nafter %q", text, err, wantErr, got.String())
		}
		return
	}
	a := work.ReplaceAllString(got.String(), "")
	b := work.ReplaceAllString(string(result.AppendNDJSON(nil, want)), "")
	if a != b {
		t.Fatalf("%s\ngot\n%s\nwant\n%s", text, a, b)
	}
	if done.Bytes != int64(got.Len()) || flushed != got.Len() || done.Rows != int64(len(want.Rows)) || done.Meta.Truncated != want.Meta.Truncated {
		t.Fatalf("%s\n%+v of %d bytes, %d flushed, %d rows", text, done, got.Len(), flushed, len(want.Rows))
	}
}

// What is streamed are the bytes of the whole answer, whatever the query, the layout and the size of pages.
func TestRandomStreamsAreTheAnswers(t *testing.T) {
	for name, random := range map[string]func(*rapid.T) string{"any": querytest.RandomQuery, "raw": querytest.RandomRawQuery} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				source, err := query.MemoryWith(querytest.RandomEvents(t), drawLayout(t))
				if err != nil {
					t.Fatal(err)
				}
				opt := withEnv(drawOptions(t), querytest.RandomEnv())
				opt.Knobs.PageRows = rapid.IntRange(0, 9).Draw(t, "page")
				opt.Limit = rapid.IntRange(0, 12).Draw(t, "limit")
				sameNDJSON(t, source, random(t), opt)
			})
		})
	}
}

// Streams of the engine's events, some sealed and some hot, agree with the reference.
func TestRandomStreamsOnEngine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := querytest.RandomEvents(t)
		e := &onEngine{opt: engineOptions(8)}
		defer e.close()
		if err := e.load(events); err != nil {
			t.Fatal(err)
		}
		tenant, err := e.db.Tenant(engineTenant)
		if err != nil {
			t.Fatal(err)
		}
		snapshot := tenant.Snapshot()
		defer snapshot.Close()
		env := querytest.RandomEnv()
		opt := withEnv(query.Options{Knobs: exec.Knobs{PageRows: rapid.IntRange(0, 9).Draw(t, "page")}}, env)
		text := querytest.RandomRawQuery(t)
		sameNDJSON(t, snapshot, text, opt)
		var reference querytest.Reference
		reference.Load(nil, events)
		want, wantErr := reference.Query(text, env)
		got, gotErr := query.Run(context.Background(), snapshot, text, opt)
		if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
			t.Fatalf("%s\n%s", text, diff)
		}
	})
}

// A stream of raw events takes little memory however many they are.
func TestStreamOfEventsTakesLittleMemory(t *testing.T) {
	src := source(t, 200_000, query.MemoryOptions{Segments: 3})
	opt := query.Options{MemoryBytes: 24 << 20}
	const text = "* | extend double = amount * 2 | where double >= 0 | events"
	if _, err := query.Run(context.Background(), src, text, opt); !errors.Is(err, query.ErrMemory) {
		t.Fatalf("the whole answer: %v, want a memory error", err)
	}
	lines := 0
	done, err := query.Stream(context.Background(), src, text, opt, query.Output{W: writerFunc(func(p []byte) (int, error) {
		lines += bytes.Count(p, []byte("\n"))
		return len(p), nil
	})})
	if err != nil || done.Rows != 200_000 || lines != 200_001 {
		t.Errorf("%+v, %d lines, %v", done, lines, err)
	}
	// Simultaneous events are put in order together.
	events := manyEvents(60_000)
	for i := range events {
		events[i].Time = events[0].Time
	}
	if src, err = query.Memory(events); err != nil {
		t.Fatal(err)
	}
	_, err = query.Stream(context.Background(), src, "* | events", query.Options{MemoryBytes: 4 << 20}, query.Output{W: new(bytes.Buffer)})
	if !errors.Is(err, query.ErrMemory) {
		t.Errorf("60,000 events at once: %v, want a memory error", err)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A limit outside of the query is kept without reading the rest.
func TestRawAnswersReadNoMoreThanTheLimit(t *testing.T) {
	src := source(t, 200_000, query.MemoryOptions{})
	table, err := query.Run(context.Background(), src, "* | offset 5 | events", query.Options{MemoryBytes: 16 << 20, Limit: 100})
	if err != nil || len(table.Rows) != 100 || !table.Meta.Truncated {
		t.Fatalf("%v", err)
	}
	whole, err := query.Run(context.Background(), src, "* | offset 5 | limit 100", query.Options{})
	if err != nil || whole.Meta.Truncated {
		t.Fatal(err)
	}
	if diff := querytest.Difference(whole, nil, table, nil); diff != "" {
		t.Error(diff)
	}
}

func TestErrorBehindTheFirstByte(t *testing.T) {
	src := source(t, 30_000, query.MemoryOptions{})
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("somebody pulled the plug")
	var got bytes.Buffer
	out := query.Output{
		W: writerFunc(func(p []byte) (int, error) {
			cancel(why)
			return got.Write(p)
		}),
		Error: func(dst []byte, err error) []byte { return fmt.Appendf(dst, `{"code":"x","message":%q}`, err) },
	}
	done, err := query.Stream(ctx, src, "* | events", query.Options{}, out)
	if !errors.Is(err, why) || done.Bytes != int64(got.Len()) {
		t.Fatalf("%+v, %v", done, err)
	}
	lines := strings.Split(strings.TrimSuffix(got.String(), "\n"), "\n")
	if last := lines[len(lines)-1]; last != `{"error":{"code":"x","message":"somebody pulled the plug"}}` {
		t.Errorf("last line %s", last)
	}
	if n := len(lines) - 1; n == 0 || n > 5000 || !strings.HasPrefix(lines[n-1], `{"time":`) || !strings.HasSuffix(lines[n-1], "}") {
		t.Errorf("%d rows, the last is %s", n, lines[max(0, n-1)])
	}
}

func TestErrorBeforeTheFirstByteIsTheCallers(t *testing.T) {
	src := source(t, 30_000, query.MemoryOptions{})
	for _, text := range []string{"* | stats cuont()", "* | stats count() by order"} {
		var got bytes.Buffer
		done, err := query.Stream(context.Background(), src, text, query.Options{MemoryBytes: 64 << 10}, query.Output{W: &got})
		if err == nil || done.Bytes != 0 || got.Len() != 0 {
			t.Errorf("%s: %v, %q", text, err, got.String())
		}
	}
}

func TestWriterThatFailsEndsTheStream(t *testing.T) {
	src := source(t, 30_000, query.MemoryOptions{})
	gone := errors.New("the client has gone")
	calls := 0
	_, err := query.Stream(context.Background(), src, "* | events", query.Options{}, query.Output{W: writerFunc(func(p []byte) (int, error) {
		calls++
		return 0, gone
	})})
	if !errors.Is(err, gone) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// The time that a slow reader takes is not the query's.
func TestTimeoutOfAStreamCountsTheQuerysWork(t *testing.T) {
	src := source(t, 5_000, query.MemoryOptions{})
	slow := query.Output{W: writerFunc(func(p []byte) (int, error) {
		time.Sleep(300 * time.Millisecond)
		return len(p), nil
	})}
	if done, err := query.Stream(context.Background(), src, "* | events", query.Options{Timeout: 2500 * time.Millisecond}, slow); err != nil || done.Rows != 5000 {
		t.Errorf("%+v, %v", done, err)
	}
	var got bytes.Buffer
	_, err := query.Stream(context.Background(), src, "* | events", query.Options{Timeout: time.Nanosecond}, query.Output{W: &got})
	if !errors.Is(err, query.ErrTimeout) {
		t.Errorf("%v, want a timeout", err)
	}
}

func BenchmarkStreamEvents(b *testing.B) {
	src := source(b, 1_000_000, query.MemoryOptions{})
	b.ReportAllocs()
	for b.Loop() {
		done, err := query.Stream(context.Background(), src, "* | events", query.Options{}, query.Output{W: writerFunc(func(p []byte) (int, error) { return len(p), nil })})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(done.Bytes)
	}
}
