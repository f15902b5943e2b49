package exec

import (
	"context"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// feed is where a behavioural stage gets its streams from: stored events, or the rows of a table.
type feed interface {
	// run hands the users of a stream to consumers made by newConsumer, one a worker.
	run(ctx context.Context, spec *streamSpec, newConsumer func(w *streamWorker) (streamConsumer, error)) ([]*streamWorker, error)
	// users returns who the users of a stream are, by their numbers.
	users(w []*streamWorker, ids []uint32) ([]event.Value, error)
	// lookup returns the value of an expression, as written, in the events of refs; absent for noRef.
	lookup(ctx context.Context, w []*streamWorker, refs []eventRef, e syntax.Expr) ([]event.Value, error)
	// bounds is the range of the query; events outside of it may be in the stream.
	bounds() event.TimeRange
	// extent returns times of the range between which all its events lie, as far as it has no bounds; none
	// if it has no events.
	extent(ctx context.Context) ([]int64, error)
	// has reports whether a stage before made a column of that name.
	has(column string) bool
}

// streamSpec says what a stage wants of a stream.
type streamSpec struct {
	rng       event.TimeRange // which events
	selectors []stepSelector
	columns   []syntax.Expr // as written
	exact     []bool        // by column: whether 1 and 1.0 are two values
	whole     bool          // events that match no selector too
	refs      bool
	by        []syntax.Expr // what stands for the user; nil: the user
	// only, if not nil, are the users wanted, where they are known by dense id; others may come too.
	only *idSet
}

// stepSelector is a selector of a step: with first, of the user's first events alone.
type stepSelector struct {
	first    syntax.First
	selector *syntax.Selector
}

// selector returns the number of a selector, adding it when it is new.
func (s *streamSpec) selector(first syntax.First, sel *syntax.Selector) int {
	for i, have := range s.selectors {
		if have.first == first && syntax.Equal(have.selector, sel) {
			return i
		}
	}
	s.selectors = append(s.selectors, stepSelector{first, sel})
	return len(s.selectors) - 1
}

// column returns the number of a column, adding it when it is new.
func (s *streamSpec) column(e syntax.Expr) int { return s.addColumn(e, false) }

// exactColumn is column for values to calculate with, which are as they are stored: of grouped ones, 1 and
// 1.0 are one.
func (s *streamSpec) exactColumn(e syntax.Expr) int { return s.addColumn(e, true) }

func (s *streamSpec) addColumn(e syntax.Expr, exact bool) int {
	for i, have := range s.columns {
		if s.exact[i] == exact && syntax.Equal(have, e) {
			return i
		}
	}
	s.columns, s.exact = append(s.columns, e), append(s.exact, exact)
	return len(s.columns) - 1
}

// always is a condition that every event fulfils.
var always = &condition{op: conditionAnd}
