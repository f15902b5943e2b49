package exec

import (
	"context"
	"slices"
	"time"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// sessionRun is one run of session: it cuts the streams of users.
type sessionRun struct {
	x     *Execution
	stage *syntax.Session
	rng   event.TimeRange
	wide  wideRun
}

func (x *Execution) newSessionRun(f feed, s *syntax.Session) *sessionRun {
	spec := &streamSpec{whole: true, refs: true}
	return &sessionRun{
		x: x, stage: s, rng: f.bounds(),
		wide: wideRun{x: x, feed: f, spec: spec, before: true, after: true, pause: s.Gap},
	}
}

// first returns the first of a user's events at which a session begins for sure; ok is false if events of
// the range lie before it.
func (r *sessionRun) first(times []int64) (i int, ok bool) {
	if !r.wide.beginsOpen(times[0]) {
		return 0, true
	}
	for i = 1; i < len(times); i++ {
		if times[i]-times[i-1] > r.stage.Gap {
			break
		}
	}
	return i, times[i-1] < r.rng.From
}

// end returns where the session that begins at an event ends: the event behind its last.
func (r *sessionRun) end(times []int64, from int) int {
	gap, longest := r.stage.Gap, r.stage.Max
	to := from + 1
	for to < len(times) && times[to]-times[to-1] <= gap && (longest == 0 || times[to]-times[from] <= longest) {
		to++
	}
	return to
}

// goesOn reports whether the session of the last events, from one on, may go on behind what was read.
func (r *sessionRun) goesOn(times []int64, from int) bool {
	return r.wide.endsOpen(times[len(times)-1]) && (r.stage.Max == 0 || r.wide.read.To-times[from] <= r.stage.Max)
}

// foundSessions are the sessions that a worker has found and that belong to the range.
type foundSessions struct {
	list  []foundSession
	refs  []eventRef // of their events, in the order of time
	times []int64
}

type foundSession struct {
	user   uint32
	number int32
	to     int // its events end there
}

// sessionWorker lists sessions.
type sessionWorker struct {
	r       *sessionRun
	w       *streamWorker
	found   foundSessions
	later   []uint32
	account account
}

// left implements wideConsumer.
func (w *sessionWorker) left() []uint32 { return w.later }

// user implements streamConsumer.
func (w *sessionWorker) user(r *userRows) error {
	if only := w.w.stream.only; only != nil && !only.has(r.user) {
		return nil
	}
	from, ok := w.r.first(r.times)
	if !ok {
		w.later = append(w.later, r.user)
		return nil
	}
	f := &w.found
	sessions, events := len(f.list), len(f.refs)
	number := int32(0)
	for from < r.len() {
		to := w.r.end(r.times, from)
		if inRange(w.r.rng, r.times[from]) {
			if to == r.len() && w.r.goesOn(r.times, from) {
				f.list, f.refs, f.times = f.list[:sessions], f.refs[:events], f.times[:events]
				w.later = append(w.later, r.user)
				return nil
			}
			number++
			f.refs, f.times = append(f.refs, r.refs[from:to]...), append(f.times, r.times[from:to]...)
			f.list = append(f.list, foundSession{r.user, number, len(f.refs)})
		}
		from = to
	}
	w.account.add(16 * (len(f.refs) - events + len(f.list) - sessions))
	return nil
}

// find makes the run.
func (r *sessionRun) find(ctx context.Context) error {
	return r.wide.run(ctx, func(w *streamWorker) (streamConsumer, error) {
		return &sessionWorker{r: r, w: w, account: account{budget: r.x.Budget, purpose: "sessions"}}, nil
	})
}

// storedSessions runs session on stored events. needed are the columns that later stages name.
func (x *Execution) storedSessions(ctx context.Context, p *plan.Pipeline, s *syntax.Session, filter *condition, needed []string) (*table, error) {
	t, made, err := x.eventsTable(p)
	if err != nil {
		return nil, err
	}
	r := x.newSessionRun(&storedFeed{x: x, plan: p, filter: filter}, s)
	if err := r.find(ctx); err != nil {
		return nil, err
	}
	adder := newSessionAdder(t, needed)
	for _, workers := range r.wide.passes {
		for _, w := range workers {
			found := &w.consumer.(*sessionWorker).found
			rows, err := x.wholeRows(ctx, workers[0].stream.views, found.refs)
			if err != nil {
				return nil, err
			}
			for i := range rows {
				rows[i].values = valuesOf(made, &rows[i])
			}
			if err := r.add(ctx, adder, workers, found, rows); err != nil {
				return nil, err
			}
		}
	}
	out := adder.table()
	return out, sortRows(ctx, out.rows, func(a, b *row) int { return compareEvents(a.event, b.event) })
}

// sessions is the stage on a table. needed are the columns that later stages name.
func (x *Execution) sessions(ctx context.Context, t *table, s *syntax.Session, needed []string) (*table, error) {
	r := x.newSessionRun(&tableFeed{x: x, t: t}, s)
	if err := r.find(ctx); err != nil {
		return nil, err
	}
	adder := newSessionAdder(t, needed)
	var order []int // by row of the answer: its number in the table
	for _, workers := range r.wide.passes {
		for _, w := range workers {
			found := &w.consumer.(*sessionWorker).found
			rows := make([]row, len(found.refs))
			for i, ref := range found.refs {
				rows[i] = t.rows[ref.row()]
				order = append(order, ref.row())
			}
			if err := r.add(ctx, adder, workers, found, rows); err != nil {
				return nil, err
			}
		}
	}
	out := adder.table()
	placed := make([]*row, len(t.rows))
	for i := range out.rows {
		placed[order[i]] = &out.rows[i]
	}
	rows := make([]row, 0, len(out.rows))
	for _, r := range placed {
		if r != nil {
			rows = append(rows, *r)
		}
	}
	return out.with(rows), nil
}

// add adds the sessions that a worker has found; rows are their events.
func (r *sessionRun) add(ctx context.Context, a *sessionAdder, workers []*streamWorker, found *foundSessions, rows []row) error {
	users := make([]uint32, len(found.list))
	for i, s := range found.list {
		users[i] = s.user
	}
	who, err := r.wide.feed.users(workers, users)
	if err != nil {
		return err
	}
	r.x.Budget.Add("rows", len(rows)*(40+40*len(a.t.names)+56*len(a.needed))+120*len(users))
	from := 0
	for i, s := range found.list {
		if err := interrupted(ctx, i); err != nil {
			return err
		}
		a.session(who[i], s.number, rows[from:s.to], found.times[from:s.to])
		from = s.to
	}
	return r.x.Budget.Err()
}

// sessionAdder adds the columns of sessions to the rows of a table.
type sessionAdder struct {
	t      *table
	at     []int    // of SessionColumns among the names
	needed []string // session.entry.FIELD and session.exit.FIELD
}

func newSessionAdder(t *table, needed []string) *sessionAdder {
	out := t.with(nil)
	out.wide, out.gone, out.extra = false, map[string]bool{}, map[string]bool{}
	out.names = slices.Clone(t.names)
	for name := range t.gone {
		out.gone[name] = true
	}
	a := &sessionAdder{t: out}
	for _, name := range syntax.SessionColumns {
		if out.index(name) < 0 {
			out.names = append(out.names, name)
		}
		a.at = append(a.at, out.index(name))
	}
	for _, name := range needed {
		if _, _, ok := syntax.SessionColumn(name); ok && out.index(name) < 0 && !out.extra[name] {
			out.extra[name] = true
			a.needed = append(a.needed, name)
		}
	}
	return a
}

// session adds the rows of one session.
func (a *sessionAdder) session(user event.Value, number int32, rows []row, times []int64) {
	n := len(rows)
	first, last := rows[0].event, rows[n-1].event
	columns := []event.Value{
		event.String(sessionID(user, times[0])), event.Int(int64(number)), event.Int(int64(n)),
		event.Duration(times[n-1] - times[0]), event.String(first.Name), event.String(last.Name),
		{},
	}
	var extra []event.Field
	for _, name := range a.needed {
		exit, field, _ := syntax.SessionColumn(name)
		e := first
		if exit {
			e = last
		}
		extra = append(extra, event.Field{Name: name, Value: e.column(field)})
	}
	for i := range rows {
		columns[len(columns)-1] = event.Value{}
		if i+1 < n {
			columns[len(columns)-1] = event.Duration(times[i+1] - times[i])
		}
		values := make([]event.Value, len(a.t.names))
		copy(values, rows[i].values)
		for k, at := range a.at {
			values[at] = columns[k]
		}
		e := rows[i].event
		if len(extra) > 0 || len(e.extra) > 0 {
			e = &storedEvent{e.Event, extra}
		}
		for _, f := range e.Fields {
			if _, _, ok := syntax.SessionColumn(f.Name); ok {
				a.t.gone[f.Name] = true
			}
		}
		a.t.rows = append(a.t.rows, row{values, e})
	}
}

func (a *sessionAdder) table() *table { return a.t }

// sessionID joins the user and the time of the session's first event.
func sessionID(user event.Value, at int64) string {
	text := user.Text()
	if user.Kind() != event.KindString {
		text = string(event.AppendValue(nil, user))
	}
	return text + "@" + time.Unix(0, at).UTC().Format(time.RFC3339Nano)
}
