package query

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sort"
	"strings"

	"cairn/engine/event"
	"cairn/engine/segment"

	"github.com/RoaringBitmap/roaring/v2"
)

// userScan goes through the events of one user in the order of time, instant by instant. A segment is
// looked into when its times are reached, and then read a stretch of rows at a time, so that a page costs
// what it holds and little more. It is used by one goroutine.
type userScan struct {
	user      uint32
	name      string // of the user
	rng       event.TimeRange
	event     string // the name of the events wanted; "" is all
	ascending bool   // oldest first

	waiting []*segment.Reader // not looked into yet, in the order of their nearest instants
	open    []*userPiece
}

// userRow is a row of a segment.
type userRow struct {
	reader *segment.Reader
	row    uint32
}

// userPiece is what a segment holds for a userScan. The candidates are numbered from first to last: rows of the
// user or, where postings tell, those of them that have the name.
type userPiece struct {
	reader      *segment.Reader
	first, last int             // candidates not read yet, [first, last)
	postings    *roaring.Bitmap // nil: the candidates are the rows of these numbers
	byCode      bool            // only candidates with the code of the name are wanted
	code        uint32
	step        int // how many candidates to read next

	rows  []uint32 // read and not handed out yet, ascending
	times []int64
	sel   []uint16
	codes []uint32
}

// Stretches of rows grow from the first step to the last.
const (
	userStepFirst = 128
	userStepLast  = 4096
)

// newUserScan makes a scan of a user; ok is false for one that the source does not know.
func newUserScan(ctx context.Context, src Source, name string, rng event.TimeRange) (s *userScan, ok bool, err error) {
	user, ok, err := src.UserID(name)
	if err != nil || !ok {
		return nil, false, err
	}
	s = &userScan{user: user, name: name, rng: rng}
	names, err := src.UserNames([]uint32{user})
	if err != nil {
		return nil, false, err
	}
	if names[0] != "" {
		s.name = names[0]
	}
	s.waiting, err = src.Segments(ctx, rng)
	return s, err == nil, err
}

// order puts the segments into the order in which they are reached.
func (s *userScan) order() {
	slices.SortStableFunc(s.waiting, func(a, b *segment.Reader) int {
		if s.ascending {
			return cmp.Compare(a.Info().TimeMin, b.Info().TimeMin)
		}
		return cmp.Compare(b.Info().TimeMax, a.Info().TimeMax)
	})
}

// sooner reports whether one instant comes before another.
func (s *userScan) sooner(a, b int64) bool {
	if s.ascending {
		return a < b
	}
	return a > b
}

// next appends the rows of the next instant to dst; ok is false behind the last one.
func (s *userScan) next(ctx context.Context, dst []userRow) (at int64, rows []userRow, ok bool, err error) {
	for {
		at, ok = s.nearest()
		if len(s.waiting) == 0 {
			break
		}
		info := s.waiting[0].Info()
		reached := info.TimeMax
		if s.ascending {
			reached = info.TimeMin
		}
		if ok && s.sooner(at, reached) {
			break
		}
		if err := s.look(ctx, s.waiting[0]); err != nil {
			return 0, dst, false, err
		}
		s.waiting = s.waiting[1:]
	}
	if !ok {
		return 0, dst, false, nil
	}
	for i := 0; i < len(s.open); i++ {
		p := s.open[i]
		for len(p.rows) > 0 && p.at(s.ascending) == at {
			dst = append(dst, userRow{p.reader, p.take(s.ascending)})
			if len(p.rows) == 0 {
				if err := s.fill(ctx, p); err != nil {
					return 0, dst, false, err
				}
			}
		}
	}
	s.open = slices.DeleteFunc(s.open, func(p *userPiece) bool { return len(p.rows) == 0 })
	return at, dst, true, nil
}

// nearest returns the next instant of the open pieces.
func (s *userScan) nearest() (at int64, ok bool) {
	for _, p := range s.open {
		if have := p.at(s.ascending); !ok || s.sooner(have, at) {
			at, ok = have, true
		}
	}
	return at, ok
}

// look opens a segment.
func (s *userScan) look(ctx context.Context, r *segment.Reader) error {
	info := r.Info()
	if !s.rng.Overlaps(info.TimeMin, info.TimeMax) && (s.rng.To != math.MaxInt64 || info.TimeMax < s.rng.From) {
		return nil
	}
	from, to, err := r.UserRows(s.user)
	if err != nil || from == to {
		return err
	}
	p := &userPiece{reader: r, step: userStepFirst}
	if s.event != "" {
		code, ok := slices.BinarySearchFunc(info.Events, s.event, func(e segment.EventInfo, name string) int { return strings.Compare(e.Name, name) })
		if !ok {
			return nil
		}
		p.code = uint32(code)
	}
	if from, to, err = s.within(p.reader, from, to); err != nil || from == to {
		return err
	}
	p.first, p.last = from, to
	if s.event != "" {
		set, ok, err := r.Event().Postings(p.code)
		if err != nil {
			return err
		}
		if p.byCode = !ok; ok {
			p.postings = set
			p.first, p.last = rankBelow(set, from), rankBelow(set, to)
		}
	}
	if err := s.fill(ctx, p); err != nil || len(p.rows) == 0 {
		return err
	}
	s.open = append(s.open, p)
	return nil
}

// rankBelow counts the members below a row.
func rankBelow(set *roaring.Bitmap, row int) int {
	if row == 0 {
		return 0
	}
	return int(set.Rank(uint32(row) - 1))
}

// within narrows the rows of the user to the range; they ascend by time.
func (s *userScan) within(r *segment.Reader, from, to int) (int, int, error) {
	info := r.Info()
	var err error
	search := func(limit int64) int {
		return from + sort.Search(to-from, func(i int) bool {
			at, failed := timeOf(r, from+i)
			if failed != nil {
				err = failed
			}
			return at >= limit
		})
	}
	first, last := from, to
	if info.TimeMin < s.rng.From {
		first = search(s.rng.From)
	}
	if info.TimeMax >= s.rng.To && s.rng.To != math.MaxInt64 {
		last = search(s.rng.To)
	}
	return first, max(first, last), err
}

// timeOf returns the time of a row.
func timeOf(r *segment.Reader, row int) (int64, error) {
	block := row / r.BlockRows()
	vector, err := r.Time().Block(block)
	if err != nil {
		return 0, err
	}
	first, _ := r.BlockRange(block)
	return vector.Value(row-first, nil).AsInt(), nil
}

// fill reads stretches until one holds a row that is wanted, or none is left.
func (s *userScan) fill(ctx context.Context, p *userPiece) error {
	for len(p.rows) == 0 && p.first < p.last {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		from, to := p.first, min(p.last, p.first+p.step)
		if !s.ascending {
			from, to = max(p.first, p.last-p.step), p.last
		}
		p.step = min(2*p.step, userStepLast)
		if err := p.read(from, to); err != nil {
			return err
		}
		if s.ascending {
			p.first = to
		} else {
			p.last = from
		}
	}
	return nil
}

// read makes the candidates [from, to), as far as they are wanted, those to be handed out.
func (p *userPiece) read(from, to int) error {
	p.rows, p.times = p.rows[:0], p.times[:0]
	if p.postings == nil {
		for row := from; row < to; row++ {
			p.rows = append(p.rows, uint32(row))
		}
	} else {
		first, err := p.postings.Select(uint32(from))
		if err != nil {
			return err
		}
		it := p.postings.Iterator()
		for it.AdvanceIfNeeded(first); len(p.rows) < to-from; {
			p.rows = append(p.rows, it.Next())
		}
	}
	size := uint32(p.reader.BlockRows())
	kept := 0
	for start := 0; start < len(p.rows); {
		block := p.rows[start] / size
		p.sel = p.sel[:0]
		end := start
		for ; end < len(p.rows) && p.rows[end]/size == block; end++ {
			p.sel = append(p.sel, uint16(p.rows[end]%size))
		}
		if p.byCode {
			vector, err := p.reader.Event().Block(int(block))
			if err != nil {
				return err
			}
			p.codes = vector.Codes(p.codes[:0], p.sel)
			n := 0
			for i, code := range p.codes {
				if code == p.code {
					p.sel[n] = p.sel[i]
					n++
				}
			}
			p.sel = p.sel[:n]
		}
		vector, err := p.reader.Time().Block(int(block))
		if err != nil {
			return err
		}
		p.times = vector.Ints(p.times, p.sel)
		for _, row := range p.sel {
			p.rows[kept] = block*size + uint32(row)
			kept++
		}
		start = end
	}
	p.rows = p.rows[:kept]
	return nil
}

// at returns the instant of the next row, take hands the row out.
func (p *userPiece) at(ascending bool) int64 {
	if ascending {
		return p.times[0]
	}
	return p.times[len(p.times)-1]
}

func (p *userPiece) take(ascending bool) (row uint32) {
	if ascending {
		row = p.rows[0]
		p.rows, p.times = p.rows[1:], p.times[1:]
		return row
	}
	last := len(p.rows) - 1
	row = p.rows[last]
	p.rows, p.times = p.rows[:last], p.times[:last]
	return row
}

// events reads rows whole, in their order. Hidden fields are left out, the others are by name.
func (s *userScan) events(ctx context.Context, rows []userRow) ([]event.Event, error) {
	out := make([]event.Event, len(rows))
	byReader := map[*segment.Reader][]int{}
	for i, r := range rows {
		byReader[r.reader] = append(byReader[r.reader], i)
	}
	for reader, places := range byReader {
		slices.SortFunc(places, func(a, b int) int { return cmp.Compare(rows[a].row, rows[b].row) })
		for part := range slices.Chunk(places, userStepLast) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			wanted := make([]uint32, len(part))
			for i, place := range part {
				wanted[i] = rows[place].row
			}
			stored, err := reader.Rows(wanted)
			if err != nil {
				return nil, err
			}
			for i, place := range part {
				e := stored[i].Event
				e.User = s.name
				for len(e.Fields) > 0 && strings.HasPrefix(e.Fields[0].Name, "\x00") {
					e.Fields = e.Fields[1:]
				}
				out[place] = e
			}
		}
	}
	return out, nil
}
