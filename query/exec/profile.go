package exec

import (
	"context"
	"slices"
	"sync"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/plan"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// profileCache keeps the properties that the pipelines of a query have folded. It is safe for concurrent use.
type profileCache struct {
	mu     sync.Mutex
	values map[string]*userValues
}

func (c *profileCache) get(property string) *userValues {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.values[property]
}

func (c *profileCache) put(property string, values *userValues) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = map[string]*userValues{}
	}
	c.values[property] = values
}

// learnProfiles folds the properties that expressions name, also within the selectors of did and first_time,
// all in one pass.
func (x *Execution) learnProfiles(ctx context.Context, list []syntax.Expr) error {
	if x.explaining {
		return nil
	}
	var missing []string
	for _, name := range profileNames(list, nil) {
		if x.Read.profiles.get(name) == nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	folded, err := x.foldProfiles(ctx, missing)
	if err != nil {
		return err
	}
	for i, name := range missing {
		x.Read.profiles.put(name, folded[i])
	}
	return nil
}

// profileNames appends the properties that expressions name to those in names.
func profileNames(list []syntax.Expr, names []string) []string {
	inside := func(s *syntax.Selector) {
		for _, t := range s.Terms {
			names = profileNames([]syntax.Expr{t.Cond}, names)
		}
	}
	for _, e := range list {
		plan.Walk(e, func(e syntax.Expr) bool {
			switch e := e.(type) {
			case *syntax.Column:
				if e.Scope == syntax.ScopeProfile && !slices.Contains(names, e.Name) {
					names = append(names, e.Name)
				}
			case *syntax.Did:
				inside(e.Selector)
			case *syntax.FirstTime:
				inside(e.Selector)
			}
			return true
		})
	}
	return names
}

// profileOf returns what gives the rows of a table a property: that of the event's own user unless a stage
// made the column user. The function is for one goroutine.
func (x *Execution) profileOf(t *table, c *syntax.Column) (func(r *row) event.Value, error) {
	values, err := x.userValues(c)
	if err != nil {
		return nil, err
	}
	user := t.actor(&syntax.Column{Name: syntax.ColumnUser})
	known := map[event.Value]event.Value{}
	account := account{budget: x.Budget, purpose: "users"}
	return func(r *row) event.Value {
		who := user(r)
		v, ok := known[who]
		if !ok {
			v = values.of(who)
			known[who] = v
			account.add(internedBytes)
		}
		return v
	}, nil
}

// number returns the number of the profile property of a dense id.
func (u *userValues) number(id uint32) uint32 {
	if id == segment.NoUser || int(id) >= len(u.profile) {
		return 0
	}
	return u.profile[id]
}

// profileFold folds properties from a stream of the profile events of users.
type profileFold struct {
	x       *Execution
	columns []string // fields that are read
	deletes int      // number of the column ProfileDeleteField, or -1
	unsets  int      // likewise ProfileUnsetField
	list    []foldedProperty
	out     []*userValues
}

// foldedProperty says where the operations on a property are.
type foldedProperty struct {
	name   string
	unsets []int                         // columns that take it away whatever they hold
	ops    [scalar.ProfileRemove + 1]int // columns by operation, -1 where nobody has used it
	used   []scalar.ProfileOp            // those of its own that somebody has used, in their order
}

// foldProfiles works out properties of all users.
func (x *Execution) foldProfiles(ctx context.Context, names []string) ([]*userValues, error) {
	// Nothing of this pipeline but the snapshot matters.
	y := &Execution{
		Source: x.Source, Calendar: x.Calendar, Range: event.AllTime, Now: x.Now, Workers: x.Workers,
		Knobs: x.Knobs, Budget: x.Budget, Read: x.Read,
	}
	y.SetActor(nil)
	y.prepare()
	readers, err := y.Source.Segments(ctx, event.AllTime)
	if err != nil {
		return nil, err
	}
	f := &profileFold{x: y}
	f.plan(names, func(field string) bool {
		return slices.ContainsFunc(readers, func(r *segment.Reader) bool { return r.Field(field) != nil })
	})
	if len(f.columns) > 0 {
		return f.out, f.run(ctx)
	}
	return f.out, nil
}

// plan finds the fields that say something about properties; exists tells whether a field is stored.
func (f *profileFold) plan(names []string, exists func(field string) bool) {
	column := func(field string) int {
		if i := slices.Index(f.columns, field); i >= 0 || !exists(field) {
			return i
		}
		f.columns = append(f.columns, field)
		return len(f.columns) - 1
	}
	made := false
	for _, name := range names {
		p := foldedProperty{name: name}
		for op := scalar.ProfileSet; op <= scalar.ProfileRemove; op++ {
			if p.ops[op] = column(scalar.ProfileField(op, name)); p.ops[op] >= 0 {
				p.used = append(p.used, op)
				made = made || op.Makes()
			}
		}
		f.list = append(f.list, p)
		f.out = append(f.out, &userValues{x: f.x, profile: []uint32{}, values: make([]event.Value, 1)})
	}
	if !made {
		f.columns = nil // nobody has any
		return
	}
	f.deletes, f.unsets = column(scalar.ProfileDeleteField), column(scalar.ProfileUnsetField)
	for i := range f.list {
		p := &f.list[i]
		for end := 1; end <= len(p.name); end++ {
			if end < len(p.name) && p.name[end] != '.' {
				continue
			}
			if c := column(scalar.ProfileField(scalar.ProfileUnset, p.name[:end])); c >= 0 {
				p.unsets = append(p.unsets, c)
			}
		}
	}
}

// run reads the events and makes the values.
func (f *profileFold) run(ctx context.Context) error {
	is := &syntax.Binary{
		Op: syntax.OpEq, X: &syntax.Column{Name: syntax.ColumnEvent},
		Y: &syntax.Literal{Value: event.String(scalar.ProfileEvent)},
	}
	filter, err := f.x.compile(is)
	if err != nil {
		return err
	}
	s := &stream{x: f.x, rng: event.AllTime, filter: filter, whole: true, loose: true, apart: true}
	s.suits = func(v *view) bool {
		if !slices.ContainsFunc(v.info.Events, func(e segment.EventInfo) bool { return e.Name == scalar.ProfileEvent }) {
			return false
		}
		return slices.ContainsFunc(f.columns, func(field string) bool { return v.reader.Field(field) != nil })
	}
	for _, field := range f.columns {
		s.columns = append(s.columns, &syntax.Column{Scope: syntax.ScopeFields, Name: field})
		s.exact = append(s.exact, true)
	}
	f.x.columns = append(f.x.refs(is), columnRef{source: sourceTime})
	for _, e := range s.columns {
		f.x.columns = append(f.x.columns, f.x.refs(e)...)
	}
	n := int(f.x.Source.UserCount()) + 1
	for _, out := range f.out {
		out.profile = make([]uint32, n)
	}
	f.x.Budget.Add("profile properties", 4*n*len(f.out))
	if err := f.x.Budget.Err(); err != nil {
		return err
	}
	workers, err := s.run(ctx, func(w *streamWorker) (streamConsumer, error) { return f.newWorker(w), nil })
	if err != nil {
		return err
	}
	for i, out := range f.out {
		all := newInterner(f.x.Budget, "profile properties")
		all.exact, all.apart = true, true
		all.intern(event.Value{})
		for _, w := range workers {
			part := w.consumer.(*profileWorker)
			to := make([]uint32, len(part.ids[i].values))
			for n, v := range part.ids[i].values {
				to[n] = all.intern(v)
			}
			for _, u := range part.found[i] {
				out.profile[u.user] = to[u.number]
			}
		}
		out.values = all.values
	}
	return f.x.Budget.Err()
}

// profileWorker is a profileFold's consumer.
type profileWorker struct {
	f       *profileFold
	w       *streamWorker
	ids     []*interner      // by property
	found   [][]userProperty // by property
	same    [][]uint32       // by column: the number + 1 in ids of a value that is the property as it is
	account account
	values  []event.Value // serves the operations of one instant
}

// userProperty is the property of a user.
type userProperty struct{ user, number uint32 }

func (f *profileFold) newWorker(w *streamWorker) *profileWorker {
	p := &profileWorker{
		f: f, w: w, found: make([][]userProperty, len(f.list)), same: make([][]uint32, len(f.columns)),
		account: account{budget: f.x.Budget, purpose: "profile properties"},
	}
	for range f.list {
		ids := newInterner(f.x.Budget, "profile properties")
		ids.exact, ids.apart = true, true
		ids.intern(event.Value{})
		p.ids = append(p.ids, ids)
	}
	return p
}

// user implements streamConsumer.
func (p *profileWorker) user(r *userRows) error {
	for i := range p.f.list {
		number := p.fold(r, i)
		if number == 0 {
			continue
		}
		p.found[i] = append(p.found[i], userProperty{r.user, number})
		p.account.add(8)
	}
	return nil
}

// fold returns the number of a property of a user, 0 if he has none.
func (p *profileWorker) fold(r *userRows, property int) uint32 {
	about := &p.f.list[property]
	if len(about.used) == 1 && about.ops[scalar.ProfileSet] >= 0 && p.f.deletes < 0 && p.f.unsets < 0 && len(about.unsets) == 0 {
		return p.lastSet(r, property, about.ops[scalar.ProfileSet])
	}
	var state scalar.Property
	for from := 0; from < r.len(); {
		to := from + 1
		for to < r.len() && r.times[to] == r.times[from] {
			to++
		}
		if p.takesAway(r, about, from, to) {
			state = scalar.Property{}
		}
		for _, op := range about.used {
			column := about.ops[op]
			p.values = p.values[:0]
			for i := from; i < to; i++ {
				if n := r.keys[column][i]; n != 0 {
					p.values = append(p.values, p.w.values(column)[n])
				}
			}
			if len(p.values) > 1 {
				slices.SortFunc(p.values, event.Compare)
			}
			for _, v := range p.values {
				state.Apply(op, v)
			}
		}
		from = to
	}
	return p.ids[property].intern(state.Value())
}

// lastSet is fold of a property that is only ever set.
func (p *profileWorker) lastSet(r *userRows, property, column int) uint32 {
	keys := r.keys[column]
	last := r.len() - 1
	for last >= 0 && keys[last] == 0 {
		last--
	}
	if last < 0 {
		return 0
	}
	n := keys[last]
	values := p.w.values(column)
	for i := last - 1; i >= 0 && r.times[i] == r.times[last]; i-- {
		if keys[i] != 0 && event.Compare(values[keys[i]], values[n]) > 0 {
			n = keys[i]
		}
	}
	for len(p.same[column]) <= int(n) {
		p.same[column] = append(p.same[column], make([]uint32, len(values)-len(p.same[column]))...)
	}
	if p.same[column][n] == 0 {
		p.same[column][n] = p.ids[property].intern(values[n]) + 1
	}
	return p.same[column][n] - 1
}

// takesAway reports whether one of the simultaneous events [from, to) deletes the profile or unsets the
// property.
func (p *profileWorker) takesAway(r *userRows, about *foldedProperty, from, to int) bool {
	at := func(column, i int) event.Value { return p.w.values(column)[r.keys[column][i]] }
	for i := from; i < to; i++ {
		if c := p.f.deletes; c >= 0 && at(c, i) == event.Bool(true) {
			return true
		}
		if c := p.f.unsets; c >= 0 && scalar.Unsets(at(c, i), about.name) {
			return true
		}
		for _, c := range about.unsets {
			if r.keys[c][i] != 0 {
				return true
			}
		}
	}
	return false
}
