package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"cairn/engine/segment"
)

const (
	// smallDayRows is the size below which closed days are put together into wider partitions.
	smallDayRows = 4096
	// wideRows is the size from which a partition takes in no further day.
	wideRows = segment.BlockRows
	// wideRowsMax is the size up to which it takes in late events of the days that it covers; those
	// that come after stand beside it.
	wideRowsMax = 2 * wideRows
	// wideDays is the width from which a partition takes in no further day.
	wideDays = 366
	// installBytes and installChanges bound what is installed at once.
	installBytes   = 32 << 20
	installChanges = 1024
)

// seal turns hot blocks of the given spans into segments. Spans of many tenants share tables and
// commits. A span on whose events it panics stays as it is; the error tells it after the rest is done.
func (db *DB) seal(ctx context.Context, jobs []sealJob) error {
	db.sealing.Lock()
	defer db.sealing.Unlock()
	var failed []error
	for len(jobs) > 0 {
		n, bytes := 0, int64(0)
		for n < len(jobs) && (n == 0 || n < installChanges && bytes+jobs[n].bytes <= 8*installBytes) {
			bytes += jobs[n].bytes
			n++
		}
		if err := db.sealSome(ctx, jobs[:n]); isContained(err) {
			failed = append(failed, err)
		} else if err != nil {
			return err
		}
		jobs = jobs[n:]
	}
	return errors.Join(failed...)
}

// sealJob are spans of one tenant.
type sealJob struct {
	tenant *Tenant
	spans  []spanKey
	bytes  int64
}

func (db *DB) sealSome(ctx context.Context, jobs []sealJob) error {
	var held []*change
	defer func() {
		for _, c := range held {
			c.releaseHot()
		}
	}()
	var inputs [][]segment.Input
	for _, job := range jobs {
		for _, group := range job.tenant.sealGroups(job.spans, db.now()) {
			c, in := job.tenant.holdHot(group)
			if c != nil {
				held, inputs = append(held, c), append(inputs, in)
			}
		}
	}
	left := make([]error, len(held)) // why a change is not made
	err := db.parallel(ctx, db.opt.Workers, len(held), func(i int) error {
		err := db.contain(func() error { return db.build(held[i], inputs[i]) })
		inputs[i] = nil
		if isContained(err) {
			left[i], err = err, nil
		}
		return err
	})
	if err != nil {
		return err
	}
	var changes, rest []*change
	for i, c := range held {
		if left[i] == nil {
			changes = append(changes, c)
			continue
		}
		rest = append(rest, c)
		for _, s := range c.sealed {
			db.worker.shun(left[i], c.tenant, s.span, loopSeal)
		}
	}
	if len(changes) > 0 {
		if err := db.install(ctx, changes); err != nil {
			return err
		}
	}
	held = rest
	for _, c := range changes {
		db.counters.sealed(c)
		db.worker.touch(c.tenant)
	}
	return errors.Join(left...)
}

// build encodes the events of a change.
func (db *DB) build(c *change, inputs []segment.Input) error {
	opt := db.buildOptions(c.cold)
	opt.Pace = db.pacer()
	if opt.DropUsers = c.tenant.view.Load().hidden; opt.DropUsers != nil {
		c.droppedIDs = hotIDsOf(inputs, opt.DropUsers, db.now()-int64(db.opt.DedupWindow))
	}
	var err error
	if c.encoded, err = segment.Build(inputs, opt); err != nil {
		return fmt.Errorf("seal events of tenant %q: %w", c.tenant.name, err)
	}
	return nil
}

func (db *DB) buildOptions(cold bool) segment.BuildOptions {
	return segment.BuildOptions{Cold: cold, BlockRows: db.opt.BlockRows, MaxBlocks: db.opt.MaxBlocks}
}

// parallel calls do for 0 to n-1 from as many goroutines as there are workers, and returns the first
// error. A panic of do is one.
func (db *DB) parallel(ctx context.Context, workers, n int, do func(i int) error) error {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed error
	next := 0
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		if failed == nil {
			failed = ctx.Err()
		}
		if failed != nil || next == n {
			return -1
		}
		next++
		return next - 1
	}
	for range min(workers, n) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := take(); i >= 0; i = take() {
				if err := db.contain(func() error { return do(i) }); err != nil {
					mu.Lock()
					failed = cmp.Or(failed, err)
					mu.Unlock()
				}
			}
		}()
	}
	wait.Wait()
	return failed
}

// sealGroup are spans that are sealed into one target.
type sealGroup struct {
	target spanKey
	spans  []spanKey
}

// sealGroups chooses where the hot blocks of spans go: into their own span, into a wider partition
// that is there already, or, if they are few and their days closed, into a new one.
func (t *Tenant) sealGroups(spans []spanKey, now int64) []sealGroup {
	v := t.view.Load()
	byTarget := make(map[spanKey]int)
	var out []sealGroup
	add := func(target, key spanKey) {
		i, ok := byTarget[target]
		if !ok {
			i = len(out)
			byTarget[target] = i
			out = append(out, sealGroup{target: target})
		}
		out[i].spans = append(out[i].spans, key)
	}
	wanted := make(map[spanKey]bool, len(spans))
	for _, key := range spans {
		wanted[key] = true
	}
	taken := make(map[spanKey]int) // rows that go into a wider partition
	var small []smallDay
	barrier := 0
	for _, s := range v.spans {
		key := s.key()
		wider, inside := v.wider(key)
		few := key.to <= now && s.rows() < smallDayRows
		if !few && !inside {
			barrier++
		}
		if !wanted[key] || len(s.hot) == 0 {
			continue
		}
		switch {
		case len(s.sealed) > 0 || s.damaged != nil:
			add(key, key)
		case inside && few && v.find(wider).rows()+taken[wider]+s.hotRows <= wideRowsMax:
			taken[wider] += s.hotRows
			add(wider, key)
		case few && !inside:
			small = append(small, smallDay{key, s.hotRows, barrier})
		default:
			add(key, key)
		}
	}
	for _, group := range widen(small) {
		target := spanKey{group[0].from, group[len(group)-1].to}
		for _, key := range group {
			add(target, key)
		}
	}
	return out
}

// wider returns the widest partition with sealed segments that covers the day and more.
func (v *view) wider(key spanKey) (spanKey, bool) {
	widest := key
	for _, s := range v.spans {
		if s.from > key.from {
			break
		}
		if s.to >= key.to && s.to-s.from > widest.to-widest.from && len(s.sealed) > 0 {
			widest = s.key()
		}
	}
	return widest, widest != key
}

// smallDay is a closed day, or partition, with few rows.
type smallDay struct {
	key  spanKey
	rows int
	// barrier is the number of days before it that are not small: a partition never reaches across
	// one, for whole days are what queries and retention want.
	barrier int
}

// widen groups small days, ascending, so that a group is neither large nor wide.
func widen(days []smallDay) [][]spanKey {
	var out [][]spanKey
	total := 0
	for i, day := range days {
		last := len(out) - 1
		if i == 0 || total+day.rows > wideRows || day.barrier != days[i-1].barrier ||
			day.key.to-out[last][0].from > wideDays*dayNanos {
			out, total = append(out, nil), 0
			last++
		}
		out[last] = append(out[last], day.key)
		total += day.rows
	}
	return out
}

const dayNanos = 24 * 60 * 60 * 1e9

// holdHot marks the present hot blocks of a group as being sealed and returns them.
func (t *Tenant) holdHot(g sealGroup) (*change, []segment.Input) {
	c := &change{tenant: t, target: g.target, seqMin: ^uint64(0)}
	var inputs []segment.Input
	t.update(func(v *view) {
		for _, key := range g.spans {
			if v.find(key) == nil {
				continue
			}
			v.edit(key, func(s *span) {
				if len(s.hot) == 0 {
					return
				}
				s.sealing = len(s.hot)
				s.chunks.seals(s.sealing)
				last := s.hot[len(s.hot)-1].sequence
				c.sealed = append(c.sealed, sealedHot{key, len(s.hot), last, s.hotRows, s.hotBytes, s.unreadableFrames()})
				c.seqMin, c.seqMax = min(c.seqMin, s.hot[0].first), max(c.seqMax, last)
				for _, b := range s.hot {
					inputs = append(inputs, b.input)
				}
			})
		}
	})
	if len(c.sealed) == 0 {
		return nil, nil
	}
	return c, inputs
}

// releaseHot undoes holdHot.
func (c *change) releaseHot() {
	c.tenant.update(func(v *view) {
		for _, hot := range c.sealed {
			if v.find(hot.span) != nil {
				v.edit(hot.span, func(s *span) {
					s.sealing = 0
					s.chunks.seals(0)
				})
			}
		}
	})
}
