package exec

import (
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

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
	listed  map[uint32]*funnelListed // by group: the user at hand in a view of users
	part    userRows
	used    []uint32 // by event: the turn of totals in which it was taken
	turn    uint32
	free    []freeFrom // by part
	gids    []uint32
}

func (r *funnelRun) newWorker(w *streamWorker) *funnelWorker {
	f := &funnelWorker{r: r, w: w, other: -1, byGroup: map[bestKey]int{}, listed: map[uint32]*funnelListed{}}
	f.m = newMatcher(r.p, w, len(r.spec.selectors))
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
	if f.fast == nil || !f.fast.user(c, pieces) {
		return false, nil
	}
	f.list(pieces[0].user)
	return true, nil
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
	return f.m.stopped
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
	switch {
	case len(f.r.by) == 0:
		if len(f.groups) == 0 {
			f.groups = append(f.groups, f.r.newGroup())
		}
		f.make(0, nil, nil)
	case s.At == syntax.AtFirst || s.At == syntax.AtLast:
		f.extremes(r, s.At == syntax.AtLast)
		f.make(f.group(f.gids), nil, nil)
	case s.Count == syntax.CountSessions && f.r.top != nil || s.Open:
		f.variants(r)
	case s.At == syntax.AtAll:
		f.make(0, f.startGroup, nil)
	case s.AtStep <= 1 && f.r.p.steps[0].once() && s.Count != syntax.CountTotals:
		f.make(0, f.startGroup, nil)
	default:
		f.variants(r)
	}
	f.settle()
}

// make makes the attempts of the unit for a group, or for the group that groupOf says of each start. starts
// are the events that may begin one where each is counted; nil for all.
func (f *funnelWorker) make(group uint32, groupOf func(start int) uint32, starts []int32) {
	if f.r.stage.Count == syntax.CountTotals {
		f.totals(group, groupOf, starts)
		return
	}
	f.attempts(group, groupOf)
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

// variant is one value of a breakdown and the events of its step that have it.
type variant struct {
	gids   []uint32
	events []int32
}

// variants runs the funnel for every value of the breakdown on the events of its step.
func (f *funnelWorker) variants(r *userRows) {
	all := f.r.stage.At == syntax.AtAll
	step := max(f.r.stage.AtStep, 1) - 1
	once := f.r.p.steps[step].once() && !f.r.stage.Open
	for _, v := range f.variantsOf(r, step) {
		f.m.require = func(k, e int) bool { return k != step && !all || f.has(r, e, v.gids) }
		var starts []int32
		switch {
		case once && step == 0:
			starts = v.events
		case once:
			f.m.only, f.m.onlyStep = v.events, step
		}
		f.make(f.group(v.gids), nil, starts)
		if f.r.stage.Count == syntax.CountSessions {
			f.settle() // a session in several folded groups counts several times
		}
	}
	f.m.require, f.m.only = nil, nil
}

// variantsOf returns the values of the breakdown on the events of a step.
func (f *funnelWorker) variantsOf(r *userRows, step int) []variant {
	var seen groupSet
	var list []variant
	for i := range r.len() {
		if step == 0 && !f.r.rng.Contains(r.times[i]) || !f.within(r.times[i]) || !f.serves(i, step) {
			continue
		}
		for k, c := range f.r.by {
			f.gids[k] = r.keys[c][i]
		}
		n, fresh := seen.group(f.gids)
		if fresh {
			list = append(list, variant{gids: slices.Clone(f.gids)})
		}
		list[n].events = append(list[n].events, int32(i))
	}
	return list
}

// has reports whether an event has a value of the breakdown.
func (f *funnelWorker) has(r *userRows, event int, gids []uint32) bool {
	for i, c := range f.r.by {
		if r.keys[c][event] != gids[i] {
			return false
		}
	}
	return true
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
