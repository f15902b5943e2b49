package exec

import (
	"math"
	"slices"
	"sort"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// retentionWorker is a retentionRun's consumer.
type retentionWorker struct {
	r       *retentionRun
	w       *streamWorker
	classes classSets
	set     groupSet
	groups  []*retentionGroup
	account account
	gids    []uint32

	// Of the user at hand:
	starts []int32  // events that are a START of the range
	backs  []int64  // times of his RETURNs
	values []uint32 // and the numbers of their values, if there are any
	active []int32  // periods with a RETURN, ascending, if those are all that is asked for
	sweep  []sweepMark
	// running sums values up for one cell after the other.
	running *momentsAggregate
}

// sweepMark is a cell that takes the values of all RETURNs from one on.
type sweepMark struct {
	group      *retentionGroup
	from, cell int
}

// classSets knows which selectors the events of a class match, a bit each, without asking for it every
// time; there are up to 64 selectors.
type classSets struct {
	table *classTable
	sets  []uint64
}

func (c *classSets) of(class uint32) uint64 {
	for int(class) >= len(c.sets) {
		set := uint64(0)
		if words := c.table.set(uint32(len(c.sets))); len(words) > 0 {
			set = words[0]
		}
		c.sets = append(c.sets, set)
	}
	return c.sets[class]
}

func (r *retentionRun) newWorker(w *streamWorker) *retentionWorker {
	m := &retentionWorker{
		r: r, w: w, classes: classSets{table: &w.stream.classes}, gids: make([]uint32, len(r.by)),
		account: account{budget: r.x.Budget, purpose: "cohorts"},
	}
	if r.value >= 0 {
		m.running = r.x.newMoments(nil, false)
		m.running.resize(1)
	}
	return m
}

// user implements streamConsumer.
func (m *retentionWorker) user(u *userRows) error {
	m.split(u)
	p := m.r.periods
	if m.r.plain && len(m.starts) > 0 {
		m.findActive()
	}
	cohort, at := 0, 0 // at: the first RETURN not before START
	for i := 0; i < len(m.starts); {
		start := u.times[m.starts[i]]
		cohort = min(p.findFrom(cohort, start), p.n-1)
		next := i + 1
		for next < len(m.starts) && p.holds(cohort, u.times[m.starts[next]]) {
			next++
		}
		g, err := m.groupOf(u, m.starts[i:next])
		if err != nil {
			return err
		}
		if m.r.plain {
			at = m.plainMember(u.user, g, cohort, at)
		} else {
			at = m.firstFrom(at, start)
			m.member(u.user, g, cohort, start, at)
		}
		i = next
	}
	m.sumUp()
	return nil
}

// split finds the STARTs and RETURNs of a user.
func (m *retentionWorker) split(u *userRows) {
	r := m.r
	m.starts, m.backs, m.values = m.starts[:0], m.backs[:0], m.values[:0]
	isStart, isBack := uint64(1)<<r.start, uint64(1)<<r.back
	first, known := int64(0), false
	for i, class := range u.class {
		set := m.classes.of(class)
		if set&isStart != 0 && inRange(r.rng, u.times[i]) {
			if r.first != nil && !known {
				known = true
				first = noTime
				if v := m.w.known(r.first, u.user); v.Exists() {
					first = v.AsInt()
				}
			}
			if r.first == nil || u.times[i] == first {
				m.starts = append(m.starts, int32(i))
			}
		}
		if set&isBack != 0 {
			m.backs = append(m.backs, u.times[i])
			if r.value >= 0 {
				m.values = append(m.values, u.keys[r.value][i])
			}
		}
	}
}

// groupOf returns the group of a user in the cohort of a period, of whose STARTs the first count: of
// simultaneous ones the least value of each key.
func (m *retentionWorker) groupOf(u *userRows, starts []int32) (*retentionGroup, error) {
	for k, c := range m.r.by {
		m.gids[k] = u.keys[c][starts[0]]
		for _, i := range starts[1:] {
			if u.times[i] != u.times[starts[0]] {
				break
			}
			m.gids[k] = m.less(c, u.keys[c][i], m.gids[k])
		}
	}
	n, fresh := uint32(0), len(m.groups) == 0
	if len(m.r.by) > 0 || fresh {
		n, fresh = m.set.group(m.gids)
	}
	if fresh {
		m.groups = append(m.groups, m.r.newGroup())
		m.account.add(m.groups[n].sizeBytes())
		return m.groups[n], m.r.x.Budget.Err()
	}
	return m.groups[n], nil
}

// less returns the number of the lesser of two values of a column; null is the greatest.
func (m *retentionWorker) less(column int, a, b uint32) uint32 {
	if a == b {
		return a
	}
	values := m.w.values(column)
	if compareValues(m.r.x.named(values[a]), m.r.x.named(values[b]), false) < 0 {
		return a
	}
	return b
}

// named returns the name of a user for his dense id, other values as they are.
func (x *Execution) named(v event.Value) event.Value {
	if v.Kind() != kindUnnamed {
		return v
	}
	id := uint32(v.Bits())
	if x.names.fetch(x, []uint32{id}) != nil {
		return v
	}
	return x.names.value(id)
}

// nearSteps is how many RETURNs are looked at one by one before the search goes in steps that double.
const nearSteps = 8

// firstFrom returns the first RETURN not before an instant, looking from one on that is not behind it.
func (m *retentionWorker) firstFrom(from int, at int64) int {
	backs := m.backs
	for near := min(from+nearSteps, len(backs)); from < near; from++ {
		if backs[from] >= at {
			return from
		}
	}
	step := nearSteps
	for from+step <= len(backs) && backs[from+step-1] < at {
		from += step
		step *= 2
	}
	end := min(from+step-1, len(backs))
	return from + sort.Search(max(0, end-from), func(i int) bool { return backs[from+i] >= at })
}

// findActive finds the periods with a RETURN.
func (m *retentionWorker) findActive() {
	p, period := m.r.periods, -1
	m.active = m.active[:0]
	for _, at := range m.backs {
		switch {
		case period >= 0 && (period == p.last() || at < p.edges[period+1]):
			continue
		case period >= 0:
			period = p.findFrom(period, at)
		default:
			if period = p.find(at); period < 0 {
				continue
			}
		}
		m.active = append(m.active, int32(period))
	}
}

// plainMember takes a user into a cohort whose columns ask for nothing but a RETURN in their periods. from is
// a place in active that is not behind the cohort; it returns such a one for later cohorts.
func (m *retentionWorker) plainMember(user uint32, g *retentionGroup, cohort, from int) int {
	r := m.r
	g.sizes[cohort]++
	if r.over[cohort] > 0 && r.columns[0].k == 0 {
		m.count(user, g, cohort, 0)
	}
	for from < len(m.active) && int(m.active[from]) <= cohort {
		from++
	}
	active := m.active[from:]
	switch {
	case len(active) == 0:
	case r.stage.When == syntax.On:
		m.plainOn(user, g, cohort, active)
	case r.stage.When == syntax.OnOrAfter:
		m.plainRange(user, g, cohort, 1, int(active[len(active)-1])-cohort)
	case r.stage.When == syntax.OnOrBefore:
		m.plainRange(user, g, cohort, int(active[0])-cohort, math.MaxInt)
	default:
		run, most := 0, min(r.longest(), len(active))
		for run < most && int(active[run])-cohort == run+1 {
			run++
		}
		m.plainRange(user, g, cohort, 1, run)
	}
	return from
}

// plainOn counts a user in the columns that look at one of his periods, which lie behind the cohort.
func (m *retentionWorker) plainOn(user uint32, g *retentionGroup, cohort int, active []int32) {
	r, before := m.r, int32(-1)
	over := int32(r.over[cohort])
	for _, period := range active {
		k := int(period) - cohort
		if k >= len(r.columnOf) {
			return
		}
		column := r.columnOf[k]
		if column >= over {
			return
		}
		if column > before {
			m.count(user, g, cohort, int(column))
			before = column
		}
	}
}

// plainRange counts a user in the columns first to last, by the numbers of their periods.
func (m *retentionWorker) plainRange(user uint32, g *retentionGroup, cohort, first, last int) {
	for i, c := range m.r.columns[:m.r.over[cohort]] {
		if c.k > last {
			return
		}
		if c.k >= first {
			m.count(user, g, cohort, i)
		}
	}
}

// member takes a user into a cohort, with his first START in its period and the first RETURN from then on.
func (m *retentionWorker) member(user uint32, g *retentionGroup, cohort int, start int64, at int) {
	r := m.r
	g.sizes[cohort]++
	over, columns := r.over[cohort], r.columns
	if over > 0 && columns[0].k == 0 {
		m.count(user, g, cohort, 0)
		if r.value >= 0 {
			m.addTo(g, r.cell(cohort, 0), at, m.firstFrom(at, r.edge(cohort, start, 1)))
		}
	}
	first := 0
	for first < over && columns[first].k == 0 {
		first++
	}
	if first == over {
		return
	}
	from := m.firstFrom(at, r.edge(cohort, start, min(columns[first].k, 1)))
	switch r.stage.When {
	case syntax.On:
		m.on(user, g, cohort, start, from, first)
	case syntax.OnOrAfter:
		m.onOrAfter(user, g, cohort, start, from, first)
	default:
		m.upTo(user, g, cohort, start, from, first)
	}
}

// on counts the user in the columns in whose periods he has enough RETURNs. from is the first RETURN in
// period 1 or later.
func (m *retentionWorker) on(user uint32, g *retentionGroup, cohort int, start int64, from, first int) {
	r := m.r
	for i := first; i < r.over[cohort] && from < len(m.backs); i++ {
		from = m.firstFrom(from, r.edge(cohort, start, r.columns[i].k))
		to := m.firstFrom(from, r.edge(cohort, start, r.columns[i].last+1))
		if to-from >= r.stage.Min {
			m.count(user, g, cohort, i)
			m.addTo(g, r.cell(cohort, i), from, to)
		}
		from = to
	}
}

func (m *retentionWorker) onOrAfter(user uint32, g *retentionGroup, cohort int, start int64, from, first int) {
	r := m.r
	for i := first; i < r.over[cohort]; i++ {
		from = m.firstFrom(from, r.edge(cohort, start, r.columns[i].k))
		if len(m.backs)-from < r.stage.Min {
			return
		}
		m.count(user, g, cohort, i)
		if r.value >= 0 {
			m.sweep = append(m.sweep, sweepMark{g, from, r.cell(cohort, i)})
		}
	}
}

// upTo counts the user in columns that look at all periods from 1 on: with enough RETURNs in all of them
// together or, for a streak, in each.
func (m *retentionWorker) upTo(user uint32, g *retentionGroup, cohort int, start int64, from, first int) {
	r := m.r
	m.reset()
	to, k := from, 0 // RETURNs from the first are in periods 1 … k
	for i := first; i < r.over[cohort]; i++ {
		before := to
		if r.stage.When == syntax.Streak {
			for k < r.columns[i].k {
				k++
				end := m.firstFrom(to, r.edge(cohort, start, k+1))
				if end-to < r.stage.Min {
					return
				}
				to = end
			}
		} else {
			to = m.firstFrom(to, r.edge(cohort, start, r.columns[i].k+1))
		}
		m.run(before, to)
		if to-from >= r.stage.Min {
			m.count(user, g, cohort, i)
			if r.value >= 0 {
				g.values.merge(m.running, 0, uint32(r.cell(cohort, i)))
			}
		}
	}
}

// count counts the user in a cell.
func (m *retentionWorker) count(user uint32, g *retentionGroup, cohort, column int) {
	if g.counts != nil {
		g.counts[m.r.cell(cohort, column)]++
	}
	if m.r.listing {
		g.members = append(g.members, retentionMember{user, int32(cohort), int32(column)})
		m.account.add(16)
	}
}

// addTo adds the values of the RETURNs [from, to) to a cell, if it takes any.
func (m *retentionWorker) addTo(g *retentionGroup, cell, from, to int) {
	if m.r.value < 0 {
		return
	}
	values := m.w.values(m.r.value)
	for _, gid := range m.values[from:to] {
		g.values.addValue(uint32(cell), values[gid])
	}
}

// reset empties the running sums, run adds the values of RETURNs to them.
func (m *retentionWorker) reset() {
	if a := m.running; a != nil {
		clear(a.numbersOf)
		a.durations = nil
	}
}

func (m *retentionWorker) run(from, to int) {
	if m.running == nil {
		return
	}
	values := m.w.values(m.r.value)
	for _, gid := range m.values[from:to] {
		m.running.addValue(0, values[gid])
	}
}

// sumUp adds the values of the RETURNs from each mark on to its cell.
func (m *retentionWorker) sumUp() {
	if len(m.sweep) == 0 {
		return
	}
	slices.SortFunc(m.sweep, func(a, b sweepMark) int { return b.from - a.from })
	m.reset()
	to := len(m.backs)
	for _, mark := range m.sweep {
		m.run(mark.from, to)
		to = mark.from
		mark.group.values.merge(m.running, 0, uint32(mark.cell))
	}
	m.sweep = m.sweep[:0]
}
