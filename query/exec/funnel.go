package exec

import (
	"cmp"
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// funnelRun is one run of a funnel.
type funnelRun struct {
	x     *Execution
	feed  feed
	stage *syntax.Funnel
	view  syntax.Stage
	rng   event.TimeRange
	spec  *streamSpec
	p     *pattern

	by, sums []int // columns
	session  int   // the column of session.id, -1: sessions are cut by pauses
	steps    [][]int
	bins     *scalar.Bins // of a trend
	workers  []*streamWorker
	// top, if not nil, are the groups that stay apart, in order, by name; the others fold into one.
	top map[string]int
}

// funnel runs a funnel.
func (x *Execution) funnel(ctx context.Context, f feed, s *syntax.Funnel, view syntax.Stage) (*table, error) {
	r := &funnelRun{x: x, feed: f, stage: s, view: view, rng: f.bounds(), session: -1}
	r.compile()
	if s.Top > 0 {
		if err := r.findTop(ctx); err != nil {
			return nil, err
		}
	}
	if t, ok := view.(*syntax.Trend); ok {
		r.bins = x.Calendar.Bins(t.Every, r.rng.From)
	}
	groups, err := r.run(ctx)
	if err != nil {
		return nil, err
	}
	if s.Top > 0 {
		slices.SortStableFunc(groups, func(a, b *funnelGroup) int { return cmp.Compare(r.rank(a), r.rank(b)) })
	}
	return r.table(ctx, groups)
}

// findTop makes a pass to find the groups that stay apart: those with most units at the first step.
func (r *funnelRun) findTop(ctx context.Context) error {
	groups, err := r.run(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(groups, func(a, b *funnelGroup) int { return cmp.Compare(b.counts[0], a.counts[0]) })
	r.top = map[string]int{}
	for i, g := range groups[:min(r.stage.Top, len(groups))] {
		r.top[tupleName(g.keys)] = i
	}
	return nil
}

// folds reports whether a group is folded into others.
func (r *funnelRun) folds(keys []event.Value) bool {
	if r.top == nil {
		return false
	}
	_, apart := r.top[tupleName(keys)]
	return !apart
}

// rank is the place of a group in the answer of a funnel with top groups.
func (r *funnelRun) rank(g *funnelGroup) int {
	if g.folded {
		return len(r.top)
	}
	return r.top[tupleName(g.keys)]
}

func (r *funnelRun) compile() {
	s := r.stage
	spec := &streamSpec{rng: longer(r.rng, s.Within)}
	r.spec = spec
	r.p = newPattern(s.Pattern, s.Within, spec.selector)
	r.p.increasing = s.Increasing
	for i := range r.p.steps {
		r.steps = append(r.steps, r.p.steps[i].selectors)
	}
	for _, e := range s.Except {
		r.p.excepts = append(r.p.excepts, patternExcept{spec.selector(syntax.FirstNone, e.Selector), e.From - 1, e.To - 1, e.Remove})
	}
	for _, e := range s.Hold {
		r.p.hold = append(r.p.hold, spec.column(e))
	}
	for _, n := range s.By {
		r.by = append(r.by, spec.column(n.Expr))
	}
	for _, n := range s.Sums {
		r.sums = append(r.sums, spec.exactColumn(n.Expr.(*syntax.Agg).X))
	}
	spec.whole = r.p.strict
	if s.Count == syntax.CountSessions {
		spec.whole = true
		if id := syntax.SessionColumns[0]; r.feed.has(id) {
			r.session = spec.column(&syntax.Column{Name: id})
		} else {
			spec.rng = earlier(event.TimeRange{From: r.rng.From, To: noLimit}, syntax.SessionGap)
		}
	}
	r.p.finish()
}

// run makes a pass and returns the groups that have anybody, by their keys.
func (r *funnelRun) run(ctx context.Context) ([]*funnelGroup, error) {
	workers, err := r.feed.run(ctx, r.spec, func(w *streamWorker) (streamConsumer, error) { return r.newWorker(w), nil })
	if err != nil {
		return nil, err
	}
	r.workers = workers
	byName := map[string]*funnelGroup{}
	var list []*funnelGroup
	for _, w := range workers {
		f := w.consumer.(*funnelWorker)
		for n, g := range f.groups {
			g.keys = f.keysOf(uint32(n))
			name := tupleName(g.keys)
			if g.folded {
				name = "other"
			}
			if have := byName[name]; have != nil {
				have.merge(g)
				continue
			}
			byName[name] = g
			list = append(list, g)
		}
	}
	if len(r.by) == 0 && len(list) == 0 {
		list = []*funnelGroup{r.newGroup()}
	}
	if err := r.nameKeys(list); err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(g *funnelGroup) bool { return len(r.by) > 0 && !g.any })
	slices.SortFunc(list, func(a, b *funnelGroup) int { return compareRows(a.keys, b.keys) })
	return list, nil
}

// nameKeys turns dense ids among the keys of groups into the names of users.
func (r *funnelRun) nameKeys(list []*funnelGroup) error {
	t := &table{}
	for _, g := range list {
		t.rows = append(t.rows, row{values: g.keys})
	}
	return r.x.nameRows(context.Background(), t, len(r.by))
}

// funnelGroup is what a funnel knows of one group.
type funnelGroup struct {
	keys   []event.Value
	folded bool // stands for all groups but the top ones
	any    bool // somebody is in it

	counts  []int64 // by step: units that took it
	dropped []int64 // by step: units that got no further
	pending []int64
	spans   [][]int64           // by step: nanoseconds from the step taken before; of a times view: at 0 those asked for
	sums    []*momentsAggregate // by step; groups are the sums
	trend   map[int64]*[2]int64 // by bucket: entered, converted
	users   []funnelUser
}

// funnelUser is a user in a view that lists users.
type funnelUser struct {
	user uint32
	step int32 // from 0
	at   int64 // time of the step
}

func (r *funnelRun) newGroup() *funnelGroup {
	n := len(r.p.steps)
	g := &funnelGroup{counts: make([]int64, n), dropped: make([]int64, n), pending: make([]int64, n), spans: make([][]int64, n)}
	if len(r.sums) > 0 {
		for range n {
			m := &momentsAggregate{}
			m.resize(len(r.sums))
			g.sums = append(g.sums, m)
		}
	}
	if r.bins != nil {
		g.trend = map[int64]*[2]int64{}
	}
	return g
}

func (g *funnelGroup) merge(o *funnelGroup) {
	g.any = g.any || o.any
	for k := range g.counts {
		g.counts[k] += o.counts[k]
		g.dropped[k] += o.dropped[k]
		g.pending[k] += o.pending[k]
		g.spans[k] = append(g.spans[k], o.spans[k]...)
	}
	for k, m := range g.sums {
		for i := range uint32(len(m.numbersOf)) {
			m.merge(o.sums[k], i, i)
		}
	}
	for at, n := range o.trend {
		cell := g.cell(at)
		cell[0] += n[0]
		cell[1] += n[1]
	}
	g.users = append(g.users, o.users...)
}

func (g *funnelGroup) cell(at int64) *[2]int64 {
	if g.trend[at] == nil {
		g.trend[at] = &[2]int64{}
	}
	return g.trend[at]
}

// funnelWorker is a funnelRun's consumer.
type funnelWorker struct {
	r      *funnelRun
	w      *streamWorker
	m      *matcher
	plain  *plainMatcher // nil where the pattern needs more
	fast   *fastFunnel   // nil where the funnel needs more
	set    groupSet
	groups []*funnelGroup
	other  int // the group of folded ones, -1 while there is none
	folds  []int8

	try     attempt
	bests   []best // of the unit at hand
	byGroup map[bestKey]int
	free    []*best
	listed  map[uint32]*funnelListed // by group: the user at hand in a view of users
	part    userRows
	used    []bool
	freeAt  map[string]int64
	gids    []uint32
}

// bestKey tells apart what attempts of a unit compete for.
type bestKey struct {
	group  uint32
	bucket int64
}

// best is the attempt that a unit counts with among those seen.
type best struct {
	key      bestKey
	ok       bool // there is one
	a        attempt
	startAt  int64
	furthest int // of all attempts, spoilt ones too
	taken    int
	cover    []attempt // open: by step, the attempt that covers it best
	covers   []bool
}

// funnelListed is a user in a view that lists users: his first attempt that counts, or his best one.
type funnelListed struct {
	group   uint32
	startAt int64
	b       best
	at      int64
	step    int32
}

func (r *funnelRun) newWorker(w *streamWorker) *funnelWorker {
	f := &funnelWorker{r: r, w: w, other: -1, byGroup: map[bestKey]int{}, listed: map[uint32]*funnelListed{}}
	f.m = newMatcher(r.p, &w.stream.classes, len(r.spec.selectors))
	f.m.precise = len(r.sums) > 0 || r.stage.Count == syntax.CountTotals
	if r.p.plain && !r.stage.Open {
		f.plain = newPlainMatcher(f.m)
	}
	f.gids = make([]uint32, len(r.by))
	f.fast = newFastFunnel(f)
	return f
}

// early implements earlyConsumer.
func (f *funnelWorker) early(from, to uint32) bool { return f.fast != nil && f.fast.begin(from, to) }

// advance implements earlyConsumer.
func (f *funnelWorker) advance(c *chunk, pieces []piece, done []bool) {
	f.fast.advance(c, pieces, done)
}

// pieces implements pieceConsumer.
func (f *funnelWorker) pieces(c *chunk, pieces []piece) (bool, error) {
	return f.fast != nil && f.fast.user(c, pieces), nil
}

// keysOf returns the keys of a group.
func (f *funnelWorker) keysOf(group uint32) []event.Value {
	if f.groups[group].folded {
		keys := make([]event.Value, len(f.r.by))
		for i := range keys {
			keys[i] = event.Null
		}
		keys[0] = event.String("other")
		return keys
	}
	if len(f.r.by) == 0 {
		return nil
	}
	return f.valuesOf(f.set.keys[group])
}

func (f *funnelWorker) valuesOf(gids []uint32) []event.Value {
	keys := make([]event.Value, len(f.r.by))
	for i, gid := range gids {
		keys[i] = f.w.values(f.r.by[i])[gid]
	}
	return keys
}

// group returns the group of a combination of values; folded ones are one.
func (f *funnelWorker) group(gids []uint32) uint32 {
	n, fresh := f.set.group(gids)
	if fresh {
		// Groups and combinations have the same numbers; the folded group stands in the place of its first.
		for len(f.groups) <= int(n) {
			f.groups = append(f.groups, f.r.newGroup())
		}
		for len(f.folds) <= int(n) {
			f.folds = append(f.folds, 0)
		}
		if f.r.folds(f.namedValues(gids)) {
			f.folds[n] = 1
			if f.other < 0 {
				f.other = int(n)
				f.groups[n].folded = true
			}
		}
	}
	if f.folds[n] == 1 {
		return uint32(f.other)
	}
	return n
}

// namedValues returns the values of a combination with the names of users.
func (f *funnelWorker) namedValues(gids []uint32) []event.Value {
	keys := f.valuesOf(gids)
	for i, v := range keys {
		if v.Kind() == kindUnnamed {
			if f.r.x.names.fetch(f.r.x, []uint32{uint32(v.Bits())}) == nil {
				keys[i] = f.r.x.names.value(uint32(v.Bits()))
			}
		}
	}
	return keys
}

// user implements streamConsumer.
func (f *funnelWorker) user(r *userRows) error {
	if f.r.stage.Count == syntax.CountSessions {
		f.sessions(r)
	} else {
		f.unit(r)
	}
	f.list(r.user)
	return nil
}

// sessions takes the sessions of a user as units.
func (f *funnelWorker) sessions(r *userRows) {
	for from := 0; from < r.len(); {
		to := from + 1
		for to < r.len() && f.joined(r, to) {
			to++
		}
		if f.r.rng.Contains(r.times[from]) || f.r.session >= 0 {
			f.unit(f.slice(r, from, to))
		}
		from = to
	}
}

// joined reports whether an event lies in the session of the one before.
func (f *funnelWorker) joined(r *userRows, i int) bool {
	if c := f.r.session; c >= 0 {
		return r.keys[c][i] == r.keys[c][i-1]
	}
	return r.times[i]-r.times[i-1] <= syntax.SessionGap
}

// slice is the events [from, to) of a user; it is valid until the next call.
func (f *funnelWorker) slice(r *userRows, from, to int) *userRows {
	part := &f.part
	part.user, part.times, part.class = r.user, r.times[from:to], r.class[from:to]
	part.keys = part.keys[:0]
	for _, k := range r.keys {
		part.keys = append(part.keys, k[from:to])
	}
	return part
}

// unit takes the events of one unit.
func (f *funnelWorker) unit(r *userRows) {
	m := f.m
	m.reset(r)
	m.require, m.used = nil, nil
	if f.plain != nil {
		f.plain.reset(r)
	}
	s := f.r.stage
	if len(f.r.by) == 0 {
		if len(f.groups) == 0 {
			f.groups = append(f.groups, f.r.newGroup())
		}
		f.attempts(0, nil)
		f.settle()
		return
	}
	switch s.At {
	case syntax.AtFirst, syntax.AtLast:
		f.extremes(r, s.At == syntax.AtLast)
		f.attempts(f.group(f.gids), nil)
		f.settle()
		return
	}
	step := max(s.AtStep, 1) - 1
	if s.At == syntax.AtAll {
		step = 0
	}
	if s.Count != syntax.CountTotals && s.At == syntax.AtOne && step == 0 && f.r.p.steps[0].once() && !s.Open {
		f.attempts(0, f.startGroup)
		f.settle()
		return
	}
	f.variants(r, step, s.At == syntax.AtAll)
}

// once reports whether the step takes one event.
func (s *patternStep) once() bool { return !s.group && s.min == 1 && s.max == 1 }

// startGroup is the group of the event that an attempt starts with.
func (f *funnelWorker) startGroup(start int) uint32 {
	for i, c := range f.r.by {
		f.gids[i] = f.m.r.keys[c][start]
	}
	return f.group(f.gids)
}

// variants runs the funnel for every value of the breakdown on the events of a step.
func (f *funnelWorker) variants(r *userRows, step int, all bool) {
	var seen groupSet
	var list [][]uint32
	for i := range r.len() {
		if step == 0 && !f.r.rng.Contains(r.times[i]) || !f.within(r.times[i]) || !f.serves(i, step) {
			continue
		}
		for k, c := range f.r.by {
			f.gids[k] = r.keys[c][i]
		}
		if _, fresh := seen.group(f.gids); fresh {
			list = append(list, slices.Clone(f.gids))
		}
	}
	for _, gids := range list {
		f.m.require = func(k, e int) bool {
			if k != step && !all {
				return true
			}
			for i, c := range f.r.by {
				if r.keys[c][e] != gids[i] {
					return false
				}
			}
			return true
		}
		f.attempts(f.group(gids), nil)
	}
	f.m.require = nil
	f.settle()
}

// within reports whether an event can be in an attempt.
func (f *funnelWorker) within(at int64) bool {
	rng := f.r.rng
	return at >= rng.From && (rng.To == noLimit || at < longer(rng, f.r.stage.Within).To)
}

// serves reports whether an event matches a step.
func (f *funnelWorker) serves(event, step int) bool {
	for _, s := range f.r.steps[step] {
		if f.m.matches(event, s) {
			return true
		}
	}
	return false
}

// extremes puts the first or last values on events that match a step into gids.
func (f *funnelWorker) extremes(r *userRows, last bool) {
	for k, c := range f.r.by {
		f.gids[k] = 0
		found := int64(0)
		for i := range r.len() {
			gid := r.keys[c][i]
			if gid == 0 || !f.within(r.times[i]) || !f.servesAny(i) {
				continue
			}
			if f.gids[k] == 0 {
				f.gids[k], found = gid, r.times[i]
				continue
			}
			values := f.w.values(c)
			order := compareInts(r.times[i], found)
			if order == 0 {
				order = event.Compare(f.nameOf(values[gid]), f.nameOf(values[f.gids[k]]))
			}
			if order > 0 == last && order != 0 {
				f.gids[k], found = gid, r.times[i]
			}
		}
	}
}

func (f *funnelWorker) nameOf(v event.Value) event.Value {
	if v.Kind() == kindUnnamed && f.r.x.names.fetch(f.r.x, []uint32{uint32(v.Bits())}) == nil {
		return f.r.x.names.value(uint32(v.Bits()))
	}
	return v
}

func (f *funnelWorker) servesAny(event int) bool {
	for step := range f.r.steps {
		if f.serves(event, step) {
			return true
		}
	}
	return false
}

// attempts makes the attempts of the unit for a group, or for the group that groupOf says of each start.
func (f *funnelWorker) attempts(group uint32, groupOf func(start int) uint32) {
	if f.r.stage.Count == syntax.CountTotals {
		f.totals(group)
		return
	}
	r := f.m.r
	for start := range r.len() {
		if !f.r.rng.Contains(r.times[start]) {
			continue
		}
		if f.r.stage.Open {
			for step := range f.r.p.steps {
				if f.m.startsAt(start, step) && f.m.find(start, step, &f.try) {
					f.compete(group, r.times[start])
				}
			}
			continue
		}
		if !f.m.startsAt(start, 0) {
			continue
		}
		g := group
		if groupOf != nil {
			g = groupOf(start)
		}
		b := f.best(g, r.times[start])
		if b != nil && f.hopeless(b, start) {
			continue
		}
		if f.findFrom(start) {
			f.compete(g, r.times[start])
		}
	}
}

// findFrom finds the best chain of a start at the first step.
func (f *funnelWorker) findFrom(start int) bool {
	if f.plain != nil && f.m.require == nil && f.plain.can() {
		return f.plain.find(start, &f.try)
	}
	return f.m.find(start, 0, &f.try)
}

// bucket is the trend's bucket of a start.
func (f *funnelWorker) bucket(at int64) int64 {
	if f.r.bins == nil || f.r.stage.Count == syntax.CountSessions {
		return 0 // a session counts in one bucket alone
	}
	return f.r.bins.Start(at)
}

// best returns what attempts of a group have come to so far, nil if there was none.
func (f *funnelWorker) best(group uint32, at int64) *best {
	key := bestKey{group, f.bucket(at)}
	for i := range f.bests {
		if i == 8 {
			break
		}
		if f.bests[i].key == key {
			return &f.bests[i]
		}
	}
	if len(f.bests) > 8 {
		if i, ok := f.byGroup[key]; ok {
			return &f.bests[i]
		}
	}
	return nil
}

// hopeless reports whether an attempt cannot replace the best.
func (f *funnelWorker) hopeless(b *best, start int) bool {
	if !b.ok || f.r.stage.Latest {
		return false
	}
	last := len(f.r.p.steps) - 1
	if b.furthest == last && f.r.p.optionals == 0 {
		return true
	}
	if f.plain != nil && f.plain.can() {
		return false
	}
	f.m.build()
	deadline := min(f.r.p.deadline(f.m.r.times[start]), f.m.end)
	return f.m.bound(start, 0, deadline) <= b.furthest && f.r.p.optionals == 0
}

// compete lets the attempt at hand compete for its group and bucket.
func (f *funnelWorker) compete(group uint32, at int64) {
	b := f.best(group, at)
	if b == nil {
		n := len(f.bests)
		f.bests = slices.Grow(f.bests, 1)[:n+1]
		b = &f.bests[n]
		b.key = bestKey{group, f.bucket(at)}
		b.ok, b.furthest, b.taken = false, -1, 0
		if n >= 8 {
			f.byGroup[b.key] = n
		}
		if f.r.stage.Open {
			b.cover, b.covers = make([]attempt, len(f.r.p.steps)), make([]bool, len(f.r.p.steps))
		}
	}
	a := &f.try
	taken := 0
	for _, e := range a.at {
		if e >= 0 {
			taken++
		}
	}
	spoilt := f.m.spoilt(a)
	if f.r.stage.Open && !spoilt {
		for k := range b.cover {
			if a.at[k] >= 0 && (!b.covers[k] || f.better(a, &b.cover[k])) {
				b.covers[k] = true
				b.cover[k].copyFrom(a)
			}
		}
	}
	if a.furthest > b.furthest || a.furthest == b.furthest && taken > b.taken {
		b.furthest, b.taken, b.ok = a.furthest, taken, false
	}
	if a.furthest != b.furthest || taken != b.taken || spoilt {
		return
	}
	if b.ok && !f.better(a, &b.a) {
		return
	}
	b.ok, b.startAt = true, at
	b.a.copyFrom(a)
}

// better reports whether the later found of two attempts counts rather than the other.
func (f *funnelWorker) better(a, than *attempt) bool {
	times := f.m.r.times
	taken := func(a *attempt) (n int) {
		for _, e := range a.at {
			if e >= 0 {
				n++
			}
		}
		return n
	}
	switch {
	case a.furthest != than.furthest:
		return a.furthest > than.furthest
	case taken(a) != taken(than):
		return taken(a) > taken(than)
	case times[a.start] != times[than.start]:
		return (times[a.start] > times[than.start]) == f.r.stage.Latest
	case a.start != than.start:
		return a.start < than.start
	}
	var at, other []int64
	for k := range a.at {
		if a.at[k] >= 0 {
			at = append(at, times[a.at[k]])
		}
		if than.at[k] >= 0 {
			other = append(other, times[than.at[k]])
		}
	}
	return cmp.Or(
		slices.Compare(at, other), cmp.Compare(len(a.events), len(than.events)),
		slices.Compare(a.events, than.events), slices.Compare(a.steps, than.steps),
	) < 0
}

// settle counts what the attempts of the unit have come to.
func (f *funnelWorker) settle() {
	for i := range f.bests {
		b := &f.bests[i]
		if !b.ok {
			continue
		}
		if f.r.bins != nil {
			f.trend(b.key.group, f.r.bins.Start(b.startAt), &b.a)
			continue
		}
		f.count(b)
	}
	f.bests = f.bests[:0]
	if len(f.byGroup) > 0 {
		clear(f.byGroup)
	}
}

func (f *funnelWorker) trend(group uint32, bucket int64, a *attempt) {
	g := f.groups[group]
	g.any = true
	cell := g.cell(bucket)
	cell[0]++
	if a.furthest >= f.r.p.goal {
		cell[1]++
	}
}

// count counts a unit in its group.
func (f *funnelWorker) count(b *best) {
	g, a := f.groups[b.key.group], &b.a
	times := f.m.r.times
	g.any = true
	switch v := f.r.view.(type) {
	case *syntax.Times:
		from, to := 0, f.r.p.goal
		if v.To > 0 {
			from, to = v.From-1, v.To-1
		}
		if a.at[from] >= 0 && a.at[to] >= 0 {
			g.spans[0] = append(g.spans[0], times[a.at[to]]-times[a.at[from]])
		}
	case *syntax.Converted, *syntax.Dropped, *syntax.Pending, *syntax.Users:
		f.note(b)
	}
	before := int64(-1)
	first := true
	for k, e := range a.at {
		if e < 0 {
			if b.covers != nil && b.covers[k] {
				g.counts[k]++
			}
			continue
		}
		g.counts[k]++
		if at := times[e]; !first {
			if f.r.view == nil {
				g.spans[k] = append(g.spans[k], at-before)
			}
			before = at
		} else {
			before, first = at, false
		}
	}
	if a.furthest < f.r.p.goal {
		g.dropped[a.furthest]++
		if f.open(a) {
			g.pending[a.furthest]++
		}
	}
	for i, c := range f.r.sums {
		for j, e := range a.events {
			g.sums[a.steps[j]].addValue(uint32(i), f.w.values(c)[f.m.r.keys[c][e]])
		}
	}
}

// open reports whether the window of an attempt is open at the snapshot.
func (f *funnelWorker) open(a *attempt) bool { return a.deadline > f.r.x.Now }

// note keeps the user at hand for a view that lists users.
func (f *funnelWorker) note(b *best) {
	a, step := &b.a, b.a.furthest
	switch v := f.r.view.(type) {
	case *syntax.Converted:
		step = f.r.p.goal
		if v.Step > 0 {
			step = v.Step - 1
		}
		if a.at[step] < 0 {
			if b.covers == nil || !b.covers[step] {
				return
			}
			a = &b.cover[step]
		}
	case *syntax.Dropped:
		if v.After > 0 && step != v.After-1 || v.After == 0 && step >= f.r.p.goal {
			return
		}
	case *syntax.Pending:
		if step >= f.r.p.goal || !f.open(a) {
			return
		}
	}
	times := f.m.r.times
	startAt := times[a.start]
	l := f.listed[b.key.group]
	_, users := f.r.view.(*syntax.Users)
	switch {
	case l == nil:
		l = &funnelListed{group: b.key.group}
		f.listed[b.key.group] = l
	case !users && startAt >= l.startAt:
		return
	case users:
		deeper := a.furthest > l.b.furthest || a.furthest == l.b.furthest && b.taken > l.b.taken
		if !deeper && (a.furthest < l.b.furthest || b.taken < l.b.taken || (startAt < l.startAt) == f.r.stage.Latest || startAt == l.startAt) {
			return
		}
	}
	l.startAt, l.at, l.step = startAt, times[a.at[step]], int32(step)
	l.b.furthest, l.b.taken = a.furthest, b.taken
}

// list puts the user at hand into the lists of his groups.
func (f *funnelWorker) list(user uint32) {
	if len(f.listed) == 0 {
		return
	}
	for group, l := range f.listed {
		g := f.groups[group]
		g.users = append(g.users, funnelUser{user, l.step, l.at})
	}
	clear(f.listed)
}

// totals makes the attempts of the unit one after the other.
func (f *funnelWorker) totals(group uint32) {
	m, r := f.m, f.m.r
	m.build()
	m.used = resizedBools(f.used, r.len())
	f.used = m.used
	if f.freeAt == nil {
		f.freeAt = map[string]int64{}
	}
	clear(f.freeAt)
	held := make([]byte, 0, 16)
	free, ended := int64(0), false
	for start := range r.len() {
		at := r.times[start]
		if !f.r.rng.Contains(at) || m.used[start] || len(f.r.p.hold) == 0 && ended && at < free {
			continue
		}
		if len(f.r.p.hold) > 0 {
			held = held[:0]
			for _, k := range f.r.p.hold {
				gid := r.keys[k][start]
				held = append(held, byte(gid), byte(gid>>8), byte(gid>>16), byte(gid>>24))
			}
			if free, ok := f.freeAt[string(held)]; ok && at < free {
				continue
			}
		}
		if !f.startTotal(start) {
			continue
		}
		for _, e := range f.try.events {
			m.used[e] = true
		}
		free, ended = f.end(), true
		if len(f.r.p.hold) > 0 {
			f.freeAt[string(held)] = free
		}
		if m.spoilt(&f.try) {
			continue
		}
		if f.r.bins != nil {
			f.trend(group, f.bucket(at), &f.try)
			continue
		}
		b := best{key: bestKey{group: group}, ok: true, furthest: f.try.furthest}
		b.a = f.try
		for _, e := range f.try.at {
			if e >= 0 {
				b.taken++
			}
		}
		f.count(&b)
	}
	m.used = nil
}

// startTotal finds the best attempt that starts at an event.
func (f *funnelWorker) startTotal(start int) bool {
	if !f.r.stage.Open {
		return f.m.startsAt(start, 0) && f.m.find(start, 0, &f.try)
	}
	found := false
	var kept attempt
	for step := range f.r.p.steps {
		if f.m.startsAt(start, step) && f.m.find(start, step, &f.try) && (!found || f.better(&f.try, &kept)) {
			found = true
			kept.copyFrom(&f.try)
		}
	}
	if found {
		f.try.copyFrom(&kept)
	}
	return found
}

func resizedBools(s []bool, n int) []bool {
	if cap(s) < n {
		return make([]bool, n, 2*n)
	}
	s = s[:n]
	clear(s)
	return s
}

// end returns the first instant at which the next attempt may start.
func (f *funnelWorker) end() int64 {
	a, m := &f.try, f.m
	if a.furthest >= f.r.p.goal {
		return m.r.times[a.events[len(a.events)-1]]
	}
	end := a.deadline
	if end < noLimit {
		end++
	}
	for i := range f.r.p.excepts {
		e := &f.r.p.excepts[i]
		if e.remove || a.furthest >= e.to {
			continue
		}
		if from := a.firstTaken(e.from); from >= 0 {
			if at := m.excludedAfter(e, int(a.start), m.r.times[from]); at <= a.deadline {
				end = min(end, at)
			}
		}
	}
	return end
}
