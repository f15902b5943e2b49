package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"cairn/engine/segment"
)

const (
	// mergeRuns is the number of runs of about one size that are merged.
	mergeRuns = 4
	// mergeRunsMax is the number of runs of a span at which all are merged.
	mergeRunsMax = 12
	// mergeBusy is how many times as many there have to be while events come so fast that they are sealed for
	// want of memory: rows are then merged less often, and the processor is needed elsewhere.
	mergeBusy = 2
	// wideDaysMin is the number of small days that are put together while events keep coming.
	wideDaysMin = 8
)

// mergeJob are segments that become one sorted run.
type mergeJob struct {
	target  spanKey
	handles []*segmentHandle
}

// planMerges returns what is to be merged. Settled, every span becomes one run, and small closed days
// become wider partitions; else only what has become too many pieces is merged.
func (t *Tenant) planMerges(now int64, settle bool) []mergeJob {
	v := t.view.Load()
	patience := 1
	if t.db.worker.busy() {
		patience = mergeBusy
	}
	byTarget := make(map[spanKey]*mergeJob)
	var order []spanKey
	add := func(target spanKey, handles []*segmentHandle) {
		job := byTarget[target]
		if job == nil {
			job = &mergeJob{target: target}
			byTarget[target] = job
			order = append(order, target)
		}
		job.handles = append(job.handles, handles...)
	}
	var small []smallDay
	barrier := 0
	taken := make(map[spanKey]int) // rows that go into a wider partition
	for _, s := range v.spans {
		wider, inside := v.wider(s.key())
		few := s.to <= now && s.rows() < smallDayRows
		if !few && !inside {
			barrier++
		}
		if len(s.sealed) == 0 {
			continue
		}
		switch {
		case s.damaged != nil: // what can be read stays apart from other days
			if handles := chooseRuns(s, settle, patience); len(handles) > 0 {
				add(s.key(), handles)
			}
		case inside && settle && few && v.find(wider).rows()+taken[wider]+s.rows() <= wideRowsMax:
			if w := v.find(wider); byTarget[wider] == nil {
				add(wider, w.sealed)
			}
			taken[wider] += s.rows()
			add(wider, s.sealed)
		case few && len(s.hot) == 0 && (settle || !inside):
			small = append(small, smallDay{s.key(), s.rows(), barrier})
		case byTarget[s.key()] != nil: // a day inside it has brought it in
		default:
			if handles := chooseRuns(s, settle, patience); len(handles) > 0 {
				add(s.key(), handles)
			}
		}
	}
	least := wideDaysMin
	if settle {
		least = 2
	}
	for _, group := range widen(small) {
		target := group[0]
		for _, key := range group {
			target.to = max(target.to, key.to)
		}
		// A partition of just these bounds is either one of the group or too large to grow.
		other := v.find(target) != nil && !slices.Contains(group, target)
		if len(group) < least || other {
			for _, key := range group {
				if byTarget[key] == nil {
					if handles := chooseRuns(v.find(key), settle, patience); len(handles) > 0 {
						add(key, handles)
					}
				}
			}
			continue
		}
		for _, key := range group {
			if byTarget[key] == nil {
				add(target, v.find(key).sealed)
			}
		}
	}
	jobs := make([]mergeJob, 0, len(order))
	for _, key := range order {
		jobs = append(jobs, *byTarget[key])
	}
	return jobs
}

// chooseRuns returns the segments of the runs of a span that are to be merged. patience is how many times as
// many as usual there have to be.
func chooseRuns(s *span, settle bool, patience int) []*segmentHandle {
	runs := s.runs()
	if len(runs) < 2 {
		return nil
	}
	if settle || len(runs) >= patience*mergeRunsMax {
		return s.sealed
	}
	slices.SortStableFunc(runs, func(a, b []*segmentHandle) int { return cmp.Compare(runRows(a), runRows(b)) })
	total, n := runRows(runs[0]), 1
	for n < len(runs) && runRows(runs[n]) <= 2*total {
		total += runRows(runs[n])
		n++
	}
	if n < patience*mergeRuns {
		return nil
	}
	return slices.Concat(runs[:n]...)
}

// mergeSegments does the work of a job, up to the change to be installed.
func (t *Tenant) mergeSegments(job mergeJob) (*change, error) {
	c := &change{tenant: t, target: job.target, removed: job.handles, cold: true, seqMin: ^uint64(0)}
	readers := make([]*segment.Reader, len(job.handles))
	for i, h := range job.handles {
		r, err := h.openOnce()
		if err != nil {
			return nil, err
		}
		readers[i] = r
		c.merged = max(c.merged, h.Merged+1)
		c.seqMin, c.seqMax = min(c.seqMin, h.SeqMin), max(c.seqMax, h.SeqMax)
	}
	return c, c.merge(readers)
}

// openOnce opens the segment past the cache, for work that reads all of it once.
func (h *segmentHandle) openOnce() (*segment.Reader, error) {
	directory, err := h.readDirectory()
	if err != nil {
		return nil, err
	}
	r, err := segment.Open(directory, h, nil, uint64(h.Segment))
	if err != nil {
		return nil, &CorruptionError{Key: h.manifestKey(), Err: err}
	}
	return r, nil
}

// mergeTenants merges what the plan of each tenant says, and installs the results of several together.
// Damaged segments are left as they are; the error tells them after the rest is done.
func (db *DB) mergeTenants(ctx context.Context, tenants []*Tenant, settle bool) error {
	var failed []error
	var changes []*change
	bytes := 0
	install := func() error {
		if len(changes) == 0 {
			return nil
		}
		err := db.install(ctx, changes)
		if err == nil {
			for _, c := range changes {
				db.counters.mergedChange(c)
			}
		}
		changes, bytes = nil, 0
		return err
	}
	for _, t := range tenants {
		if err := t.ensureLoaded(); err != nil {
			failed = append(failed, err)
			continue
		}
		for _, job := range t.planMerges(db.now(), settle) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !settle && db.worker.shuns(t, job.target, loopMerge) {
				continue
			}
			c, err := db.containChange(func() (*change, error) { return t.mergeSegments(job) })
			db.worker.shun(err, t, job.target, loopMerge)
			if err != nil {
				if !isContained(err) {
					return errors.Join(append(failed, err)...)
				}
				failed = append(failed, err)
				continue
			}
			changes = append(changes, c)
			for _, e := range c.encoded {
				bytes += e.SizeBytes()
			}
			if bytes >= installBytes || len(changes) >= installChanges {
				if err := install(); err != nil {
					return err
				}
			}
		}
	}
	if err := install(); err != nil {
		return err
	}
	return errors.Join(failed...)
}
