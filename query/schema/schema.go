// Package schema says what is stored: the names of events, the fields that events have, and the values
// of a field. It serves those who browse, and completion in a console.
//
// It reads no more than it must. What lies wholly in the time asked for is counted from the directories
// of segments, their dictionaries and the sizes of their postings; columns are read of segments that the
// time cuts, of those with hidden rows, and where a question is about the events of one name. Segments in
// memory that were never encoded count as any others.
//
// Counts are exact. So are numbers of distinct values, unless a page says how far off they may be. The
// times of the first and the last are bounds from directories, to the day or so, unless Exact is asked for.
package schema

import (
	"context"
	"encoding/base64"
	"errors"
	"math"
	"strings"

	"cairn/engine/event"
	"cairn/engine/segment"

	"github.com/RoaringBitmap/roaring/v2"
)

// Source is a snapshot of a tenant's events, as query.Source is.
type Source interface {
	// Segments returns readers that together hold every event of the range exactly once; they may hold
	// others beside.
	Segments(ctx context.Context, r event.TimeRange) ([]*segment.Reader, error)
}

// ErrCursor is returned for a cursor that no page gave.
var ErrCursor = errors.New("schema: not a cursor from an answer")

// ErrMemory is returned when values need more memory than Options.MemoryBytes.
var ErrMemory = errors.New("schema: more memory than is allowed")

// Options say which names are wanted. The zero value wants all of them, of all time.
type Options struct {
	// Range is the time of the events that count; nil is all of time.
	Range *event.TimeRange
	// Event, if not empty, lets only events of that name count.
	Event string
	// Prefix is what names begin with.
	Prefix string
	// Limit is how many there are on a page at most; 0 for no limit.
	Limit int
	// Cursor is the Cursor of the page before; empty for the first page.
	Cursor string
	// Exact finds the very times of the first and the last event that counts, which reads times of the
	// segments where these are.
	Exact bool
	// MemoryBytes is how much memory Values may use for what it counts, which grows with the distinct values of each
	// segment; 0 for no limit. The others hold one segment's values at a time.
	MemoryBytes int64
	// Numbers counts the distinct values of columns of numbers that have no dictionary, which reads them.
	Numbers bool
}

func (o *Options) rangeOrAll() event.TimeRange {
	if o.Range == nil {
		return event.AllTime
	}
	return *o.Range
}

// wanted returns a test for names on the page or behind it.
func (o *Options) wanted() (func(name string) bool, error) {
	after, given, err := parseCursor(o.Cursor)
	if err != nil {
		return nil, err
	}
	return func(name string) bool {
		return strings.HasPrefix(name, o.Prefix) && (!given || name > after)
	}, nil
}

// A cursor is the last name of a page in letters that need no quoting. n stands before, so that an
// empty name is not an empty cursor.
func cursorBehind(name string) string {
	return "n" + base64.RawURLEncoding.EncodeToString([]byte(name))
}

func parseCursor(text string) (name string, given bool, err error) {
	if text == "" {
		return "", false, nil
	}
	rest, ok := strings.CutPrefix(text, "n")
	decoded, err := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil {
		return "", false, ErrCursor
	}
	return string(decoded), true, nil
}

// part is a segment, and which of its rows count.
type part struct {
	*segment.Reader
	info     segment.Info
	rows     *roaring.Bitmap // nil: all
	from, to int64           // bounds of the times of these rows, inclusive
}

// parts finds the segments with rows that count.
func parts(ctx context.Context, src Source, opt *Options) ([]*part, error) {
	rng := opt.rangeOrAll()
	if rng.Empty() {
		return nil, nil
	}
	readers, err := src.Segments(ctx, rng)
	if err != nil {
		return nil, err
	}
	var out []*part
	for _, r := range readers {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		p := &part{Reader: r, info: r.Info()}
		if p.info.Rows == 0 || !contains(rng, p.info.TimeMin) && !rng.Overlaps(p.info.TimeMin, p.info.TimeMax) {
			continue
		}
		if err := p.choose(rng, opt.Event); err != nil {
			return nil, err
		}
		if p.rows == nil || !p.rows.IsEmpty() {
			out = append(out, p)
		}
	}
	return out, nil
}

// contains is rng.Contains, but for the last instant there is, which lies in a range without end.
func contains(rng event.TimeRange, at int64) bool {
	return rng.Contains(at) || at == math.MaxInt64 && rng.To == math.MaxInt64
}

// choose finds the rows that count.
func (p *part) choose(rng event.TimeRange, name string) error {
	p.from, p.to = max(p.info.TimeMin, rng.From), p.info.TimeMax
	if !contains(rng, p.info.TimeMax) {
		p.to = rng.To - 1
	}
	if name != "" {
		code, ok, err := p.Event().Find(event.String(name))
		if err != nil {
			return err
		}
		if !ok {
			p.rows = roaring.New()
			return nil
		}
		rows, ok, err := p.Event().Postings(code)
		if err != nil {
			return err
		}
		if !ok {
			return errors.New("schema: event names have no postings")
		}
		p.rows = rows
	}
	if !contains(rng, p.info.TimeMin) || !contains(rng, p.info.TimeMax) {
		inside, err := p.inRange(rng)
		if err != nil {
			return err
		}
		if p.rows != nil {
			inside.And(p.rows)
		}
		p.rows = inside
	}
	hidden, err := p.HiddenRows()
	if err != nil || hidden == nil {
		return err
	}
	if p.rows == nil {
		p.rows = roaring.Flip(hidden, 0, uint64(p.Len()))
	} else {
		p.rows = roaring.AndNot(p.rows, hidden)
	}
	return nil
}

// inRange returns the rows of a range of time.
func (p *part) inRange(rng event.TimeRange) (*roaring.Bitmap, error) {
	out := roaring.New()
	var times []int64
	var rows []uint32
	for b := range p.Blocks() {
		v, err := p.Time().Block(b)
		if err != nil {
			return nil, err
		}
		first, _ := p.BlockRange(b)
		times, rows = v.Ints(times[:0], nil), rows[:0]
		for i, at := range times {
			if contains(rng, at) {
				rows = append(rows, uint32(first+i))
			}
		}
		out.AddMany(rows)
	}
	return out, nil
}

// eachBlock calls visit for the blocks with rows of a set; sel are the rows within the block, nil for all
// of them. A set that is nil has all rows.
func (p *part) eachBlock(set *roaring.Bitmap, visit func(block int, sel []uint16) error) error {
	if set == nil {
		for b := range p.Blocks() {
			if err := visit(b, nil); err != nil {
				return err
			}
		}
		return nil
	}
	size := uint32(p.BlockRows())
	sel := make([]uint16, 0, size)
	buffer := make([]uint32, 4096)
	block := uint32(0)
	flush := func() error {
		if len(sel) == 0 {
			return nil
		}
		defer func() { sel = sel[:0] }()
		return visit(int(block), sel)
	}
	it := set.ManyIterator()
	for n := it.NextMany(buffer); n > 0; n = it.NextMany(buffer) {
		for _, row := range buffer[:n] {
			if row/size != block {
				if err := flush(); err != nil {
					return err
				}
				block = row / size
			}
			sel = append(sel, uint16(row%size))
		}
	}
	return flush()
}
