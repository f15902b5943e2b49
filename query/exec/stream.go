package exec

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/syntax"
)

// stream hands the events that pass a filter to consumers, user by user and in the order of time: what
// behavioural stages read. Segments are sorted by (user, time), so a user's events are a stretch of rows
// in each; only where segments overlap in time are stretches merged. Workers take ranges of users.
//
// Of an event a consumer sees its time, its class (which of the selectors it matches) and numbers for the
// values of some expressions; all else is read afterwards for the events that turn out to matter, by
// their refs.
type stream struct {
	x         *Execution
	rng       event.TimeRange // of the events read
	filter    *condition
	selectors []*condition
	whole     bool          // events of class 0, which match no selector, are part of the stream
	columns   []syntax.Expr // whose values events carry
	exact     []bool        // by column: whether 1 and 1.0 are two values
	refs      bool          // events carry refs, and the order among simultaneous ones always matters
	loose     bool          // simultaneous events may come in any order
	apart     bool          // of values, absent and null are two; 0 is absent
	// suits, if not nil, leaves out segments of which no event is wanted.
	suits func(v *view) bool
	// only, if not nil, are the users wanted; others may come too.
	only *idSet

	classes classTable
	views   []*streamSource
	table   *table // whose rows are the events, instead of views
}

// streamSource is a segment of a stream, shared by the workers.
type streamSource struct {
	*view
	users, starts []uint32
	touched       []atomic.Bool
	behind        bool // every event lies behind those of the segments before

	once   sync.Once // for what follows
	byName bool      // nothing but the event's name tells what selectors an event matches
	byCode []uint32  // the class by the code of the name
	rows   *bound    // the rows that have a class, where postings tell; else nil
	err    error
}

// streamConsumer takes the users of a stream; every worker has one of its own.
type streamConsumer interface {
	// user takes the events of one user, at least one.
	user(r *userRows) error
}

// pieceConsumer is a streamConsumer that may count a user straight from the gathered rows, before they are
// joined and put into order; done says that it has.
type pieceConsumer interface {
	pieces(c *chunk, pieces []piece) (done bool, err error)
}

// chunkConsumer is a streamConsumer that wants to know when all users of a chunk have been handed out.
type chunkConsumer interface {
	endChunk(c *chunk) error
}

// earlyConsumer is a pieceConsumer that looks at the rows of every segment as soon as they are gathered, and
// need not see all later ones.
type earlyConsumer interface {
	// early reports whether it is one, and begins with the users [from, to).
	early(from, to uint32) bool
	// advance takes the pieces of the next segment, and marks in done, by user from from on, those of whom
	// no event behind all of these is needed.
	advance(c *chunk, pieces []piece, done []bool)
}

// userRows are the events of one user in the order of time; simultaneous ones in that of events where it
// shows. Slices are valid during the call and may be changed.
type userRows struct {
	user  uint32 // dense id, or the number of what stands for the user
	times []int64
	class []uint32
	keys  [][]uint32 // by column: the number of the value, see streamWorker.values
	refs  []eventRef // if the stream has them
}

func (r *userRows) len() int { return len(r.times) }

// eventRef names a stored event: the number of its segment in the stream and its row.
type eventRef uint64

func newRef(view, row int) eventRef { return eventRef(view)<<32 | eventRef(row) }

func (r eventRef) view() int { return int(r >> 32) }
func (r eventRef) row() int  { return int(uint32(r)) }

// classTable numbers the sets of selectors that events match: class 0 is the empty set. It is safe for
// concurrent use; sets given out are immutable.
type classTable struct {
	mu    sync.RWMutex
	index map[string]uint32
	sets  [][]uint64
	count atomic.Uint32 // of sets
	// small is the class + 1 of sets of the first six selectors, 0 where it is not known yet.
	small [64]atomic.Uint32
}

// class returns the number of a set of selectors, a bit each.
func (t *classTable) class(set []uint64) uint32 {
	if len(set) != 1 || set[0] >= uint64(len(t.small)) {
		return t.find(set)
	}
	small := &t.small[set[0]]
	n := small.Load()
	if n == 0 {
		n = t.find(set) + 1
		small.Store(n)
	}
	return n - 1
}

func (t *classTable) find(set []uint64) uint32 {
	key := wordsKey(set)
	t.mu.RLock()
	n, ok := t.index[key]
	t.mu.RUnlock()
	if ok {
		return n
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.index == nil {
		empty := make([]uint64, len(set))
		t.index = map[string]uint32{wordsKey(empty): 0}
		t.sets = [][]uint64{empty}
	}
	if n, ok := t.index[key]; ok {
		return n
	}
	n = uint32(len(t.sets))
	t.index[key] = n
	t.sets = append(t.sets, slices.Clone(set))
	t.count.Store(uint32(len(t.sets)))
	return n
}

func wordsKey(set []uint64) string {
	b := make([]byte, 0, 8*len(set))
	for _, w := range set {
		for range 8 {
			b = append(b, byte(w))
			w >>= 8
		}
	}
	return string(b)
}

// set returns the selectors of a class.
func (t *classTable) set(class uint32) []uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if int(class) >= len(t.sets) {
		return nil // only class 0 before any other
	}
	return t.sets[class]
}

// words is the length of the sets.
func (s *stream) words() int { return (len(s.selectors) + 63) / 64 }

// open finds the segments of the stream and puts them into the order of time.
func (s *stream) open(ctx context.Context) error {
	scan, err := s.x.newScan(ctx, s.rng, s.filter)
	if err != nil {
		return err
	}
	if s.suits != nil {
		before := len(scan.views)
		scan.views = slices.DeleteFunc(scan.views, func(v *scanView) bool { return !s.suits(v.view) })
		s.x.Read.Segments.Add(int64(len(scan.views) - before))
	}
	slices.SortStableFunc(scan.views, func(a, b *scanView) int { return compareInts(a.info.TimeMin, b.info.TimeMin) })
	end := int64(0)
	for i, v := range scan.views {
		src := &streamSource{view: v.view, touched: make([]atomic.Bool, v.reader.Blocks()), behind: i == 0 || v.info.TimeMin > end}
		if src.users, src.starts, err = v.reader.UserRuns(); err != nil {
			return err
		}
		if end = max(end, v.info.TimeMax); i == 0 {
			end = v.info.TimeMax
		}
		s.views = append(s.views, src)
	}
	s.classes.class(make([]uint64, s.words()))
	return nil
}

// streamTasks is how many ranges of users a worker gets, so that workers end at about the same time.
const streamTasks = 8

// run feeds consumers made by newConsumer, one a worker, and returns the workers with them. The consumer
// of a worker sees numbers of values that are the worker's own.
func (s *stream) run(ctx context.Context, newConsumer func(w *streamWorker) (streamConsumer, error)) ([]*streamWorker, error) {
	if s.views == nil {
		if err := s.open(ctx); err != nil {
			return nil, err
		}
	}
	rows, last := 0, uint32(0)
	for _, v := range s.views {
		rows += v.info.Rows
		last = max(last, v.info.UserMax)
	}
	workers := min(s.x.Workers, rows/smallRows+1)
	if s.x.Knobs.BlockTasks {
		workers = s.x.Workers
	}
	ranges := s.ranges(workers, last)
	var list []*streamWorker
	for range max(1, min(workers, len(ranges))) {
		w, err := s.newWorker(ctx)
		if err != nil {
			return nil, err
		}
		if w.consumer, err = newConsumer(w); err != nil {
			return nil, err
		}
		w.quick, _ = w.consumer.(pieceConsumer)
		w.ahead, _ = w.consumer.(earlyConsumer)
		w.chunked, _ = w.consumer.(chunkConsumer)
		list = append(list, w)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	taken := make([]atomic.Bool, len(ranges))
	// A worker goes on from where it began, as neighbouring ranges share blocks, and then takes what others
	// have left.
	parallel(len(list), func(worker int) {
		w, first := list[worker], worker*len(ranges)/len(list)
		for i := range ranges {
			n := (first + i) % len(ranges)
			if taken[n].Swap(true) {
				continue
			}
			if ctx.Err() != nil {
				return
			}
			if err := w.users(ctx, ranges[n].from, ranges[n].to); err != nil {
				cancel(err)
				return
			}
		}
	})
	for _, w := range list {
		w.close()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return list, s.x.Budget.Err()
}

// userRange is the users [from, to).
type userRange struct{ from, to uint32 }

// ranges cuts the users 1 to last into ranges of about as many rows.
func (s *stream) ranges(workers int, last uint32) []userRange {
	if last == segment.NoUser {
		return nil
	}
	n := workers * streamTasks
	if workers == 1 {
		n = 1
	}
	if s.x.Knobs.BlockTasks {
		n = int(last)
	}
	n = max(1, min(n, int(last)))
	// The rows up to evenly spaced users tell where to cut.
	const samples = 512
	cuts := []uint32{1}
	if s.x.Knobs.BlockTasks {
		for u := uint32(2); u <= last; u++ {
			cuts = append(cuts, u)
		}
	} else {
		total := s.rowsBefore(last + 1)
		step := max(1, last/samples)
		want := total / n
		for u := 1 + step; u <= last; u += step {
			if s.rowsBefore(u) >= want*len(cuts) && len(cuts) < n {
				cuts = append(cuts, u)
			}
		}
	}
	out := make([]userRange, len(cuts))
	for i, from := range cuts {
		to := last + 1
		if i+1 < len(cuts) {
			to = cuts[i+1]
		}
		out[i] = userRange{from, to}
	}
	return out
}

// rowsBefore counts the rows of users below one.
func (s *stream) rowsBefore(user uint32) int {
	n := 0
	for _, v := range s.views {
		i, _ := slices.BinarySearch(v.users, user)
		n += int(v.starts[i])
	}
	return n
}

// isExact reports whether 1 and 1.0 are two values in a column.
func (s *stream) isExact(column int) bool { return column < len(s.exact) && s.exact[column] }
