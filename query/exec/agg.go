package exec

import (
	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/syntax"
)

// aggregate is the partial state of one or more aggregates of the same arguments, for all groups of
// a worker. States of different workers and segments merge, in any order, to the same result.
type aggregate interface {
	// open turns to a segment.
	open(v *view) error
	// reset forgets everything, and all groups.
	reset()
	// resize makes room for groups 0 to n-1. It is called before groups are used.
	resize(n int)
	// update adds the rows of a batch; groups has the group of each, nil stands for group 0.
	update(b *batch, groups []uint32) error
	// add adds one row of a table.
	add(group uint32, row rowValue)
	// merge adds group from of o, which is of the same type and stays as it is, to group to.
	merge(o aggregate, from, to uint32)
	// finish returns the result of a group for one of the aggregates.
	finish(group uint32, spec *syntax.Agg) (event.Value, error)
}

// rowValue is what an aggregate sees of one row of a table.
type rowValue struct {
	x    event.Value // its argument
	time event.Value
	user event.Value
}

// countAggregate is count().
type countAggregate struct{ counts []int64 }

func (a *countAggregate) open(*view) error { return nil }
func (a *countAggregate) reset()           { a.counts = emptied(a.counts) }
func (a *countAggregate) resize(n int)     { a.counts = extended(a.counts, n) }

// emptied returns s without elements, for extended.
func emptied[T any](s []T) []T {
	clear(s)
	return s[:0]
}

// extended returns s with at least n elements, new ones zero.
func extended[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	if n <= cap(s) {
		return s[:n]
	}
	bigger := make([]T, n, max(n, 2*cap(s)))
	copy(bigger, s)
	return bigger
}

func (a *countAggregate) update(b *batch, groups []uint32) error {
	if groups == nil {
		a.counts[0] += int64(b.n)
		return nil
	}
	counts := a.counts
	for _, g := range groups {
		counts[g]++
	}
	return nil
}

func (a *countAggregate) add(group uint32, _ rowValue) { a.counts[group]++ }

func (a *countAggregate) merge(o aggregate, from, to uint32) {
	a.counts[to] += o.(*countAggregate).counts[from]
}

func (a *countAggregate) finish(group uint32, _ *syntax.Agg) (event.Value, error) {
	return event.Int(a.counts[group]), nil
}

// usersAggregate is users(): exact sets of dense ids. Segments whose users count as a whole are
// noted as such and only read if their number does not follow from the directories.
type usersAggregate struct {
	x       *Execution
	sets    []idSet
	wholes  [][]userSource // by group
	names   []map[event.Value]struct{}
	account account
	buffer  []uint32
}

// userSource is all users of a segment or, if event is set, those who did the event with the code.
type userSource struct {
	view  *view
	event bool
	code  uint32
}

func (s userSource) count() (int, error) {
	if s.event {
		events, err := s.view.reader.VisibleEvents()
		if err != nil {
			return 0, err
		}
		return events[s.code].Users, nil
	}
	return s.view.reader.VisibleUsers()
}

func (x *Execution) newUsersAggregate() *usersAggregate {
	return &usersAggregate{x: x, account: account{budget: x.Budget, purpose: "sets of users"}}
}

func (a *usersAggregate) open(*view) error { return nil }

func (a *usersAggregate) reset() {
	a.sets, a.wholes, a.names = emptied(a.sets), emptied(a.wholes), emptied(a.names)
}

func (a *usersAggregate) resize(n int) {
	before := cap(a.sets)
	a.sets = extended(a.sets, n)
	a.account.add(48 * (cap(a.sets) - before))
}

// fewSets is up to how many groups sets become bitmaps as soon as they have as many members.
const fewSets = 64

func (a *usersAggregate) bound() int { return int(a.x.Source.UserCount()) + 1 }

func (a *usersAggregate) update(b *batch, groups []uint32) error {
	bound := a.bound()
	most := a.listMost(bound)
	ids, err := b.users(a.buffer[:0])
	if err != nil {
		return err
	}
	a.buffer = ids
	grown := 0
	if groups == nil {
		set := &a.sets[0]
		last := uint32(segment.NoUser)
		for _, u := range ids {
			if u != last && u != segment.NoUser {
				grown += set.addMost(u, bound, most)
				last = u
			}
		}
	} else {
		for i, u := range ids {
			if u != segment.NoUser {
				grown += a.sets[groups[i]].addMost(u, bound, most)
			}
		}
	}
	a.account.add(grown)
	return nil
}

// listMost is how many members a set may have before it becomes a bitmap.
func (a *usersAggregate) listMost(bound int) int {
	if len(a.sets) <= fewSets || a.x.made != nil && len(a.sets) <= 16*fewSets {
		return min(listMax(bound), fewSets)
	}
	return listMax(bound)
}

// addUser adds a user.
func (a *usersAggregate) addUser(group, user uint32) {
	bound := a.bound()
	a.account.add(a.sets[group].addMost(user, bound, a.listMost(bound)))
}

// addWhole adds all users of a source.
func (a *usersAggregate) addWhole(group uint32, s userSource) {
	for len(a.wholes) <= int(group) {
		a.wholes = append(a.wholes, nil)
	}
	a.wholes[group] = append(a.wholes[group], s)
}

func (a *usersAggregate) add(group uint32, row rowValue) {
	user := row.user
	if !user.Exists() {
		return
	}
	for len(a.names) <= int(group) {
		a.names = append(a.names, nil)
	}
	if a.names[group] == nil {
		a.names[group] = map[event.Value]struct{}{}
	}
	if key := user.Canonical(); !has(a.names[group], key) {
		a.names[group][key] = struct{}{}
		a.account.add(internedBytes + len(key.Text()))
	}
}

func has(m map[event.Value]struct{}, v event.Value) bool { _, ok := m[v]; return ok }

func (a *usersAggregate) merge(other aggregate, from, to uint32) {
	o := other.(*usersAggregate)
	before := a.sets[to].sizeBytes()
	a.sets[to].merge(&o.sets[from], a.bound())
	a.account.add(a.sets[to].sizeBytes() - before)
	if int(from) < len(o.wholes) {
		for _, s := range o.wholes[from] {
			a.addWhole(to, s)
		}
	}
}

func (a *usersAggregate) finish(group uint32, _ *syntax.Agg) (event.Value, error) {
	if int(group) < len(a.names) && a.names[group] != nil {
		return event.Int(int64(len(a.names[group]))), nil
	}
	set := &a.sets[group]
	if int(group) < len(a.wholes) && len(a.wholes[group]) > 0 {
		sources := a.wholes[group]
		if set.sizeBytes() == 0 && disjoint(sources) {
			n := 0
			for _, s := range sources {
				users, err := s.count()
				if err != nil {
					return event.Value{}, err
				}
				n += users
			}
			return event.Int(int64(n)), nil
		}
		if err := a.resolve(group); err != nil {
			return event.Value{}, err
		}
	}
	return event.Int(int64(set.count())), nil
}

// resolve turns the whole segments of a group into members of its set.
func (a *usersAggregate) resolve(group uint32) error {
	if int(group) >= len(a.wholes) {
		return nil
	}
	for _, s := range a.wholes[group] {
		users, err := s.users()
		if err != nil {
			return err
		}
		a.sets[group].addBitmap(users, a.bound())
	}
	a.wholes[group] = nil
	return nil
}

// disjoint reports whether no user can be in two of the sources: either there is one, or their
// ranges of users do not overlap.
func disjoint(sources []userSource) bool {
	for i := range sources {
		for j := range i {
			a, b := &sources[i].view.info, &sources[j].view.info
			if a.UserMin <= b.UserMax && b.UserMin <= a.UserMax {
				return false
			}
		}
	}
	return true
}
