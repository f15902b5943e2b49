package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"cairn/engine/column"
	"cairn/engine/frame"
	"cairn/engine/group"
	"cairn/engine/keys"
	"cairn/engine/segment"
)

const (
	// groupRows bounds the rows of the appends that are committed together.
	groupRows = 1 << 16
	// groupBytes bounds their memory: the store takes no batch of gigabytes.
	groupBytes = 64 << 20
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

	turn group.Turn
	err  error
}

// pendings are used again, for a server has one for every request.
var pendings = sync.Pool{New: func() any { return &pending{turn: group.NewTurn()} }}

// release gives the append back to the pool, without what it points to.
func (p *pending) release() {
	clear(p.parts)
	*p = pending{parts: p.parts[:0], turn: p.turn}
	pendings.Put(p)
}

// commit hands the append in, and returns when it is committed.
func (t *Tenant) commit(ctx context.Context, p *pending) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.appends.Do(p, p.turn)
	return p.err
}

// takeAppends takes appends that promise the same, within the bounds of a group.
func takeAppends(waiting []*pending) int {
	n, rows, bytes := 0, 0, 0
	for ; n < len(waiting) && waiting[n].opt == waiting[0].opt; n++ {
		rows, bytes = rows+waiting[n].rows, bytes+waiting[n].bytes
		if n > 0 && (rows > groupRows || bytes > groupBytes) {
			break
		}
	}
	return n
}

// commitAppends commits appends together. A panic fails the store: what it has left undone is not known.
func (t *Tenant) commitAppends(appends []*pending) {
	t.commitMu.Lock()
	defer t.commitMu.Unlock()
	err := t.db.mustEnd("commit of tenant", t.name, func() error { return t.commitGroup(appends) })
	if err != nil {
		for _, p := range appends {
			p.err = err
		}
	}
}

// commitGroup writes the frames of all appends in one batch and makes them visible. The caller holds
// commitMu.
func (t *Tenant) commitGroup(appends []*pending) error {
	if t.isDropped() {
		return errDropped(t.name)
	}
	now := t.db.arrival()
	settings := t.settings.Load()
	var parts []*part
	for _, p := range appends {
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
	err := c.write(joinSmall(parts), appends)
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
	for i, p := range parts {
		switch {
		case p == nil: // joined
		case p.frame != nil:
			out = append(out, joined{p.span, p.batch, p.idHashes, p.frame, []*part{p}})
		default:
			out = append(out, p.join(parts[i+1:]))
		}
	}
	return out
}

// join joins a small part with those of others that may share its frame, in the order of arrival, and takes
// them away.
func (p *part) join(others []*part) joined {
	j := joined{span: p.span, parts: []*part{p}}
	for k, other := range others {
		if other != nil && other.span == p.span && other.frame == nil && other.batch.Received == nil && p.batch.Received == nil {
			j.parts = append(j.parts, other)
			others[k] = nil
		}
	}
	if len(j.parts) == 1 {
		j.batch = p.batch.Compact()
	} else {
		b := builders.Get().(*column.Builder)
		for _, one := range j.parts {
			b.AppendBatch(one.batch, nil)
		}
		j.batch = compacted(b)
		builders.Put(b)
	}
	j.idHashes = hashIDs(j.batch)
	return j
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

func (c *commitState) write(frames []joined, appends []*pending) error {
	t, opt := c.tenant, appends[0].opt
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
	if slices.ContainsFunc(appends, func(p *pending) bool { return len(p.links) > 0 }) {
		if err := c.writeLinks(b, appends, &added); err != nil {
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
	now := time.Now().UnixNano()
	t.db.committed.Store(now)
	if len(c.blocks) == 0 && !c.linked() {
		return
	}
	var bytes int64
	rows := 0
	for i := range c.blocks {
		rows += c.blocks[i].block.rows
	}
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
	t.hotCame(rows, now)
	t.db.worker.wakeIfFull()
}

func (t *Tenant) isDropped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.dropped
}
