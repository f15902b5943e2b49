package exec

import (
	"context"
	"math"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// UserSet is a set of users, the result of a named pipeline: of dense ids and, where another field
// stands for the user or a stage made up who he is, of values.
type UserSet struct {
	ids    idSet
	values map[event.Value]bool
}

// userValues is what is known of every user for one leaf of an expression: whether he is in a set,
// how often he did something, when he first did. It is immutable once made.
type userValues struct {
	x       *Execution
	set     *UserSet                    // user in NAME
	counts  []uint32                    // did, by dense id
	firsts  []int64                     // first_time, by dense id; noTime where there is none
	byValue map[event.Value]event.Value // did, first_time where another field stands for the user
	other   event.Value                 // what stands for users not in it

	// A profile property: the number of its value by dense id, 0 where there is none. It is the user's, also
	// where another field stands for him.
	profile []uint32
	values  []event.Value // by number; that of 0 is absent
}

const noTime = math.MaxInt64

// noValues knows nothing of anybody. notLearnt stands for what a query that runs would learn.
var noValues, notLearnt = &userValues{}, &userValues{}

// at returns what is known of a dense id.
func (u *userValues) at(id uint32) event.Value {
	switch {
	case u.set != nil:
		return event.Bool(id != segment.NoUser && u.set.ids.has(id))
	case u.profile != nil:
		return u.values[u.number(id)]
	case u.counts != nil:
		if id == segment.NoUser || int(id) >= len(u.counts) {
			return event.Int(0)
		}
		return event.Int(int64(u.counts[id]))
	case u.firsts != nil:
		if id == segment.NoUser || int(id) >= len(u.firsts) || u.firsts[id] == noTime {
			return event.Value{}
		}
		return event.Time(u.firsts[id])
	}
	return u.other
}

// of returns what is known of the user, or of whatever stands for him, by value.
func (u *userValues) of(v event.Value) event.Value {
	if v = v.Canonical(); !v.Exists() {
		return u.at(segment.NoUser)
	}
	if u.x == nil {
		return u.other
	}
	if u.profile == nil && !u.x.byID() {
		if u.set != nil {
			return event.Bool(u.set.values[v])
		}
		if got, ok := u.byValue[v]; ok {
			return got
		}
		return u.other
	}
	if v.Kind() != event.KindString {
		if u.set != nil {
			return event.Bool(u.set.values[v])
		}
		return u.at(segment.NoUser)
	}
	id, ok, err := u.x.Source.UserID(v.AsString())
	if err != nil {
		u.x.Read.fail(err)
	}
	if err != nil || !ok {
		if u.set != nil {
			return event.Bool(u.set.values[v])
		}
		return u.at(segment.NoUser)
	}
	return u.at(id)
}

func (s *idSet) has(id uint32) bool {
	if s.words == nil {
		for _, have := range s.list {
			if have == id {
				return true
			}
		}
		return false
	}
	w := int(id >> 6)
	return w < len(s.words) && s.words[w]&(1<<(id&63)) != 0
}

// byID reports whether users are known by dense id: no other field stands for them.
func (x *Execution) byID() bool { return x.Actor.source == sourceUser }

// learn works out the leaves of expressions that are about users: those the pipeline's expressions
// name, and first those within the selectors of these.
func (x *Execution) learn(ctx context.Context, list ...syntax.Expr) error {
	err := x.learnProfiles(ctx, list)
	for _, e := range list {
		plan.Walk(e, func(e syntax.Expr) bool {
			if err == nil {
				err = x.learnLeaf(ctx, e)
			}
			return err == nil
		})
	}
	return err
}

func (x *Execution) learnLeaf(ctx context.Context, e syntax.Expr) error {
	var selector *syntax.Selector
	switch e := e.(type) {
	case *syntax.Did:
		selector = e.Selector
	case *syntax.FirstTime:
		selector = e.Selector
	default:
		return nil
	}
	if x.explaining {
		return nil
	}
	name := syntax.ExprString(e)
	if x.learnt(name) != nil {
		return nil
	}
	for _, t := range selector.Terms {
		if err := x.learn(ctx, t.Cond); err != nil {
			return err
		}
	}
	c, err := x.compile(plan.Selector(selector))
	if err != nil {
		return err
	}
	var values *userValues
	switch e := e.(type) {
	case *syntax.Did:
		values, err = x.did(ctx, e, c)
	case *syntax.FirstTime:
		values, err = x.firstTime(ctx, selector, c)
	}
	x.keepLearnt(name, values)
	return err
}

// learnt returns what was learnt under a name, nil if nothing was.
func (x *Execution) learnt(name string) *userValues {
	if x.known == nil {
		return nil
	}
	x.known.Lock()
	defer x.known.Unlock()
	return x.known.perUser[name]
}

// keepLearnt keeps values under a name, unless there are some, and returns those that are kept.
func (x *Execution) keepLearnt(name string, values *userValues) *userValues {
	if x.known == nil {
		x.known = &learntValues{perUser: map[string]*userValues{}}
	}
	x.known.Lock()
	defer x.known.Unlock()
	if have := x.known.perUser[name]; have != nil {
		return have
	}
	x.known.perUser[name] = values
	return values
}

// userValues returns what was learnt for a leaf.
func (x *Execution) userValues(e syntax.Expr) (*userValues, error) {
	if _, ok := e.(*syntax.Agg); !ok && x.explaining {
		return notLearnt, nil
	}
	if in, ok := e.(*syntax.UserIn); ok {
		set := x.Sets[in.Name]
		if set == nil {
			return noValues, nil
		}
		return x.keepLearnt("in "+in.Name, &userValues{x: x, set: set}), nil
	}
	if c, ok := e.(*syntax.Column); ok {
		if values := x.Read.profiles.get(c.Name); c.Scope == syntax.ScopeProfile && values != nil {
			return values, nil
		}
		return noValues, nil
	}
	if values := x.learnt(syntax.ExprString(e)); values != nil {
		return values, nil
	}
	if _, ok := e.(*syntax.Agg); ok {
		return nil, syntax.Errorf(e.Position(), "an aggregate stands outside of stats")
	}
	return noValues, nil
}

func (x *Execution) did(ctx context.Context, e *syntax.Did, c *condition) (*userValues, error) {
	span := x.Range
	if e.Last > 0 {
		if span.To == math.MaxInt64 {
			span.To = x.Now
		}
		span.From = math.MinInt64
		if span.To >= math.MinInt64+e.Last {
			span.From = span.To - e.Last
		}
	}
	values := &userValues{x: x, other: event.Int(0)}
	consumers, err := x.perUserScan(ctx, span, c, func() *userConsumer {
		return &userConsumer{x: x, counts: make([]uint32, x.Source.UserCount()+1)}
	})
	if err != nil {
		return nil, err
	}
	if x.byID() {
		values.counts = consumers[0].counts
		for _, c := range consumers[1:] {
			for id, n := range c.counts {
				values.counts[id] += n
			}
		}
		return values, nil
	}
	values.byValue = map[event.Value]event.Value{}
	for _, c := range consumers {
		for gid, n := range c.counts {
			if n > 0 {
				v := c.key.ids.values[gid]
				values.byValue[v] = event.Int(values.byValue[v].AsInt() + int64(n))
			}
		}
	}
	return values, nil
}

func (x *Execution) firstTime(ctx context.Context, selector *syntax.Selector, c *condition) (*userValues, error) {
	values := &userValues{x: x}
	consumers, err := x.perUserScan(ctx, event.AllTime, c, func() *userConsumer {
		return &userConsumer{x: x, firsts: extendedTimes(nil, int(x.Source.UserCount())+1)}
	})
	if err != nil {
		return nil, err
	}
	if x.byID() {
		values.firsts = consumers[0].firsts
		for _, c := range consumers[1:] {
			for id, at := range c.firsts {
				values.firsts[id] = min(values.firsts[id], at)
			}
		}
		return values, x.forgetExpired(ctx, selector, values.firsts)
	}
	values.byValue = map[event.Value]event.Value{}
	for _, c := range consumers {
		for gid, at := range c.firsts {
			if at == noTime {
				continue
			}
			v := c.key.ids.values[gid]
			if have, ok := values.byValue[v]; !ok || at < have.AsInt() {
				values.byValue[v] = event.Time(at)
			}
		}
	}
	return values, nil
}

// extendedTimes returns s with at least n elements, new ones noTime.
func extendedTimes(s []int64, n int) []int64 {
	for len(s) < n {
		s = append(s, noTime)
	}
	return s
}

func (x *Execution) perUserScan(ctx context.Context, rng event.TimeRange, c *condition, newConsumer func() *userConsumer) ([]*userConsumer, error) {
	s, err := x.newScan(ctx, rng, c)
	if err != nil {
		return nil, err
	}
	x.Budget.Add("values by user", 8*(int(x.Source.UserCount())+1))
	made, err := s.run(ctx, func() (consumer, error) {
		u := newConsumer()
		if !x.byID() {
			in, err := x.newInput(x.actorColumn())
			if err != nil {
				return nil, err
			}
			u.key = x.newKeyColumn(in)
			u.counts, u.firsts = u.counts[:0], u.firsts[:0]
		}
		return u, nil
	})
	if err != nil {
		return nil, err
	}
	var list []*userConsumer
	for _, u := range made {
		list = append(list, u.(*userConsumer))
	}
	return list, nil
}

// userConsumer counts the rows of every user, or finds the first.
type userConsumer struct {
	x      *Execution
	key    *keyColumn // where another field stands for the user
	counts []uint32
	firsts []int64
	users  []uint32
	times  []int64
}

func (u *userConsumer) whole(*view, *bound) (bool, error) { return false, nil }

func (u *userConsumer) open(v *view) error {
	if u.key != nil {
		return u.key.open(v)
	}
	return nil
}

func (u *userConsumer) take(b *batch) (err error) {
	var ids []uint32
	if u.key != nil {
		if ids, err = u.key.gids(b); err != nil {
			return err
		}
		n := len(u.key.ids.values)
		if u.firsts != nil {
			u.firsts = extendedTimes(u.firsts, n)
		} else {
			u.counts = extended(u.counts, n)
		}
	} else {
		if ids, err = b.users(u.users[:0]); err != nil {
			return err
		}
		u.users = ids
	}
	if u.firsts == nil {
		for _, id := range ids {
			u.counts[id]++
		}
		return nil
	}
	vector, err := b.view.reader.Time().Block(b.block)
	if err != nil {
		return err
	}
	u.times = vector.Ints(u.times[:0], b.sel)
	for i, id := range ids {
		u.firsts[id] = min(u.firsts[id], u.times[i])
	}
	return nil
}
