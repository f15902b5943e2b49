package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"cairn/engine/segment"
)

const (
	// smallDayRows is the size below which closed days are put together into wider partitions.
	smallDayRows = 4096
	// wideRows is the size from which a partition takes in no further day.
	wideRows = segment.BlockRows
	// wideDays is the width from which a partition takes in no further day.
	wideDays = 366
	// installBytes and installChanges bound what is installed at once.
	installBytes   = 32 << 20
	installChanges = 1024
)

// seal turns hot blocks of the given spans into segments. Spans of many tenants share tables and
// commits.
func (db *DB) seal(ctx context.Context, jobs []sealJob) error {
	db.sealing.Lock()
	defer db.sealing.Unlock()
	for len(jobs) > 0 {
		n, bytes := 0, int64(0)
		for n < len(jobs) && (n == 0 || n < installChanges && bytes+jobs[n].bytes <= 8*installBytes) {
			bytes += jobs[n].bytes
			n++
		}
		if err := db.sealSome(ctx, jobs[:n]); err != nil {
			return err
		}
		jobs = jobs[n:]
	}
	return nil
}

// sealJob are spans of one tenant.
type sealJob struct {
	tenant *Tenant
	spans  []spanKey
	bytes  int64
}

func (db *DB) sealSome(ctx context.Context, jobs []sealJob) (err error) {
	var changes []*change
	var inputs [][]segment.Input
	defer func() {
		if err != nil {
			for _, c := range changes {
				c.releaseHot()
			}
		}
	}()
	for _, job := range jobs {
		for _, group := range job.tenant.sealGroups(job.spans, db.now()) {
			c, in := job.tenant.holdHot(group)
			if c != nil {
				changes, inputs = append(changes, c), append(inputs, in)
			}
		}
	}
	err = db.parallel(ctx, len(changes), func(i int) error {
		c := changes[i]
		encoded, err := segment.Build(inputs[i], db.buildOptions(c.cold))
		if err != nil {
			return fmt.Errorf("seal events of tenant %q: %w", c.tenant.name, err)
		}
		c.encoded = encoded
		inputs[i] = nil
		return nil
	})
	if err != nil || len(changes) == 0 {
		return err
	}
	if err := db.install(ctx, changes); err != nil {
		return err
	}
	for _, c := range changes {
		db.counters.sealed(c)
		db.worker.touch(c.tenant)
	}
	return nil
}

func (db *DB) buildOptions(cold bool) segment.BuildOptions {
	return segment.BuildOptions{Cold: cold, BlockRows: db.opt.BlockRows, MaxBlocks: db.opt.MaxBlocks}
}

// parallel calls do for 0 to n-1 from as many goroutines as there are workers, and returns the first
// error.
func (db *DB) parallel(ctx context.Context, n int, do func(i int) error) error {
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
	for range min(db.opt.Workers, n) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := take(); i >= 0; i = take() {
				if err := do(i); err != nil {
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
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b spanKey) int { return cmp.Compare(a.from, b.from) })
	var small []spanKey
	for _, key := range spans {
		s := v.find(key)
		if s == nil || len(s.hot) == 0 || s.damaged != nil {
			continue
		}
		wider, ok := v.wider(key)
		switch {
		case len(s.sealed) > 0:
			add(key, key)
		case ok:
			add(wider, key)
		case s.hotRows < smallDayRows && key.to <= now:
			small = append(small, key)
		default:
			add(key, key)
		}
	}
	for _, group := range widen(small, func(key spanKey) int { return v.find(key).hotRows }) {
		target := spanKey{group[0].from, group[len(group)-1].to}
		for _, key := range group {
			add(target, key)
		}
	}
	return out
}

// wider returns a partition with sealed segments that covers the day and more.
func (v *view) wider(key spanKey) (spanKey, bool) {
	for _, s := range v.spans {
		if s.from > key.from {
			break
		}
		if s.to >= key.to && s.key() != key && len(s.sealed) > 0 {
			return s.key(), true
		}
	}
	return spanKey{}, false
}

// widen groups small days, ascending, so that a group is neither large nor wide.
func widen(days []spanKey, rows func(spanKey) int) [][]spanKey {
	var out [][]spanKey
	total := 0
	for i, key := range days {
		n := rows(key)
		last := len(out) - 1
		if i == 0 || total+n > wideRows || key.to-out[last][0].from > wideDays*dayNanos {
			out, total = append(out, nil), 0
			last++
		}
		out[last] = append(out[last], key)
		total += n
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
				if len(s.hot) == 0 || s.damaged != nil {
					return
				}
				s.sealing = len(s.hot)
				last := s.hot[len(s.hot)-1].sequence
				c.sealed = append(c.sealed, sealedHot{key, len(s.hot), last, s.hotRows, s.hotBytes})
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
				v.edit(hot.span, func(s *span) { s.sealing = 0 })
			}
		}
	})
}
