package exec

import (
	"context"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// eventCollector groups and aggregates the events that pass a filter.
func (x *Execution) eventCollector(filter *condition, keys []syntax.Named, time int) collector {
	return func(ctx context.Context, aggs []*syntax.Agg, cuts []int64) (*grouped, error) {
		p := &statsPass{x: x, spec: newStatsSpec(aggs), keys: keys, time: time, cuts: cuts}
		for _, e := range p.spec.conds {
			c, err := x.compile(e)
			if err != nil {
				return nil, err
			}
			p.conds = append(p.conds, c)
		}
		rng := x.Range
		if cuts != nil {
			rng.From = cuts[0]
		}
		w, err := p.run(ctx, rng, filter)
		if err != nil {
			return nil, err
		}
		return &grouped{
			spec: p.spec, groups: w.table.len(), values: w.table.values, states: w.states,
			fresh: func() ([]aggregate, error) { return x.newStates(p.spec) },
		}, nil
	}
}

// whole implements consumer: counts of rows and of users whose keys do not vary within the segment
// follow from its directory, and from the sets of rows that indexes name.
func (w *statsWorker) whole(v *view, b *bound) (bool, error) {
	if b.op != boundRows || len(w.pass.conds) > 0 {
		return false, nil
	}
	pure := b.full() || b.events != nil // whole event names pass, or everything
	for _, s := range w.states {
		switch s.(type) {
		case *countAggregate:
		case *usersAggregate:
			if !pure {
				return false, nil
			}
		default:
			return false, nil
		}
	}
	if done, err := w.wholeByUser(v, b); done || err != nil {
		return done, err
	}
	byEvent := -1
	values := make([]event.Value, len(w.table.keys))
	for i, k := range w.table.keys {
		if k.direct && k.program.refs[0].source == sourceEvent && pure && byEvent < 0 {
			byEvent = i
			continue
		}
		if k.varies() {
			return false, nil
		}
		if err := k.open(v); err != nil {
			return false, err
		}
		if k.kind != inputConst {
			return false, nil
		}
		values[i] = k.value
	}
	if byEvent < 0 {
		rows, err := v.rowsOf(b)
		if err == nil && rows > 0 {
			w.addWhole(w.table.group(values), v, b, rows)
		}
		return err == nil, err
	}
	events, err := v.reader.VisibleEvents()
	if err != nil {
		return false, err
	}
	codes := b.events
	if codes == nil {
		for code := range events {
			codes = append(codes, uint32(code))
		}
	}
	for _, code := range codes {
		if events[code].Rows == 0 {
			continue // all of them are hidden
		}
		values[byEvent] = event.String(events[code].Name)
		w.addWhole(w.table.group(values), v, &bound{set: b.set, events: []uint32{code}}, events[code].Rows)
	}
	return true, nil
}

// rowsOf returns how many rows of a boundRows are not hidden, from the directory if that knows.
func (v *view) rowsOf(b *bound) (int, error) {
	if b.events == nil {
		return v.count(b), nil
	}
	events, err := v.reader.VisibleEvents()
	n := 0
	for _, code := range b.events {
		if err == nil {
			n += events[code].Rows
		}
	}
	return n, err
}

// varies reports whether the key surely has several values in a segment, so that opening it tells
// nothing.
func (k *keyColumn) varies() bool { return len(k.program.refs) > 1 }

// addWhole adds the rows of a boundRows, rows of which are not hidden.
func (w *statsWorker) addWhole(group uint32, v *view, b *bound, rows int) {
	w.resize()
	for _, s := range w.states {
		switch s := s.(type) {
		case *countAggregate:
			s.counts[group] += int64(rows)
		case *usersAggregate:
			if b.events == nil {
				s.addWhole(group, userSource{view: v})
				continue
			}
			for _, code := range b.events {
				s.addWhole(group, userSource{view: v, event: true, code: code})
			}
		}
	}
}
