package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// chunkBytes is how much of a stream one goroutine scans at a time: enough for the columns of a
// batch to repay their making, little enough for the caches and for several to be in memory.
const chunkBytes = 2 << 20

// elementBytesMax bounds what must be in memory whole: an object over several lines, an element.
const elementBytesMax = 64 << 20

// Stream reads the whole of r in chunks, scans them with the given number of goroutines (0: one
// for each processor) and hands the results to take in the order of the input, moved to their
// place in it. It stops at the first error of take or of ctx, and at an error of r after the whole
// events before it have been handed over. A *SyntaxError ends a JSON array at the fault, after the
// events before it have been handed over. CSV is scanned by one goroutine, beside take. After an
// error, a goroutine may still be in r.Read, until that returns.
func Stream(ctx context.Context, r io.Reader, opt Options, workers int, take func(*Result) error) error {
	first, err := NewScanner(opt)
	if err != nil {
		return err
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st := &stream{opt: first.opt, reader: reader{r: r}, order: make(chan chan scanned, workers+1), done: ctx.Done()}
	go func() {
		defer close(st.order)
		if err := st.run(first, workers); err != nil {
			st.deliver(scanned{err: err})
		}
	}()
	lines, events, offset := 0, 0, int64(0)
	for slot := range st.order {
		var s scanned
		select {
		case s = <-slot:
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.result != nil {
			s.result.Move(lines, events, offset)
			if s.result.Events > 0 {
				if err := take(s.result); err != nil {
					return err
				}
			}
			lines, events, offset = lines+s.result.Lines, events+s.result.Events, offset+s.result.Bytes
		}
		if s.err != nil {
			var syntax *SyntaxError
			if errors.As(s.err, &syntax) {
				syntax.Line += lines
				syntax.Offset += offset
			}
			return s.err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// stream reads and scans on behalf of Stream.
type stream struct {
	opt    Options
	reader reader
	order  chan chan scanned // results to come, in the order of the input
	done   <-chan struct{}
	jobs   chan job
}

type scanned struct {
	result *Result
	err    error
}

type job struct {
	data   []byte
	skip   int // bytes before data that belong to the chunk
	array  bool
	more   bool // the array goes on
	answer chan scanned
}

// deliver puts a result in its place without a worker.
func (st *stream) deliver(s scanned) bool {
	slot := make(chan scanned, 1)
	slot <- s
	select {
	case st.order <- slot:
		return true
	case <-st.done:
		return false
	}
}

// submit gives a chunk to the workers.
func (st *stream) submit(j job) bool {
	j.answer = make(chan scanned, 1)
	select {
	case st.order <- j.answer:
	case <-st.done:
		return false
	}
	select {
	case st.jobs <- j:
		return true
	case <-st.done:
		return false
	}
}

func (st *stream) run(first *Scanner, workers int) error {
	if err := st.reader.fill(); err != nil {
		return err
	}
	skipped := len(st.reader.buffer)
	st.reader.buffer = withoutBOM(st.reader.buffer)
	skipped -= len(st.reader.buffer)
	if skipped > 0 && !st.deliver(scanned{result: &Result{Bytes: int64(skipped)}}) {
		return nil
	}
	switch st.opt.Format {
	case FormatCSV, FormatTSV:
		return st.runCSV(first)
	}
	st.jobs = make(chan job)
	defer close(st.jobs)
	for i := range workers {
		s := first
		if i > 0 {
			var err error
			if s, err = NewScanner(st.opt); err != nil {
				return err
			}
		}
		go func() {
			for j := range st.jobs {
				j.answer <- s.scanJob(j)
				st.reader.recycle(j.data)
			}
		}()
	}
	start := bytes.TrimLeft(st.reader.buffer, " \t\r\n")
	if len(start) > 0 && start[0] == '[' && st.opt.Format != FormatNDJSON {
		return st.runArray(len(st.reader.buffer) - len(start))
	}
	if st.opt.Format == FormatJSON || st.opt.Format == FormatAuto && st.reader.end {
		return st.runWhole()
	}
	return st.runLines()
}

func (s *Scanner) scanJob(j job) scanned {
	if !j.array {
		return scanned{result: s.NDJSON(j.data)}
	}
	s.begin(j.data)
	s.newline = true
	err := s.elements(j.skip, j.skip > 0, j.more)
	result := s.finish()
	if err != nil {
		result.Bytes, result.Lines = 0, 0 // the error counts from the chunk's beginning
		return scanned{result: result, err: err}
	}
	return scanned{result: result}
}

// runLines cuts chunks at line ends.
func (st *stream) runLines() error {
	for {
		cut := bytes.LastIndexByte(st.reader.buffer, '\n') + 1
		if st.reader.end {
			cut = len(st.reader.buffer)
		}
		if cut == 0 && len(st.reader.buffer) > st.opt.EventBytesMax {
			if err := st.longLine(); err != nil {
				return err
			}
			continue
		}
		if cut > 0 && !st.submit(job{data: st.reader.take(cut)}) {
			return nil
		}
		if st.reader.end {
			return nil
		}
		if err := st.reader.fill(); err != nil {
			return err
		}
	}
}

// longLine rejects a line that does not fit the memory for one, and passes over the rest of it.
func (st *stream) longLine() error {
	size := int64(0)
	ended := false
	for !ended {
		b := st.reader.buffer
		n := bytes.IndexByte(b, '\n')
		if n >= 0 {
			b, ended = b[:n], true
		}
		size += int64(len(b))
		st.reader.take(len(b))
		if st.reader.end {
			break
		}
		if err := st.reader.fill(); err != nil {
			return err
		}
	}
	var none Scanner
	st.deliver(scanned{result: &Result{
		Bytes: size, Events: 1, Batch: none.builder.Finish(),
		Rejects: []Reject{{Line: 1, Reason: EventTooLarge, Message: fmt.Sprintf("the line has %d bytes, more than %d", size, st.opt.EventBytesMax)}},
	}})
	return nil
}

// runArray cuts chunks at the commas between the elements of an array.
func (st *stream) runArray(skip int) error {
	depth, scannedTo, cut := 0, skip+1, 0
	text, escaped := false, false
	skip++
	for {
		b := st.reader.buffer
		for ; scannedTo < len(b); scannedTo++ {
			c := b[scannedTo]
			switch {
			case text:
				switch {
				case escaped:
					escaped = false
				case c == '\\':
					escaped = true
				case c == '"':
					text = false
				}
			case c == '"':
				text = true
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				depth--
			case c == ',' && depth == 0:
				cut = scannedTo + 1
			}
		}
		if st.reader.end {
			st.submit(job{data: st.reader.take(len(b)), skip: skip, array: true})
			return nil
		}
		if cut > 0 {
			scannedTo -= cut
			if !st.submit(job{data: st.reader.take(cut), skip: skip, array: true, more: true}) {
				return nil
			}
			skip, cut = 0, 0
		} else if len(b) > elementBytesMax {
			return &SyntaxError{Offset: int64(scannedTo), Line: 1, Message: "an element of the array has more than 64 MiB"}
		}
		if err := st.reader.fill(); err != nil {
			return err
		}
	}
}

// runWhole reads everything as one body: an object may go over several lines.
func (st *stream) runWhole() error {
	for !st.reader.end {
		if len(st.reader.buffer) > elementBytesMax {
			return &SyntaxError{Line: 1, Message: "a JSON object of more than 64 MiB; is the file NDJSON?"}
		}
		if err := st.reader.fill(); err != nil {
			return err
		}
	}
	s, err := NewScanner(st.opt)
	if err != nil {
		return err
	}
	result, err := s.scanJSON(st.reader.buffer)
	if errors.Is(err, ErrEmpty) {
		return nil
	}
	st.deliver(scanned{result: result, err: err})
	return nil
}

func (st *stream) runCSV(s *Scanner) error {
	for !st.reader.end && bytes.IndexByte(st.reader.buffer, '\n') < 0 {
		if len(st.reader.buffer) > 4*chunkBytes {
			return fmt.Errorf("%w: the first line has more than %d bytes", ErrHeader, len(st.reader.buffer))
		}
		if err := st.reader.fill(); err != nil {
			return err
		}
	}
	start, err := s.header(st.reader.buffer)
	if errors.Is(err, ErrEmpty) {
		return nil
	}
	if err != nil {
		return err
	}
	for {
		s.begin(st.reader.buffer)
		end := s.records(start, st.reader.end)
		s.data = s.data[:end]
		s.out.Bytes = int64(end)
		result := s.finish()
		if end > 0 {
			st.reader.recycle(st.reader.take(end))
			start = 0
		}
		if end > 0 && !st.deliver(scanned{result: result}) {
			return nil
		}
		if st.reader.end && len(st.reader.buffer) == 0 {
			return nil
		}
		if err := st.reader.fill(); err != nil {
			return err
		}
	}
}

// reader fills a buffer from a stream.
type reader struct {
	r      io.Reader
	buffer []byte // read and not taken
	end    bool
	fault  error // of r

	mu struct {
		sync.Mutex
		free [][]byte
	}
}

// fill reads until the buffer is full or the stream ends. An error is kept for the next call if
// something was read before it, so that what can be cut off is not lost.
func (r *reader) fill() error {
	if r.fault != nil {
		return r.fault
	}
	want := chunkBytes
	if len(r.buffer) >= want {
		want = 2 * len(r.buffer) // a part that cannot be cut yet
	}
	if cap(r.buffer) < want {
		r.buffer = append(r.empty(want), r.buffer...)
	}
	before := len(r.buffer)
	for len(r.buffer) < want && !r.end {
		n, err := r.r.Read(r.buffer[len(r.buffer):want])
		r.buffer = r.buffer[:len(r.buffer)+n]
		if errors.Is(err, io.EOF) {
			r.end = true
		} else if err != nil {
			if r.fault = fmt.Errorf("read input: %w", err); len(r.buffer) > before {
				return nil
			}
			return r.fault
		}
	}
	return nil
}

// take gives away the first n bytes and keeps the rest in another buffer.
func (r *reader) take(n int) []byte {
	taken := r.buffer[:n]
	rest := r.buffer[n:]
	r.buffer = append(r.empty(max(len(rest), chunkBytes)), rest...)
	return taken
}

func (r *reader) empty(size int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, b := range r.mu.free {
		if cap(b) >= size {
			r.mu.free = append(r.mu.free[:i], r.mu.free[i+1:]...)
			return b[:0]
		}
	}
	return make([]byte, 0, size)
}

// recycle takes back what take gave.
func (r *reader) recycle(b []byte) {
	if cap(b) > 4*chunkBytes {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.free = append(r.mu.free, b[:0])
}
