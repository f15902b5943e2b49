package exec

import (
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// matchRun is one run of a match.
type matchRun struct {
	x     *Execution
	feed  feed
	stage *syntax.Match
	rng   event.TimeRange
	spec  *streamSpec
	p     *pattern
	named []int // the steps that have names
}

// found matches, one after the other; the events of named steps stand side by side.
type foundMatches struct {
	list  []foundMatch
	refs  []eventRef // for each match and named step: its first event and its last
	count []int32    // for each match and named step: how many it has
}

type foundMatch struct {
	unit       uint32
	events     int32
	start, end int64
}

// noRef stands for the events of a step that was passed over.
const noRef = ^eventRef(0)

// matches runs a match. needed are the columns that later stages name.
func (x *Execution) matches(ctx context.Context, f feed, s *syntax.Match, view syntax.Stage, needed []string) (*table, error) {
	r := &matchRun{x: x, feed: f, stage: s, rng: f.bounds(), spec: &streamSpec{rng: f.bounds()}}
	within := int64(noLimit)
	if s.Within > 0 {
		within = s.Within
		r.spec.rng = longer(r.rng, within)
	}
	r.p = newPattern(s.Pattern, within, r.spec.selector)
	r.p.greedy = true
	r.p.finish()
	r.spec.whole = r.p.strict
	for _, n := range s.By {
		r.spec.by = append(r.spec.by, n.Expr)
	}
	for i, step := range s.Pattern.Steps {
		if step.Name != "" {
			r.named = append(r.named, i)
		}
	}
	r.spec.refs = len(r.named) > 0
	workers, err := f.run(ctx, r.spec, func(w *streamWorker) (streamConsumer, error) {
		return &matchWorker{r: r, w: w, m: newMatcher(r.p, w, len(r.spec.selectors)), account: account{budget: x.Budget, purpose: "matches"}}, nil
	})
	if err != nil {
		return nil, err
	}
	all := &foundMatches{}
	for _, w := range workers {
		found := &w.consumer.(*matchWorker).found
		all.list = append(all.list, found.list...)
		all.refs = append(all.refs, found.refs...)
		all.count = append(all.count, found.count...)
	}
	t, err := r.table(ctx, workers, all, needed)
	if err != nil {
		return nil, err
	}
	if _, users := view.(*syntax.Users); users {
		return x.users(t), nil
	}
	return t, nil
}

// matchWorker is a matchRun's consumer.
type matchWorker struct {
	r       *matchRun
	w       *streamWorker
	m       *matcher
	a       attempt
	used    []uint32 // by event: the turn of the user in whose matches it is
	turn    uint32
	found   foundMatches
	account account
}

// user implements streamConsumer.
func (w *matchWorker) user(r *userRows) error {
	m, rng := w.m, w.r.rng
	m.reset(r)
	m.used = nil
	if w.r.stage.Within == 0 && rng.To != noLimit {
		m.end = rng.To - 1
	}
	m.build()
	if !w.r.stage.Next {
		if len(w.used) < r.len() {
			w.used, w.turn = make([]uint32, 2*r.len()), 0
		}
		w.turn++
		m.used, m.turn = w.used, w.turn
	}
	var end int64
	any := false
	for start := range r.len() {
		at := r.times[start]
		if m.stopped != nil || m.taken(start) || !rng.Contains(at) || any && !w.r.stage.Next && at < end || !m.match(start, &w.a) {
			continue
		}
		any = true
		end = w.keep(r)
		if m.used != nil {
			for _, e := range w.a.events {
				m.used[e] = m.turn
			}
		}
	}
	return m.stopped
}

// keep notes the match at hand and returns the time of its last event.
func (w *matchWorker) keep(r *userRows) int64 {
	a := &w.a
	end := r.times[a.events[len(a.events)-1]]
	w.found.list = append(w.found.list, foundMatch{r.user, int32(len(a.events)), r.times[a.start], end})
	for _, step := range w.r.named {
		first, last, n := noRef, noRef, int32(0)
		for i, s := range a.steps {
			if int(s) != step {
				continue
			}
			last = r.refs[a.events[i]]
			if n++; n == 1 {
				first = last
			}
		}
		w.found.refs = append(w.found.refs, first, last)
		w.found.count = append(w.found.count, n)
	}
	w.account.add(32 + 20*len(w.r.named))
	return end
}

// stepColumn is a column of a step of the matches.
type stepColumn struct {
	name  string
	named int // which of the named steps
	last  bool
	expr  syntax.Expr // nil: the count
}

// columns returns the columns of named steps that are shown, and behind them those that later stages need.
func (r *matchRun) columns(needed []string) (shown, hidden []stepColumn) {
	for i, k := range r.named {
		step := r.stage.Pattern.Steps[k]
		shown = append(shown,
			stepColumn{step.Name + ".time", i, false, &syntax.Column{Name: syntax.ColumnTime}},
			stepColumn{step.Name + ".event", i, false, &syntax.Column{Name: syntax.ColumnEvent}},
		)
		if !step.Once() {
			shown = append(shown, stepColumn{name: step.Name + ".count", named: i})
		}
	}
	for _, name := range needed {
		step, last, column, ok := r.stage.StepColumn(name)
		same := func(c stepColumn) bool { return c.name == name }
		if !ok || slices.ContainsFunc(shown, same) || slices.ContainsFunc(hidden, same) {
			continue
		}
		c := stepColumn{name: name, named: slices.Index(r.named, step), last: last}
		if column != "count" || last {
			c.expr = &syntax.Column{Name: column}
		}
		hidden = append(hidden, c)
	}
	return shown, hidden
}

func (r *matchRun) table(ctx context.Context, workers []*streamWorker, found *foundMatches, needed []string) (*table, error) {
	t := &table{rng: r.rng, names: names(r.stage.By), extra: map[string]bool{}}
	if len(t.names) == 0 {
		t.names = []string{syntax.ColumnUser}
	}
	keys := len(t.names)
	t.names = append(t.names, syntax.MatchColumns[:]...)
	shown, hidden := r.columns(needed)
	for _, c := range shown {
		t.names = append(t.names, c.name)
	}
	for _, c := range hidden {
		t.extra[c.name] = true
	}
	units := make([]uint32, len(found.list))
	for i, m := range found.list {
		units[i] = m.unit
	}
	who, err := r.feed.users(workers, units)
	if err != nil {
		return nil, err
	}
	r.x.Budget.Add("rows", len(who)*(60+40*(len(t.names)+len(hidden))))
	if err := r.x.Budget.Err(); err != nil {
		return nil, err
	}
	for i, m := range found.list {
		values := make([]event.Value, 0, len(t.names))
		values = append(values, tupleValues(who[i])...)
		values = append(values, event.Time(m.start), event.Time(m.end), event.Int(int64(m.events)))
		one := row{values: values}
		if len(hidden) > 0 {
			one.event = &storedEvent{}
		}
		t.rows = append(t.rows, one)
	}
	for i, c := range slices.Concat(shown, hidden) {
		values, err := r.stepValues(ctx, workers, found, c)
		if err != nil {
			return nil, err
		}
		for j, v := range values {
			if i < len(shown) {
				t.rows[j].values = append(t.rows[j].values, v)
			} else {
				t.rows[j].event.extra = append(t.rows[j].event.extra, event.Field{Name: c.name, Value: v})
			}
		}
	}
	if err := r.x.nameRows(ctx, t, keys); err != nil {
		return nil, err
	}
	return t, sortRows(ctx, t.rows, func(a, b *row) int { return compareRows(a.values, b.values) })
}

// stepValues returns the value of a column of a step in every match.
func (r *matchRun) stepValues(ctx context.Context, workers []*streamWorker, found *foundMatches, c stepColumn) ([]event.Value, error) {
	n := len(r.named)
	out := make([]event.Value, len(found.list))
	if c.expr == nil {
		for i := range out {
			out[i] = event.Int(int64(found.count[i*n+c.named]))
		}
		return out, nil
	}
	refs := make([]eventRef, len(out))
	for i := range out {
		refs[i] = found.refs[2*(i*n+c.named)]
		if c.last {
			refs[i] = found.refs[2*(i*n+c.named)+1]
		}
	}
	return r.feed.lookup(ctx, workers, refs, c.expr)
}
