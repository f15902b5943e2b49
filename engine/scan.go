package engine

import (
	"cmp"
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/engine/segment"
)

// scanRows is the number of rows in flight of a scan: what is sorted at once, about.
const scanRows = 1 << 18

// ScanOptions select events of a Scan. The zero value selects none: set Range.
type ScanOptions struct {
	Range event.TimeRange
	// Events are the event names wanted; nil: all.
	Events []string
	// Users are the users wanted, with all ids that are linked to theirs; nil: all, also events without a
	// user.
	Users []string
	// Select is asked about each event that Events and Users let through; nil: all. It must not
	// keep the event.
	Select func(*event.Event) bool
}

// Scan calls yield for every selected event in the order of time; events of one time come in an order
// that depends on nothing but their content. The event may be kept, its strings share memory with
// nothing but each other. An error of yield ends the scan and is returned. The user of an event is the id
// that it came with.
func (s *Snapshot) Scan(ctx context.Context, opt ScanOptions, yield func(*event.Event) error) error {
	if s.err != nil || opt.Range.Empty() {
		return s.err
	}
	raw := s.Raw()
	sc := &scanner{snapshot: raw, opt: opt, yield: yield, names: make(map[uint32]string)}
	if opt.Users != nil {
		sc.users = make(map[uint32]bool)
		for _, name := range opt.Users {
			id, ok, err := s.UserID(name)
			if err != nil {
				return err
			}
			switch links := s.links(); {
			case !ok:
			case links == nil:
				sc.users[id] = true
			default:
				for _, id := range s.tenant.links.ids(links, id) {
					sc.users[id] = true
				}
			}
		}
		if len(sc.users) == 0 {
			return nil
		}
	}
	readers, err := raw.Segments(ctx, opt.Range)
	if err != nil {
		return err
	}
	sources := make([]scanSource, 0, len(readers))
	for _, r := range readers {
		info := r.Info()
		sources = append(sources, scanSource{r, info.TimeMin, info.TimeMax, info.Rows})
	}
	slices.SortFunc(sources, func(a, b scanSource) int { return cmp.Compare(a.from, b.from) })
	for len(sources) > 0 {
		n, to := 1, sources[0].to
		for n < len(sources) && sources[n].from <= to {
			to = max(to, sources[n].to)
			n++
		}
		if err := sc.group(ctx, sources[:n], sources[0].from, to); err != nil {
			return err
		}
		sources = sources[n:]
	}
	return nil
}

type scanSource struct {
	reader   *segment.Reader
	from, to int64 // inclusive
	rows     int
}

type scanner struct {
	snapshot *Snapshot
	opt      ScanOptions
	yield    func(*event.Event) error
	users    map[uint32]bool // nil: all
	names    map[uint32]string
}

// place is a selected row.
type place struct {
	time   int64
	source uint32
	row    uint32
}

// group scans sources whose times overlap, window by window.
func (sc *scanner) group(ctx context.Context, sources []scanSource, from, to int64) error {
	from, to = max(from, sc.opt.Range.From), min(to, sc.opt.Range.To-1)
	if from > to {
		return nil
	}
	rows := 0
	for _, s := range sources {
		rows += s.rows
	}
	windows := int64(rows/scanRows + 1)
	step := (to-from)/windows + 1
	for start := from; start <= to; {
		end := to
		if step <= to-start {
			end = start + step - 1
		}
		if err := sc.window(ctx, sources, start, end); err != nil {
			return err
		}
		if end == to {
			return nil
		}
		start = end + 1
	}
	return nil
}

func (sc *scanner) window(ctx context.Context, sources []scanSource, from, to int64) error {
	var places []place
	for i, s := range sources {
		if s.from > to || s.to < from {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if places, err = sc.find(places, uint32(i), s.reader, from, to); err != nil {
			return err
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.source, b.source), cmp.Compare(a.row, b.row))
	})
	const batch = 4096
	for len(places) > 0 {
		n := min(batch, len(places))
		for n < len(places) && places[n].time == places[n-1].time {
			n++
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := sc.emit(sources, places[:n]); err != nil {
			return err
		}
		places = places[n:]
	}
	return nil
}

// find appends the rows of a reader that lie in the window, are not hidden and have a wanted user and name.
func (sc *scanner) find(places []place, source uint32, r *segment.Reader, from, to int64) ([]place, error) {
	wanted, err := sc.wantedEvents(r)
	if err != nil || wanted != nil && len(wanted) == 0 {
		return places, err
	}
	hidden, err := r.HiddenRows()
	if err != nil {
		return nil, err
	}
	var times []int64
	var codes, users []uint32
	for b := range r.Blocks() {
		v, err := r.Time().Block(b)
		if err != nil {
			return nil, err
		}
		times = v.Ints(times[:0], nil)
		if wanted != nil {
			v, err := r.Event().Block(b)
			if err != nil {
				return nil, err
			}
			codes = v.Codes(codes[:0], nil)
		}
		if sc.users != nil {
			if users, err = r.RowUsers(b); err != nil {
				return nil, err
			}
		}
		first, _ := r.BlockRange(b)
		for i, at := range times {
			if at < from || at > to || wanted != nil && !wanted[codes[i]] || sc.users != nil && !sc.users[users[i]] {
				continue
			}
			if hidden != nil && hidden.Contains(uint32(first+i)) {
				continue
			}
			places = append(places, place{at, source, uint32(first + i)})
		}
	}
	return places, nil
}

// wantedEvents returns the codes of the wanted names, nil for all.
func (sc *scanner) wantedEvents(r *segment.Reader) (map[uint32]bool, error) {
	if sc.opt.Events == nil {
		return nil, nil
	}
	out := make(map[uint32]bool)
	for _, name := range sc.opt.Events {
		code, ok, err := r.Event().Find(event.String(name))
		if err != nil {
			return nil, err
		}
		if ok {
			out[code] = true
		}
	}
	return out, nil
}

// emit reads the rows and hands them on in order.
func (sc *scanner) emit(sources []scanSource, places []place) error {
	rows := make([]segment.Row, len(places))
	bySource := make(map[uint32][]int)
	for i, p := range places {
		bySource[p.source] = append(bySource[p.source], i)
	}
	for source, at := range bySource {
		slices.SortFunc(at, func(a, b int) int { return cmp.Compare(places[a].row, places[b].row) })
		numbers := make([]uint32, len(at))
		for i, j := range at {
			numbers[i] = places[j].row
		}
		got, err := sources[source].reader.Rows(numbers)
		if err != nil {
			return err
		}
		for i, j := range at {
			rows[j] = got[i]
		}
	}
	if err := sc.nameUsers(rows); err != nil {
		return err
	}
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Event.Time == rows[0].Event.Time {
			n++
		}
		slices.SortStableFunc(rows[:n], func(a, b segment.Row) int { return compareEvents(&a.Event, &b.Event) })
		for i := range rows[:n] {
			e := &rows[i].Event
			if sc.opt.Select != nil && !sc.opt.Select(e) {
				continue
			}
			if err := sc.yield(e); err != nil {
				return err
			}
		}
		rows = rows[n:]
	}
	return nil
}

// scanNames bounds the user names that a scan remembers.
const scanNames = 1 << 18

func (sc *scanner) nameUsers(rows []segment.Row) error {
	if len(sc.names) > scanNames {
		clear(sc.names)
	}
	var missing []uint32
	for i := range rows {
		u := rows[i].User
		if _, ok := sc.names[u]; !ok && u != segment.NoUser {
			sc.names[u] = ""
			missing = append(missing, u)
		}
	}
	if len(missing) > 0 {
		names, err := sc.snapshot.UserNames(missing)
		if err != nil {
			return err
		}
		for i, u := range missing {
			sc.names[u] = names[i]
		}
	}
	for i := range rows {
		if u := rows[i].User; u != segment.NoUser {
			rows[i].Event.User = sc.names[u]
		}
	}
	return nil
}

// compareEvents is a total order of events of one time.
func compareEvents(a, b *event.Event) int {
	c := cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Received, b.Received))
	if c != 0 {
		return c
	}
	return slices.CompareFunc(a.Fields, b.Fields, func(x, y event.Field) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), event.Compare(x.Value, y.Value))
	})
}
