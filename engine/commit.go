package engine

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"cairn/engine/column"
	"cairn/engine/frame"
	"cairn/engine/keys"
	"cairn/engine/segment"
)

const (
	// groupRows bounds the rows of the appends that are committed together.
	groupRows = 1 << 16
	// groupBytes bounds their memory: the store takes no batch of gigabytes.
	groupBytes = 64 << 20
	// gatherMax is the number of appends from which on a leader gathers no more.
	gatherMax = 64
)

// pending is an append on its way through the commit.
type pending struct {
	parts       []part
	rows, bytes int // links count as rows
	links       []linkRequest
	opt         AppendOptions
	settings    *settings // whose calendar cut the parts
	blocked     uint64    // generation of the names that were refused
	result      *Result

	// turn receives true when the append is to lead the next commit, false when it is done.
	turn chan bool
	err  error
}

// pendings are used again, for a server has one for every request.
var pendings = sync.Pool{New: func() any { return &pending{turn: make(chan bool, 1)} }}

// release gives the append back to the pool, without what it points to. Nothing is left in turn: its
// receiver has got all that was sent.
func (p *pending) release() {
	clear(p.parts)
	*p = pending{parts: p.parts[:0], turn: p.turn}
	pendings.Put(p)
}

// commit hands the append in. The first to come leads: it commits for all who came while the commit
// before was on its way, and then hands the lead to the first of those who came since.
func (t *Tenant) commit(ctx context.Context, p *pending) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q := &t.queue
	q.Lock()
	q.waiting = append(q.waiting, p)
	lead := !q.leading
	q.leading = true
	q.Unlock()
	if !lead {
		lead = <-p.turn
	}
	if lead {
		t.lead()
	}
	return p.err
}

// lead commits the front of the queue, whose first append is the caller's.
func (t *Tenant) lead() {
	t.commitMu.Lock() // waiting for it, the queue fills
	t.gather()
	q := &t.queue
	q.Lock()
	n, rows, bytes := 0, 0, 0
	for ; n < len(q.waiting) && q.waiting[n].opt == q.waiting[0].opt; n++ {
		rows, bytes = rows+q.waiting[n].rows, bytes+q.waiting[n].bytes
		if n > 0 && (rows > groupRows || bytes > groupBytes) {
			break
		}
	}
	group := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.Unlock()

	err := t.commitGroup(group)
	t.commitMu.Unlock()

	if err != nil {
		for _, p := range group {
			p.err = err
		}
	}
	for _, p := range group[1:] {
		p.turn <- false
	}
	q.Lock()
	if len(q.waiting) > 0 {
		q.waiting[0].turn <- true
	} else {
		q.leading = false
	}
	q.Unlock()
}

// gather lets goroutines run that are ready to, as long as appends come of it. A sync, and the waking of
// threads around it, costs as much as some tens of small appends: the more share one, the more the machine
// can do. Whoever appends alone does not wait.
func (t *Tenant) gather() {
	for before := 0; ; {
		t.queue.Lock()
		n := len(t.queue.waiting)
		t.queue.Unlock()
		if n == before || n >= gatherMax {
			return
		}
		before = n
		runtime.Gosched()
	}
}

// commitGroup writes the frames of all appends in one batch and makes them visible. The caller holds
// commitMu.
func (t *Tenant) commitGroup(group []*pending) error {
	if t.isDropped() {
		return fmt.Errorf("engine: tenant %q was dropped", t.name)
	}
	now := t.db.arrival()
	settings := t.settings.Load()
	var parts []*part
	for _, p := range group {
		if p.settings != settings { // its days may have moved
			p.recut(settings)
		}
		if t.blocked.changed(p.blocked) {
			p.refuse(&t.blocked)
		}
		for i := range p.parts {
			parts = append(parts, &p.parts[i])
		}
	}
	c := &commitState{tenant: t, now: now, lastUser: t.users.last}
	c.first = t.db.sequence.Load() + 1
	if slices.ContainsFunc(parts, func(p *part) bool { return len(p.batch.ID.Bits) > 0 }) && t.dedup.window >= 0 {
		v, unpin := t.pin()
		defer unpin()
		t.dedup.refresh(v, earliest(parts, now)-t.dedup.window)
	}
	err := c.write(joinSmall(parts), group)
	if err != nil {
		t.users.forget(c.lastUser)
		t.dedup.hot.takeBack(c.first)
		c.links.forget()
		return err
	}
	t.publish(c)
	return nil
}

// earliest returns the first arrival of an event: now, or what the caller says.
func earliest(parts []*part, now int64) int64 {
	for _, p := range parts {
		for _, at := range p.batch.Received {
			now = min(now, at)
		}
	}
	return now
}

// recut splits the batches again by the days of newer settings.
func (p *pending) recut(s *settings) {
	var parts []part
	for _, old := range p.parts {
		for _, next := range splitByDay(nil, old.batch, s.calendar, nil) {
			next.place(&old)
			parts = append(parts, next)
		}
	}
	p.parts, p.settings = parts, s
}

// joined are the parts that share a frame.
type joined struct {
	span     spanKey
	batch    *column.Batch
	idHashes []uint64
	frame    *frameBuffer
	parts    []*part // whose rows follow each other
}

// builders are used again with their memory: what they build is copied into as much as it needs.
var builders = sync.Pool{New: func() any { return &column.Builder{} }}

// compacted ends the builder's batch, returns a copy, and leaves the builder its memory.
func compacted(b *column.Builder) *column.Batch {
	built := b.Finish()
	out := built.Compact()
	b.Reuse(built)
	return out
}

// joinSmall joins the small parts of a day, and copies those that it does not join: what is small belongs
// to the caller of AppendBatch.
func joinSmall(parts []*part) []joined {
	out := make([]joined, 0, 1)
	b := builders.Get().(*column.Builder)
	defer builders.Put(b)
	for i, p := range parts {
		if p == nil { // joined
			continue
		}
		if p.frame != nil {
			out = append(out, joined{p.span, p.batch, p.idHashes, p.frame, []*part{p}})
			continue
		}
		j := joined{span: p.span, parts: []*part{p}}
		b.AppendBatch(p.batch, nil)
		for k := i + 1; k < len(parts) && p.batch.Received == nil; k++ { // in the order of arrival
			other := parts[k]
			if other != nil && other.span == p.span && other.frame == nil && other.batch.Received == nil {
				j.parts = append(j.parts, other)
				b.AppendBatch(other.batch, nil)
				parts[k] = nil
			}
		}
		j.batch = compacted(b)
		j.idHashes = hashIDs(j.batch)
		out = append(out, j)
	}
	return out
}

// commitState is one commit while it is made.
type commitState struct {
	tenant   *Tenant
	now      int64
	first    uint64 // sequence of the first frame
	last     uint64
	lastUser uint32
	blocks   []committedBlock
	links    *linkCommit // nil: none
}

type committedBlock struct {
	span  spanKey
	block hotBlock
}

func (c *commitState) write(frames []joined, group []*pending) error {
	t, opt := c.tenant, group[0].opt
	b := t.db.store.db.NewBatch()
	var added newUsers
	for i := range frames {
		f := &frames[i]
		sequence := t.db.sequence.Add(1)
		skipped, err := c.duplicates(f, sequence)
		if err != nil {
			return err
		}
		for _, p := range f.parts {
			p.owner.result.Sequence = sequence
		}
		if len(skipped) == f.batch.Rows {
			continue
		}
		users, err := t.users.resolve(&f.batch.User.Dict, usersBut(f.batch, skipped), &added)
		if err != nil {
			return err
		}
		if f.frame == nil {
			f.frame = encodeFrame(f.batch)
		}
		f.frame.bytes = frame.AppendRecord(f.frame.bytes, frame.Record{Received: c.now, Users: users, Skipped: skipped})
		if err := b.Set(keys.Hot(t.id, 0, f.span.from, sequence), f.frame.bytes, nil); err != nil {
			return err
		}
		f.frame.release() // the store's batch has a copy
		f.frame = nil
		c.last = sequence
		c.blocks = append(c.blocks, committedBlock{f.span, newHotBlock(segment.Input{
			Batch: f.batch, Users: users, Received: c.now, Rows: withoutRows(f.batch.Rows, skipped),
		}, sequence)})
	}
	if slices.ContainsFunc(group, func(p *pending) bool { return len(p.links) > 0 }) {
		if err := c.writeLinks(b, group, &added); err != nil {
			return err
		}
	}
	switch {
	case len(c.blocks) > 0 || c.linked():
		if err := t.users.write(b, &added); err != nil {
			return err
		}
	case t.unsynced && !opt.Unsynced:
		// Nothing is new, but what the duplicates repeat may not be on disk.
		if err := b.LogData(nil, nil); err != nil {
			return err
		}
	default:
		return b.Close()
	}
	if err := t.db.store.commit(b, !opt.Unsynced); err != nil {
		return fmt.Errorf("append to tenant %q: %w", t.name, err)
	}
	t.unsynced = opt.Unsynced
	return nil
}

// usersBut returns which strings of the users' dictionary other rows have than the skipped ones, nil if none is
// skipped. A user who is in nothing but repeats gets no number: he may have been erased since they first came.
func usersBut(b *column.Batch, skipped []uint32) []bool {
	if len(skipped) == 0 {
		return nil
	}
	used := make([]bool, b.User.Dict.Len())
	gone := rowSet{rows: skipped}
	for i, code := range b.User.Bits {
		if !gone.has(uint32(b.User.Row(i))) {
			used[code] = true
		}
	}
	return used
}

// duplicates returns the rows of a frame whose insert id is known, and gives the verdicts on them.
func (c *commitState) duplicates(f *joined, sequence uint64) ([]uint32, error) {
	t := c.tenant
	ids := &f.batch.ID
	if len(ids.Bits) == 0 || t.dedup.window < 0 {
		return nil, nil
	}
	source := uint32(0) // none: nothing new so far
	seen := make([]bool, ids.Dict.Len())
	var skipped []uint32
	for i, code := range ids.Bits {
		row, arrived := ids.Row(i), c.now
		if f.batch.Received != nil {
			arrived = f.batch.Received[row]
		}
		duplicate := seen[code] && f.batch.Received == nil
		if !duplicate {
			seen[code] = true
			hash := f.idHashes[code]
			var err error
			duplicate, err = t.dedup.check(ids.Dict.Bytes(uint32(code)), hash, arrived-t.dedup.window)
			if err != nil {
				return nil, fmt.Errorf("de-duplicate: %w", err)
			}
			if !duplicate {
				if source == 0 {
					source = t.dedup.hot.newSource(newIDSource(f.batch, f.span, sequence, c.now))
				}
				t.dedup.add(source, uint32(code), hash, sequence, arrived, c.now)
			}
		}
		if duplicate {
			skipped = append(skipped, uint32(row))
		}
	}
	f.verdicts(skipped)
	return skipped, nil
}

// verdicts tells the owners of rows that they are duplicates.
func (f *joined) verdicts(rows []uint32) {
	first := uint32(0)
	for _, p := range f.parts {
		end := first + uint32(p.batch.Rows)
		for len(rows) > 0 && rows[0] < end {
			index := rows[0] - first
			if p.index != nil {
				index = p.index[index]
			}
			r := p.owner.result
			r.Duplicates++
			r.Verdicts = append(r.Verdicts, IndexedVerdict{int(index), Verdict{Kind: Duplicate}})
			rows = rows[1:]
		}
		first = end
	}
}

// publish makes the committed blocks visible.
func (t *Tenant) publish(c *commitState) {
	t.db.committed.Store(time.Now().UnixNano())
	if len(c.blocks) == 0 && !c.linked() {
		return
	}
	var bytes int64
	t.update(func(v *view) {
		if c.linked() {
			v.links = c.links.view
		}
		for _, b := range c.blocks {
			v.edit(b.span, func(s *span) {
				before := s.hotBytes
				s.addHot(b.block)
				bytes += s.hotBytes - before
			})
		}
		v.users = t.users.last
		if len(c.blocks) > 0 {
			v.received = max(v.received, c.now)
			v.sequence = max(v.sequence, c.last)
		}
	})
	t.db.addHotBytes(t, bytes)
	t.db.worker.wakeIfFull()
}

func (t *Tenant) isDropped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.dropped
}
