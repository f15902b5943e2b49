package ingest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/iotest"

	"cairn/engine/event"
)

// checkBody scans a body whole and as a stream that trickles in, and compares what comes out. What
// is taken must come back the same after it was written out.
func checkBody(t *testing.T, body []byte, opt Options) {
	t.Helper()
	opt.KeepRaw, opt.KeepPositions = true, true
	s := newTestScanner(t, opt)
	whole, err := s.Scan(body)
	var events []event.Event
	var rejects []Reject
	lines, bytesSeen := 0, int64(0)
	streamErr := Stream(context.Background(), iotest.HalfReader(bytes.NewReader(body)), opt, 2, func(r *Result) error {
		for row, e := range r.Batch.Events() {
			_ = r.Index(row)
			if _, _, ok := r.Position(row); !ok {
				t.Fatalf("%q: row %d has no position", body, row)
			}
			events = append(events, e)
		}
		rejects = append(rejects, r.Rejects...)
		lines, bytesSeen = lines+r.Lines, bytesSeen+r.Bytes
		return nil
	})
	if err != nil {
		if errors.Is(err, ErrEmpty) {
			if streamErr != nil || len(events)+len(rejects) > 0 {
				t.Fatalf("%q: empty, but the stream has %d events, %v", body, len(events), streamErr)
			}
			return
		}
		if streamErr == nil || streamErr.Error() != err.Error() {
			t.Fatalf("%q: %v by Scan, %v by Stream", body, err, streamErr)
		}
		return
	}
	if streamErr != nil {
		t.Fatalf("%q: %v by Stream only", body, streamErr)
	}
	if whole.Events != whole.Batch.Rows+len(whole.Rejects) || len(events) != whole.Batch.Rows || len(rejects) != len(whole.Rejects) {
		t.Fatalf("%q: %d events, %d rows, %d rejects; by Stream %d, %d", body, whole.Events, whole.Batch.Rows, len(whole.Rejects), len(events), len(rejects))
	}
	for i, r := range whole.Rejects {
		other := rejects[i]
		if r.Line != other.Line || r.Index != other.Index || r.Offset != other.Offset || r.String() != other.String() || !bytes.Equal(r.Raw, other.Raw) {
			t.Fatalf("%q: reject %+v, by Stream %+v", body, r, other)
		}
		if r.Offset > int64(len(body)) || r.Line > 1+bytes.Count(body, []byte{'\n'}) || i > 0 && r.Index <= whole.Rejects[i-1].Index {
			t.Fatalf("%q: reject %+v", body, r)
		}
	}
	var text []byte
	list := whole.Batch.Events()
	for i := range list {
		if !sameEvent(list[i], events[i]) {
			t.Fatalf("%q: event %+v, by Stream %+v", body, list[i], events[i])
		}
		text = append(event.AppendJSON(text, &list[i]), '\n')
	}
	back := newTestScanner(t, Options{Received: arrival, DepthMax: 300}).NDJSON(text)
	if opt.Format != FormatCSV && (len(back.Rejects) > 0 || !slices.EqualFunc(back.Batch.Events(), list, sameEvent)) {
		t.Fatalf("%q: written as %q, comes back otherwise: %v", body, text, back.Rejects)
	}
}

func FuzzBody(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
		f.Add([]byte("[" + seed + ",{\"event\":\"a\"}]"))
		f.Add([]byte(seed + "\n\n{\"event\":\"a\"}\r\n" + seed))
	}
	f.Add([]byte("{\n\"event\":\"a\"}"))
	f.Fuzz(func(t *testing.T, body []byte) { checkBody(t, body, Options{Received: arrival}) })
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{
		"time,event,user,x\n2025-06-01T00:00:00Z,a,u,1\n", "event;x\r\na;\"b\"\"c\nd\"\r\n;\r\na;b;c\r\n", "event\tx\na\t007\n", "event,x\n\"a,b\n", "event,x\na,\"b\"c\n", "event\n\na", "\xef\xbb\xbfevent,a.b,a.c\nx,1.50,TRUE", "event,event\n", "event,\xff\n", "event,time\na,5\na,x\n", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { checkBody(t, body, Options{Format: FormatCSV, Received: arrival}) })
}
