package reference

import (
	"cmp"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// paths is one evaluation of the stage.
type paths struct {
	*syntax.Paths
	run      *run
	from, to func(*row) bool // nil where there is none
	except   func(*row) bool
	of       func(*row) event.Value
	names    []string // of the groups
	by       []func(*row) event.Value
}

// path is the way of a user from node to node.
type path struct {
	user  event.Value
	keys  []event.Value // the group
	nodes []node
}

type node struct {
	value event.Value
	at    int64
}

func (r *run) paths(in *rows, s *syntax.Paths) (*rows, error) {
	t, err := r.compilePaths(s)
	if err != nil {
		return nil, err
	}
	var found groups
	byGroup := map[*group][]*path{}
	for _, stream := range in.streams() {
		for _, piece := range t.cut(in, stream.list) {
			if p := t.path(stream.user, piece); p != nil {
				g := found.find(p.keys)
				byGroup[g] = append(byGroup[g], p)
			}
		}
	}
	sortGroups(found.list)
	columns := syntax.PathColumns[s.View]
	about := columns[:slices.Index(columns, "count")]
	if s.View != syntax.PathEdges {
		about = columns[:1]
	}
	out := in.newResult(t.names, columns)
	out.members = in.newResult([]string{syntax.ColumnUser}, t.names, about)
	for _, g := range found.list {
		for _, x := range t.tallies(byGroup[g]) {
			out.put(slices.Concat(g.keys, x.values)...)
			for user := range x.users {
				out.members.put(slices.Concat([]event.Value{user}, g.keys, x.values[:len(about)])...)
			}
		}
	}
	out.members.sortByAll()
	return out, nil
}

func (r *run) compilePaths(s *syntax.Paths) (*paths, error) {
	t := &paths{Paths: s, run: r}
	var err error
	if s.From != nil {
		if t.from, err = r.selector(s.From); err != nil {
			return nil, err
		}
	}
	if s.To != nil {
		if t.to, err = r.selector(s.To); err != nil {
			return nil, err
		}
	}
	var except []func(*row) bool
	for _, e := range s.Except {
		matches, err := r.selector(e)
		if err != nil {
			return nil, err
		}
		except = append(except, matches)
	}
	t.except = func(x *row) bool {
		return slices.ContainsFunc(except, func(matches func(*row) bool) bool { return matches(x) })
	}
	t.of = func(x *row) event.Value { return event.String(x.event.Name) }
	if s.Of != nil {
		if t.of, err = r.value(s.Of); err != nil {
			return nil, err
		}
	}
	t.names, t.by, err = r.named(s.By)
	return t, err
}

// cut returns the events of each path of a user: sessions that begin in the range or, with `within`, what
// follows so soon upon an event that no path before holds.
func (t *paths) cut(in *rows, list []*row) [][]*row {
	var pieces [][]*row
	if t.Within == 0 {
		for _, events := range cutByPause(list, t.Gap, 0) {
			if in.inRange(events[0].event.Time) {
				pieces = append(pieces, events)
			}
		}
		return pieces
	}
	for len(list) > 0 {
		n := 1
		if x := list[0]; in.inRange(x.event.Time) && (t.from == nil || t.from(x)) {
			for n < len(list) && list[n].event.Time-x.event.Time <= t.Within {
				n++
			}
			pieces = append(pieces, list[:n])
		}
		list = list[n:]
	}
	return pieces
}

// path makes the path of a piece of a stream; nil where `from` or `to` do not match, or no node is left.
func (t *paths) path(user event.Value, piece []*row) *path {
	list := slices.DeleteFunc(slices.Clone(piece), func(x *row) bool { return t.except(x) || !t.of(x).Exists() })
	begin, end := 0, len(list)
	if t.from != nil {
		begin = slices.IndexFunc(list, t.from)
	}
	if begin < 0 || len(list) == 0 {
		return nil
	}
	if t.to != nil {
		behind := begin // where `to` may match first
		if t.from != nil {
			behind++
		}
		last := slices.IndexFunc(list[behind:], t.to)
		if last < 0 {
			return nil
		}
		end = behind + last + 1
	}
	p := &path{user: user, keys: leastKeys(t.by, list[begin:begin+1])}
	for _, x := range list[begin:end] {
		v := t.of(x).Canonical()
		if n := len(p.nodes); n > 0 && !t.Repeats && p.nodes[n-1].value == v {
			continue
		}
		p.nodes = append(p.nodes, node{v, x.event.Time})
	}
	if n := len(p.nodes); t.View == syntax.PathEdges && n > t.Max {
		if t.backwards() {
			p.nodes = p.nodes[n-t.Max:]
		} else {
			p.nodes = p.nodes[:t.Max]
		}
	}
	return p
}

// backwards reports whether steps are counted back from the end.
func (t *paths) backwards() bool { return t.from == nil && t.to != nil }

// tally is a row in the making.
type tally struct {
	values []event.Value // of the row: at first what it is about
	count  int64         // paths
	users  map[event.Value]bool
	times  []event.Value
}

// tallies returns the rows of a group.
func (t *paths) tallies(list []*path) []*tally {
	switch t.View {
	case syntax.PathShortest:
		return t.journeys(list)
	case syntax.PathLoops:
		return t.nodes(list, func(p *path, v event.Value) bool { return p.visits(v) > 1 })
	case syntax.PathDeadEnds:
		return t.nodes(list, func(p *path, v event.Value) bool { return p.nodes[len(p.nodes)-1].value == v })
	}
	return t.edges(list)
}

// tallySet adds paths up by what their rows are about.
type tallySet struct {
	list   []*tally
	byName map[string]*tally
}

func (s *tallySet) add(p *path, took event.Value, about ...event.Value) {
	name := nameOf(about)
	if s.byName == nil {
		s.byName = map[string]*tally{}
	}
	if s.byName[name] == nil {
		s.byName[name] = &tally{values: about, users: map[event.Value]bool{}}
		s.list = append(s.list, s.byName[name])
	}
	x := s.byName[name]
	x.count++
	x.users[p.user] = true
	x.times = append(x.times, took)
}

// finish adds the columns count, users and avg_time.
func (s *tallySet) finish() {
	for _, x := range s.list {
		x.values = append(x.values, event.Int(x.count), event.Int(int64(len(x.users))), avg(x.times))
	}
}

// edges counts the steps from one node to the next, and the last nodes. Of the most frequent ones a row
// is shown.
func (t *paths) edges(list []*path) []*tally {
	var set tallySet
	for _, p := range list {
		for i, n := range p.nodes {
			step, target, took := i+1, event.Null, event.Null
			if t.backwards() {
				step = i + 1 - len(p.nodes)
			}
			if i+1 < len(p.nodes) {
				next := p.nodes[i+1]
				target, took = next.value, event.Duration(next.at-n.at)
			}
			set.add(p, took, event.Int(int64(step)), n.value, target)
		}
	}
	slices.SortFunc(set.list, func(a, b *tally) int {
		return cmp.Or(cmp.Compare(b.count, a.count), compareKeys(a.values, b.values))
	})
	set.list = set.list[:min(t.Top, len(set.list))]
	slices.SortFunc(set.list, func(a, b *tally) int {
		return cmp.Or(event.Compare(a.values[0], b.values[0]), cmp.Compare(b.count, a.count), compareKeys(a.values, b.values))
	})
	set.finish()
	return set.list
}

// journeys counts whole paths, the shortest first.
func (t *paths) journeys(list []*path) []*tally {
	var set tallySet
	for _, p := range list {
		var values []event.Value
		for _, n := range p.nodes {
			values = append(values, n.value)
		}
		last := len(p.nodes) - 1
		whole := scalar.ListOf(values, t.run.calendar.Location())
		set.add(p, event.Duration(p.nodes[last].at-p.nodes[0].at), whole, event.Int(int64(last)))
	}
	slices.SortFunc(set.list, func(a, b *tally) int {
		return cmp.Or(event.Compare(a.values[1], b.values[1]), cmp.Compare(b.count, a.count), event.Compare(a.values[0], b.values[0]))
	})
	set.list = set.list[:min(t.Shortest, len(set.list))]
	set.finish()
	return set.list
}

// visits counts how often a path comes by a node.
func (p *path) visits(v event.Value) int {
	n := 0
	for _, other := range p.nodes {
		if other.value == v {
			n++
		}
	}
	return n
}

// nodes counts, of the paths that visit a node, those of which something holds; nodes without any are left
// out.
func (t *paths) nodes(list []*path, holds func(*path, event.Value) bool) []*tally {
	var set tallySet
	visits := map[event.Value]int64{}
	for _, p := range list {
		var seen []event.Value
		for _, n := range p.nodes {
			if slices.Contains(seen, n.value) {
				continue
			}
			seen = append(seen, n.value)
			visits[n.value]++
			if holds(p, n.value) {
				set.add(p, event.Null, n.value)
			}
		}
	}
	for _, x := range set.list {
		all := visits[x.values[0]]
		rate := event.Float(float64(x.count) / float64(all))
		x.values = append(x.values, event.Int(all), event.Int(x.count), rate, event.Int(int64(len(x.users))))
	}
	slices.SortFunc(set.list, func(a, b *tally) int {
		return cmp.Or(event.Compare(b.values[3], a.values[3]), cmp.Compare(b.count, a.count), event.Compare(a.values[0], b.values[0]))
	})
	return set.list[:min(t.Top, len(set.list))]
}
