package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"cairn/engine/event"
)

// WriterOptions configure a Writer. The zero value works.
type WriterOptions struct {
	// Events is how many events are gathered before they are appended. Default 4,096.
	Events int
	// Interval is the longest time for which an event waits for others. Default 1 s; negative: until
	// there are Events of them, or Flush or Close.
	Interval time.Duration
	// Rejected is told of every event that was not stored because it is bad or a duplicate, with its
	// verdict. It is called by one goroutine at a time, and must not call the Writer.
	Rejected func(e *event.Event, v Verdict)
}

// Writer gathers single events and appends them in batches, for programs in which they come one by one
// and nobody waits for each to be on disk. What Add took is durable once a Flush after it, or Close,
// has returned without an error. It is safe for concurrent use.
type Writer struct {
	tenant *Tenant
	opt    WriterOptions

	flushing sync.Mutex // held while events are appended; taken before mu
	mu       struct {
		sync.Mutex
		events []event.Event
		fields []event.Field // of the events
		timer  *time.Timer   // of the oldest event; nil if none waits
		err    error         // of a flush by the timer, not yet told
		closed bool
	}
	failed []event.Event // of a flush that failed; they go first in the next
}

// Writer returns a new writer of the tenant. Close it.
func (t *Tenant) Writer(opt WriterOptions) *Writer {
	if opt.Events <= 0 {
		opt.Events = 4096
	}
	if opt.Interval == 0 {
		opt.Interval = time.Second
	}
	return &Writer{tenant: t, opt: opt}
}

// Add takes an event, of which it keeps a copy. When enough have been gathered it appends them, and
// returns when they are on disk. An error is that of appending this or earlier events; they are kept and
// tried again by the next flush.
func (w *Writer) Add(ctx context.Context, e *event.Event) error {
	w.mu.Lock()
	if w.mu.closed {
		w.mu.Unlock()
		return ErrClosed
	}
	from := len(w.mu.fields)
	w.mu.fields = append(w.mu.fields, e.Fields...)
	kept := *e
	kept.Fields = w.mu.fields[from:len(w.mu.fields):len(w.mu.fields)]
	w.mu.events = append(w.mu.events, kept)
	full := len(w.mu.events) >= w.opt.Events
	if w.mu.timer == nil && w.opt.Interval > 0 && !full {
		w.mu.timer = time.AfterFunc(w.opt.Interval, w.flushLate)
	}
	err := w.mu.err
	w.mu.err = nil
	w.mu.Unlock()
	if full {
		return errors.Join(err, w.flush(ctx))
	}
	return err
}

// flushLate appends what has waited long enough. Its error is told by the next call.
func (w *Writer) flushLate() {
	if err := w.flush(context.Background()); err != nil {
		w.mu.Lock()
		w.mu.err = err
		w.mu.Unlock()
	}
}

// Flush appends all that has been gathered, and returns when it is on disk.
func (w *Writer) Flush(ctx context.Context) error {
	err := w.flush(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil { // what failed before is stored now
		w.mu.err = nil
	}
	return err
}

// Close flushes and ends the writer; Add is ErrClosed from then on. After an error it may be called
// again.
func (w *Writer) Close() error {
	w.mu.Lock()
	w.mu.closed = true
	w.mu.Unlock()
	return w.Flush(context.Background())
}

func (w *Writer) flush(ctx context.Context) error {
	w.flushing.Lock()
	defer w.flushing.Unlock()
	w.mu.Lock()
	events := w.mu.events
	w.mu.events, w.mu.fields = nil, nil
	if w.mu.timer != nil {
		w.mu.timer.Stop()
		w.mu.timer = nil
	}
	w.mu.Unlock()
	if len(w.failed) > 0 {
		events = append(w.failed, events...)
		w.failed = nil
	}
	if len(events) == 0 {
		return nil
	}
	verdicts, err := w.tenant.Append(ctx, events)
	if err != nil {
		w.failed = events
		return err
	}
	if w.opt.Rejected == nil {
		return nil
	}
	for i := range verdicts {
		if verdicts[i].Kind != OK {
			w.opt.Rejected(&events[i], verdicts[i])
		}
	}
	return nil
}
