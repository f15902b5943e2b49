package query

import (
	"context"
	"io"
	"time"

	"cairn/engine/event"
	"cairn/query/result"
)

// Output is where Stream writes to.
type Output struct {
	// W takes the bytes; it is called with up to some hundred KiB at a time, and may block.
	W io.Writer
	// Flush, if not nil, is called after each Write, so that what was written is sent on at once.
	Flush func() error
	// Error appends the JSON object that stands for an error; by default {"message":"…"}.
	Error func(dst []byte, err error) []byte
}

// Streamed says what Stream has written.
type Streamed struct {
	// Bytes have been written, 0 if the error came first: it is the caller's to tell then.
	Bytes int64
	Rows  int64
	Meta  result.Meta
}

// Stream answers a query as NDJSON: the bytes that result.AppendNDJSON has for the table of Run, written
// as they come. A body that does not end with a line {"meta":{…}} is not a whole answer. An error before
// the first byte is returned and nothing is written; one that comes later is returned too, and written as
// a last line {"error":{…}}, unless it is the writer's own.
//
// Where the answer is raw events, newest first (plan.Pipeline.Raw), they are found, read and written a few
// thousand at a time, and memory does not depend on their number; only simultaneous events are held
// together. Any other answer is computed first. Options.Limit applies to either, or RawLimit to raw events.
//
// The source is used up to the return: a slow reader of W keeps its snapshot open. It is the caller's to
// close it then, and to put a deadline on W. Options.Timeout counts the time that the query works, not
// that which W takes.
func Stream(ctx context.Context, src Source, text string, opt Options, out Output) (Streamed, error) {
	s := &stream{out: out}
	r, err := newRun(src, text, opt)
	if err != nil {
		return s.done, err
	}
	r.streams = true
	ctx, clock := newStopwatch(ctx, r.opt.Timeout)
	defer clock.end()
	s.clock = clock
	meta, err := s.run(ctx, r)
	if err == nil {
		s.done.Meta = *meta
		s.buffer = append(result.AppendMeta(append(s.buffer, `{"meta":`...), meta), '}', '\n')
		err = s.write()
		return s.done, err
	}
	err = r.cause(ctx, err)
	if s.done.Bytes > 0 && !s.broken {
		s.buffer = append(s.buffer[:0], `{"error":`...)
		if out.Error != nil {
			s.buffer = out.Error(s.buffer, err)
		} else {
			s.buffer = append(event.AppendString(append(s.buffer, `{"message":`...), err.Error()), '}')
		}
		s.buffer = append(s.buffer, '}', '\n')
		_ = s.write() // err is what is to be told
	}
	return s.done, err
}

// stream is an answer on its way out.
type stream struct {
	out    Output
	clock  *stopwatch
	buffer []byte
	done   Streamed
	broken bool // the writer has failed
}

// streamPiece is about how many bytes are written at once.
const streamPiece = 64 << 10

func (s *stream) run(ctx context.Context, r *run) (*result.Meta, error) {
	main, err := r.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if !main.Raw() || main.Explain {
		t, err := r.table(ctx, main)
		if err != nil {
			return nil, err
		}
		return &t.Meta, s.rows(ctx, t, len(t.Rows))
	}
	meta := &result.Meta{}
	err = r.execution(main).RunRaw(ctx, main, func(t *result.Table) (bool, error) {
		t.Meta.Location = r.calendar.Location()
		n := len(t.Rows)
		if limit := r.limit; limit > 0 && s.done.Rows+int64(n) > int64(limit) {
			n = limit - int(s.done.Rows)
			meta.Truncated = true
		}
		return !meta.Truncated, s.rows(ctx, t, n)
	})
	if err != nil {
		return nil, err
	}
	return meta, r.finish(ctx, meta)
}

// rows writes the first n rows of a table.
func (s *stream) rows(ctx context.Context, t *result.Table, n int) error {
	for _, row := range t.Rows[:n] {
		s.buffer = result.AppendNDJSONRow(s.buffer, t, row)
		s.done.Rows++
		if len(s.buffer) < streamPiece {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := s.write(); err != nil {
			return err
		}
	}
	return nil
}

// write writes the buffer.
func (s *stream) write() error {
	s.clock.pause()
	defer s.clock.resume()
	n, err := s.out.W.Write(s.buffer)
	s.done.Bytes += int64(n)
	s.buffer = s.buffer[:0]
	if err == nil && s.out.Flush != nil {
		err = s.out.Flush()
	}
	s.broken = s.broken || err != nil
	return err
}

// stopwatch ends a context with a TimeoutError when it has run for its limit.
type stopwatch struct {
	cancel context.CancelCauseFunc
	limit  time.Duration // 0: none
	timer  *time.Timer
	left   time.Duration
	since  time.Time
}

func newStopwatch(ctx context.Context, limit time.Duration) (context.Context, *stopwatch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &stopwatch{cancel: cancel, limit: limit, left: limit}
	w.resume()
	return ctx, w
}

func (w *stopwatch) pause() {
	if w.timer != nil {
		w.timer.Stop()
		w.left = max(0, w.left-time.Since(w.since))
	}
}

func (w *stopwatch) resume() {
	if w.limit > 0 {
		w.since = time.Now()
		w.timer = time.AfterFunc(w.left, func() { w.cancel(&TimeoutError{Limit: w.limit}) })
	}
}

func (w *stopwatch) end() {
	w.pause()
	w.cancel(nil)
}
