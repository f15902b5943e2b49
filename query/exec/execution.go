// Package exec runs a plan over the segments of a snapshot.
//
// Everything is a partial state: workers take segments, or ranges of their blocks, filter them, feed
// the rows that pass to operators of their own, and the operators' states are merged at the end. What
// comes out are rows of values, on which the stages after the first breaking one run as on any table.
//
//	view        one segment in a query
//	condition   a filter, made once; bound to a segment it is a set of rows from indexes and zone maps
//	            and, for what they cannot tell, scans of blocks (bind.go, filter.go)
//	batch       the rows of one block that pass
//	input       an expression read from batches: by dictionary code, as raw numbers, or row by row
//	groupTable  numbers the combinations of group keys
//	aggregate   the state of one aggregate for all groups
package exec

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/index"
	"cairn/query/scalar"
	"cairn/query/syntax"

	"github.com/RoaringBitmap/roaring/v2"
)

// Source is one snapshot of one tenant's events. It is safe for concurrent use.
type Source interface {
	// Segments returns readers that together hold every event of the range exactly once; they may
	// hold others beside.
	Segments(ctx context.Context, r event.TimeRange) ([]*segment.Reader, error)
	// UserID returns the dense id of a user.
	UserID(name string) (id uint32, ok bool, err error)
	// UserNames returns the names of dense ids, in the same order.
	UserNames(ids []uint32) ([]string, error)
	// UserCount returns the largest dense id.
	UserCount() uint32
	// ExpiredUsers returns the users who did an event in days that have expired; nil if none.
	ExpiredUsers(event string) (*roaring.Bitmap, error)
}

// Knobs turn optimisations off. Whatever they are, answers are the same; tests compare them.
type Knobs struct {
	NoIndex    bool // scan codes instead of reading postings and filters
	NoPushdown bool // evaluate the filter as a whole, row by row
	NoDictEval bool // evaluate expressions per row, not per dictionary entry
	NoShortcut bool // do not answer from directories
	BlockTasks bool // every block is a task of its own
	PageRows   int  // how many raw events are looked for at a time; 0: as many as is good
}

// Execution is one pipeline being run on one snapshot.
type Execution struct {
	Source   Source
	Calendar *scalar.Calendar
	Range    event.TimeRange // the pipeline's time range
	Now      int64
	Workers  int
	Knobs    Knobs
	Budget   *Budget
	// Actor is the column that stands for the user; see SetActor.
	Actor columnRef
	// Sets holds the results of named pipelines as sets of users.
	Sets map[string]*UserSet
	// Read counts what was read.
	Read *Reading

	made      *madeNames      // the computed columns, where rows have some
	readRange event.TimeRange // of the pass under way; `over` reads more than Range
	columns   []columnRef     // that the pipeline reads
	names     *nameCache
	known     *learntValues
	// explaining says that nothing is learnt of users; see notLearnt.
	explaining bool
}

// Reading counts what a query read. It is shared by the pipelines of a query.
type Reading struct {
	Segments, Rows, Bytes atomic.Int64
	Inexact               atomic.Bool // a sketch stands in for exact values
	names                 nameCache
	failed                atomic.Pointer[error] // why a user could not be looked up
	profiles              profileCache
}

// fail makes the query end with an error that came up where none can be returned.
func (r *Reading) fail(err error) { r.failed.CompareAndSwap(nil, &err) }

// err returns why the query has to end.
func (r *Reading) err() error {
	if err := r.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// SetActor makes a column stand for the user; nil is the user himself.
func (x *Execution) SetActor(c *syntax.Column) {
	x.Actor = columnRef{source: sourceUser}
	if c == nil {
		return
	}
	if ref, ok := refOf(c); ok {
		x.Actor = ref
	}
}

// actorColumn is the column that stands for the user.
func (x *Execution) actorColumn() *syntax.Column { return columnOf(x.Actor) }

// learntValues is what was learnt of users, by the leaf of an expression. Workers ask while they compile.
type learntValues struct {
	sync.Mutex
	perUser map[string]*userValues
}

func (x *Execution) prepare() {
	if x.known == nil {
		x.known = &learntValues{perUser: map[string]*userValues{}}
	}
	x.readRange = x.Range
	x.names = &x.Read.names
	if x.Workers < 1 {
		x.Workers = 1
	}
}

var errNotConstant = errors.New("exec: not a constant")

// scan is a pass over the rows of a range that fulfil a condition.
type scan struct {
	x         *Execution
	rng       event.TimeRange
	condition *condition
	views     []*scanView
}

type scanView struct {
	*view
	once  sync.Once
	bound *bound
	done  bool // a consumer has taken what it needs from the whole segment
	err   error
}

// newScan finds the segments of a range.
func (x *Execution) newScan(ctx context.Context, rng event.TimeRange, c *condition) (*scan, error) {
	s := &scan{x: x, rng: rng, condition: c}
	if rng.Empty() {
		return s, nil
	}
	readers, err := x.Source.Segments(ctx, rng)
	if err != nil {
		return nil, err
	}
	for _, r := range readers {
		v := newView(r)
		if v.info.Rows == 0 || v.outside(rng) {
			continue
		}
		any, err := v.hide()
		if err != nil {
			return nil, err
		}
		if any {
			s.views = append(s.views, &scanView{view: v})
		}
	}
	x.Read.Segments.Add(int64(len(s.views)))
	return s, nil
}

// begin binds the condition and the range to a segment, once, and lets a consumer take it whole.
func (s *scan) begin(v *scanView, c consumer) (b *bound, done bool, err error) {
	v.once.Do(func() {
		if v.bound, v.err = s.x.bindRange(s.condition, v.view, s.rng); v.err != nil {
			return
		}
		if v.done = v.bound.nothing(); !v.done && !s.x.Knobs.NoShortcut {
			v.done, v.err = c.whole(v.view, v.bound)
		}
		if !v.done && v.err == nil {
			v.bound = v.visible(v.bound.resolve())
			v.done = v.bound.nothing()
		}
	})
	return v.bound, v.done, v.err
}

// bindRange binds a condition and a time range to a segment, the hidden rows of which are to be left out
// by visible.
func (x *Execution) bindRange(c *condition, v *view, rng event.TimeRange) (*bound, error) {
	b, err := x.bind(c, v)
	if err != nil || v.inside(rng) || b.nothing() {
		return b, err
	}
	span := interval{lo: event.Int(rng.From), hi: event.Int(rng.To), hiOpen: rng.To != math.MaxInt64}
	inRange := &bound{op: boundNumbers, column: v.reader.Time(), span: span}
	if b.full() {
		return inRange, nil
	}
	return &bound{op: boundAnd, set: index.All, kids: []*bound{b.resolve(), inRange}}, nil
}

// consumer takes the rows of a scan; every worker has one of its own.
type consumer interface {
	// whole may take all that it needs from a segment at once; done says that it has. Hidden rows are
	// still among those of b.
	whole(v *view, b *bound) (done bool, err error)
	// open turns to a segment, before its batches.
	open(v *view) error
	// take takes a batch. The slices of the batch are valid during the call.
	take(b *batch) error
}

// skipper is a consumer that can do without a segment because of what it has already.
type skipper interface{ skip(v *view) bool }

// smallRows is how many rows a scan must have for more than one worker to be worth it.
const smallRows = 50_000

// tasksPerWorker is how many pieces a scan is cut into at least, if it has enough blocks, so that
// workers end at about the same time.
const tasksPerWorker = 4

type task struct {
	view     *scanView
	from, to int  // blocks
	whole    bool // all blocks
}

func (s *scan) tasks(workers int) []task {
	blocks := 0
	for _, v := range s.views {
		blocks += v.reader.Blocks()
	}
	step := max(1, blocks/(workers*tasksPerWorker))
	if workers == 1 {
		step = blocks
	}
	if s.x.Knobs.BlockTasks {
		step = 1
	}
	var list []task
	for _, v := range s.views {
		n := v.reader.Blocks()
		for from := 0; from < n; from += step {
			to := min(from+step, n)
			list = append(list, task{v, from, to, from == 0 && to == n})
		}
	}
	return list
}

// run feeds the rows of the scan to consumers made by make, one a worker, and returns them.
func (s *scan) run(ctx context.Context, newConsumer func() (consumer, error)) ([]consumer, error) {
	x := s.x
	rows := 0
	for _, v := range s.views {
		rows += v.info.Rows
	}
	first, err := newConsumer()
	if err != nil {
		return nil, err
	}
	workers := min(x.Workers, max(1, rows/smallRows+1))
	if x.Knobs.BlockTasks {
		workers = x.Workers
	}
	tasks := s.tasks(workers)
	workers = min(workers, len(tasks))
	consumers := []consumer{first}
	if workers <= 1 {
		return consumers, s.work(ctx, first, func() (task, bool) {
			if len(tasks) == 0 {
				return task{}, false
			}
			t := tasks[0]
			tasks = tasks[1:]
			return t, true
		})
	}
	for range workers - 1 {
		c, err := newConsumer()
		if err != nil {
			return nil, err
		}
		consumers = append(consumers, c)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	take := func() (task, bool) {
		i := int(next.Add(1)) - 1
		if i >= len(tasks) {
			return task{}, false
		}
		return tasks[i], true
	}
	parallel(len(consumers), func(worker int) {
		if err := s.work(ctx, consumers[worker], take); err != nil {
			cancel(err)
		}
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return consumers, nil
}

// work feeds tasks to a consumer until there are none left.
func (s *scan) work(ctx context.Context, c consumer, next func() (task, bool)) error {
	scratch := scratchPool.Get().(*scratch)
	defer scratchPool.Put(scratch)
	var opened *view
	for {
		t, ok := next()
		if !ok {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if k, ok := c.(skipper); ok && k.skip(t.view.view) {
			continue
		}
		b, done, err := s.begin(t.view, c)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		if opened != t.view.view {
			if err := c.open(t.view.view); err != nil {
				return err
			}
			opened = t.view.view
		}
		s.x.countBytes(t)
		filter := newBlockFilter(s.x, t.view.view, b, scratch)
		for block := t.from; block < t.to; block++ {
			if err := s.block(ctx, c, filter, block); err != nil {
				return err
			}
		}
		filter.close()
	}
}

// countBytes adds the encoded size of the blocks of a task, in the columns that the pipeline reads.
func (x *Execution) countBytes(t task) {
	if t.view.reader.Hot() {
		return
	}
	size := 0
	for _, ref := range x.columns {
		if c := stored(t.view.reader, ref); c != nil {
			size += c.Info().Bytes.Data
		}
	}
	x.Read.Bytes.Add(int64(size * (t.to - t.from) / t.view.reader.Blocks()))
}

func (s *scan) block(ctx context.Context, c consumer, f *blockFilter, block int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := s.x.Budget.Err(); err != nil {
		return err
	}
	sel, all, err := f.block(block)
	if err != nil {
		return err
	}
	b := batch{view: f.view, block: block, n: len(sel), sel: sel}
	if all {
		b.n, b.sel = f.rows(block), nil
	}
	if b.n == 0 {
		return nil
	}
	s.x.Read.Rows.Add(int64(b.n))
	return c.take(&b)
}
