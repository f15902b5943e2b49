package engine

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"cairn/engine/column"
	"cairn/engine/event"
	"cairn/engine/frame"
	"cairn/engine/segment"
)

// smallRows is the number of rows below which batches that are committed together share a frame.
const smallRows = 256

const (
	// BatchBytesMax is the most memory that a batch given to AppendBatch may hold, by Batch.SizeBytes.
	BatchBytesMax = 1 << 30
	// appendBytes and appendRows are the sizes at which Append begins another batch. The bytes are
	// those of texts, and fieldBytes for each field; in a batch they take a few times the memory.
	appendBytes = 64 << 20
	appendRows  = 1 << 20
	fieldBytes  = 64
)

// AppendOptions change what an append promises.
type AppendOptions struct {
	// Unsynced answers before the events are on disk: a crash of the machine, or of the process, may
	// lose those of the last moments, in whole batches and from the end.
	Unsynced bool
}

// Append stores events and returns a verdict for each. When it returns without an error, all that are
// OK or Duplicate are on disk; with an error, each may be stored or not, as a whole. The events are
// not kept. Many are stored in several steps; a single one of more than BatchBytesMax is
// ErrBatchTooLarge, and then none is stored.
func (t *Tenant) Append(ctx context.Context, events []event.Event) ([]Verdict, error) {
	received := false
	for i := range events {
		received = received || events[i].Received != 0
		if size := sizeOf(&events[i]); size > BatchBytesMax {
			return nil, fmt.Errorf("%w: event %d has %d bytes, %d are allowed", ErrBatchTooLarge, i, size, BatchBytesMax)
		}
	}
	now := t.db.arrival()
	verdicts := make([]Verdict, len(events))
	for first := 0; first < len(events); {
		end, bytes := first, 0
		for end < len(events) && end-first < appendRows {
			bytes += sizeOf(&events[end])
			if end > first && bytes > appendBytes {
				break
			}
			end++
		}
		if err := t.appendSome(ctx, events[first:end], verdicts[first:end], received, now); err != nil {
			return nil, err
		}
		first = end
	}
	return verdicts, nil
}

// sizeOf is about the memory that an event takes in a batch.
func sizeOf(e *event.Event) int {
	n := fieldBytes + len(e.Name) + len(e.User) + len(e.ID)
	for i := range e.Fields {
		f := &e.Fields[i]
		n += fieldBytes + len(f.Name) + len(f.Value.Text())
	}
	return n
}

// appendSome appends events as one batch. received says that they have arrivals of their own, which
// is now for those without.
func (t *Tenant) appendSome(ctx context.Context, events []event.Event, verdicts []Verdict, received bool, now int64) error {
	var b column.Builder
	rows := make([]int, 0, len(events)) // index of the event of each row
	for i := range events {
		e := &events[i]
		if field, twice := duplicateField(e); twice {
			verdicts[i] = Verdict{Rejected, ReasonDuplicateField, field, fmt.Sprintf("the field %q occurs twice", field)}
			continue
		}
		if received {
			b.SetReceived(cmp.Or(e.Received, now))
		}
		b.AppendEvent(e)
		rows = append(rows, i)
	}
	if b.Len() == 0 {
		return ctx.Err()
	}
	result, err := t.AppendBatch(ctx, b.Finish(), AppendOptions{})
	if err != nil {
		return err
	}
	for _, v := range result.Verdicts {
		verdicts[rows[v.Index]] = v.Verdict
	}
	return nil
}

func duplicateField(e *event.Event) (string, bool) {
	if len(e.Fields) > 32 {
		seen := make(map[string]struct{}, len(e.Fields))
		for i := range e.Fields {
			if _, twice := seen[e.Fields[i].Name]; twice {
				return e.Fields[i].Name, true
			}
			seen[e.Fields[i].Name] = struct{}{}
		}
		return "", false
	}
	for i := range e.Fields {
		for j := range i {
			if e.Fields[i].Name == e.Fields[j].Name {
				return e.Fields[i].Name, true
			}
		}
	}
	return "", false
}

// part is the share of a batch that falls on one day: one frame.
type part struct {
	span  spanKey
	batch *column.Batch
	// index maps rows to the indexes of the caller's batch; nil: they are the same.
	index    []uint32
	idHashes []uint64 // by string of the id dictionary
	frame    []byte   // nil: still to be encoded, the batch being small
	owner    *pending
}

// AppendBatch is Append for a batch, which it takes over; it is the fast path. The caller need not
// have checked anything but that the batch is well formed, as a Builder leaves it. One of more than
// BatchBytesMax bytes, or of 4,194,304 rows, is refused with ErrBatchTooLarge.
func (t *Tenant) AppendBatch(ctx context.Context, b *column.Batch, opt AppendOptions) (*Result, error) {
	if b.Rows > frame.RowsMax {
		return nil, fmt.Errorf("%w: %d rows, %d are allowed", ErrBatchTooLarge, b.Rows, frame.RowsMax)
	}
	if size := b.SizeBytes(); size > BatchBytesMax {
		return nil, fmt.Errorf("%w: %d bytes, %d are allowed", ErrBatchTooLarge, size, BatchBytesMax)
	}
	if b.Rows == 0 {
		return &Result{}, nil
	}
	if err := t.db.store.err(); err != nil {
		return nil, err
	}
	if err := t.ensure(); err != nil {
		return nil, err
	}
	if err := t.db.waitForMemory(ctx); err != nil {
		return nil, err
	}
	p := &pending{opt: opt, result: &Result{}, turn: make(chan bool, 1)}
	if err := t.prepare(p, b); err != nil {
		return nil, err
	}
	if len(p.parts) > 0 {
		if err := t.commit(ctx, p); err != nil {
			return nil, err
		}
	}
	r := p.result
	r.Stored = b.Rows - r.Duplicates - r.Rejected
	slices.SortFunc(r.Verdicts, func(a, b IndexedVerdict) int { return cmp.Compare(a.Index, b.Index) })
	t.db.counters.appended(r)
	return r, nil
}

// prepare does all that needs no lock: it checks the rows, splits them by day and encodes the frames.
func (t *Tenant) prepare(p *pending, b *column.Batch) error {
	settings := t.settings.Load()
	p.settings = settings
	now := t.db.now()
	check := checker{
		limits: t.db.opt.Limits, batch: b, result: p.result,
		oldest: settings.retainedFrom(now), newest: now + min(int64(t.db.opt.FutureLimit), math.MaxInt64-now),
	}
	blocked, generation := t.blocked.among(&b.User.Dict)
	p.blocked = generation
	check.blockedUsers(blocked)
	bad := check.check()
	if t.db.opt.DedupWindow >= 0 {
		bad = repeatedIDs(b, bad, p.result)
	}
	p.parts = splitByDay(b, settings.calendar, bad)
	for i := range p.parts {
		part := &p.parts[i]
		part.owner = p
		part.idHashes = hashIDs(part.batch)
		if part.batch.Rows >= smallRows {
			part.frame = frame.Append(nil, part.batch)
		}
	}
	return nil
}

// repeatedIDs gives the verdict on rows that repeat an insert id of a row before, and adds them to
// the rows to be left out. Arrivals that the caller gives are left to the commit, for they may lie
// further apart than the window.
func repeatedIDs(b *column.Batch, bad map[uint32]bool, r *Result) map[uint32]bool {
	if len(b.ID.Bits) == 0 || b.Received != nil {
		return bad
	}
	seen := make([]bool, b.ID.Dict.Len())
	for i, code := range b.ID.Bits {
		row := uint32(b.ID.Row(i))
		switch {
		case bad[row]:
		case !seen[code]:
			seen[code] = true
		default:
			if bad == nil {
				bad = make(map[uint32]bool)
			}
			bad[row] = true
			r.Duplicates++
			r.Verdicts = append(r.Verdicts, IndexedVerdict{int(row), Verdict{Kind: Duplicate}})
		}
	}
	return bad
}

func hashIDs(b *column.Batch) []uint64 {
	if len(b.ID.Bits) == 0 {
		return nil
	}
	out := make([]uint64, b.ID.Dict.Len())
	for i := range out {
		out[i] = segment.HashID(b.ID.Dict.Bytes(uint32(i)))
	}
	return out
}

// splitByDay cuts a batch at the tenant's days and leaves bad rows out.
func splitByDay(b *column.Batch, c calendar, bad map[uint32]bool) []part {
	if len(bad) == b.Rows {
		return nil
	}
	from, to := c.day(firstGood(b, bad))
	one := len(bad) == 0
	for _, at := range b.Time {
		if at < from || at >= to {
			one = false
			break
		}
	}
	if one {
		return []part{{span: spanKey{from, to}, batch: b}}
	}
	numbers := make(map[spanKey]uint32)
	var days []part
	rows := make([]uint32, b.Rows)
	number := ^uint32(0)
	for row, at := range b.Time {
		if bad[uint32(row)] {
			rows[row] = column.NoPart
			continue
		}
		if number == ^uint32(0) || at < from || at >= to {
			from, to = c.day(at)
			key := spanKey{from, to}
			n, ok := numbers[key]
			if !ok {
				n = uint32(len(days))
				numbers[key] = n
				days = append(days, part{span: key})
			}
			number = n
		}
		rows[row] = number
		days[number].index = append(days[number].index, uint32(row))
	}
	for i, batch := range b.Split(rows, len(days)) {
		days[i].batch = batch
	}
	return days
}

func firstGood(b *column.Batch, bad map[uint32]bool) int64 {
	for row, at := range b.Time {
		if !bad[uint32(row)] {
			return at
		}
	}
	return 0
}

// arrival is the time given to events that arrive now, to the millisecond.
func (db *DB) arrival() int64 {
	now := db.now()
	return now - now%1e6
}
