package exec

import (
	"context"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/syntax"
)

// userSet finds the users of the events that pass a filter.
func (x *Execution) userSet(ctx context.Context, filter *condition) (*UserSet, error) {
	agg := &syntax.Agg{Func: syntax.AggUsers}
	g, err := x.eventCollector(filter, nil, -1)(ctx, []*syntax.Agg{agg}, nil)
	if err != nil {
		return nil, err
	}
	if users, ok := g.states[0].(*usersAggregate); ok {
		err := users.resolve(0)
		return &UserSet{ids: users.sets[0]}, err
	}
	distinct := g.states[0].(*distinctAggregate)
	set := &UserSet{values: map[event.Value]bool{}}
	distinct.sets[0].each(func(gid uint32) { set.values[distinct.key.ids.values[gid]] = true })
	return set, nil
}

// usersTable lists a set by name.
func (x *Execution) usersTable(s *UserSet) (*table, error) {
	t := &table{names: []string{syntax.ColumnUser}, rng: x.Range}
	for v := range s.values {
		t.rows = append(t.rows, row{values: []event.Value{v}})
	}
	var ids []uint32
	s.ids.each(func(id uint32) { ids = append(ids, id) })
	if err := x.names.fetch(x, ids); err != nil {
		return nil, err
	}
	for _, id := range ids {
		t.rows = append(t.rows, row{values: []event.Value{x.names.value(id)}})
	}
	x.Budget.Add("rows", 80*len(t.rows))
	t.sortByValues()
	return t, x.Budget.Err()
}

// setOf makes a set of the users of the rows of a table.
func (x *Execution) setOf(t *table) (*UserSet, error) {
	user := x.user(t)
	set := &UserSet{}
	bound := int(x.Source.UserCount()) + 1
	for i := range t.rows {
		u := user(&t.rows[i])
		if !u.Exists() {
			continue
		}
		if x.byID() && u.Kind() == event.KindString {
			id, ok, err := x.Source.UserID(u.AsString())
			if err != nil {
				return nil, err
			}
			if ok && id != segment.NoUser {
				set.ids.add(id, bound)
				continue
			}
		}
		if set.values == nil {
			set.values = map[event.Value]bool{}
		}
		set.values[u] = true
	}
	set.ids.compact()
	return set, nil
}
