package segment

import (
	"errors"
	"fmt"
	"slices"

	"cairn/engine/event"
	"cairn/index/bloom"

	"github.com/RoaringBitmap/roaring/v2"
)

// Verify reads everything, past the cache where it can, and checks every checksum, the order of rows
// and dictionaries, and the directory and every index against the columns. The error joins all that
// is wrong; each part matches ErrCorrupt. A hot segment is right by construction.
func (r *Reader) Verify() error {
	if r.sealed == nil {
		return nil
	}
	v := &verifier{reader: r, sealed: r.sealed}
	v.checksums()
	if err := v.rows(); err != nil {
		v.errs = append(v.errs, err)
		return errors.Join(v.errs...)
	}
	for i := range r.sealed.columns {
		if r.sealed.columns[i].present > 0 {
			if err := v.column(i); err != nil {
				v.errs = append(v.errs, err)
			}
		}
	}
	return errors.Join(v.errs...)
}

type verifier struct {
	reader *Reader
	sealed *sealed
	errs   []error
}

func (v *verifier) bad(id ChunkID, format string, args ...any) error {
	return v.sealed.corrupt(id, fmt.Errorf(format, args...))
}

// ids lists the chunks that the directory promises.
func (s *sealed) ids() []ChunkID {
	ids := []ChunkID{makeChunkID(ordinalEvent, chunkUsers, 0)}
	if s.events > 0 {
		ids = append(ids, makeChunkID(ordinalEvent, chunkUsers, 1))
	}
	for i := range s.columns {
		m := &s.columns[i]
		for part := range m.data {
			ids = append(ids, makeChunkID(i, chunkData, part))
		}
		for part := range m.pages {
			ids = append(ids, makeChunkID(i, chunkDict, part))
		}
		if m.postings > 0 {
			ids = append(ids, makeChunkID(i, chunkPostings, 0))
		}
		if m.bloom > 0 {
			ids = append(ids, makeChunkID(i, chunkBloom, 0))
		}
	}
	slices.Sort(ids)
	return ids
}

// ChunkIDs lists the chunks, ascending, that the segment has outside its directory. A hot segment
// has none.
func (r *Reader) ChunkIDs() []ChunkID {
	if r.sealed == nil {
		return nil
	}
	return slices.DeleteFunc(r.sealed.ids(), func(id ChunkID) bool {
		_, inline := r.sealed.inlineChunk(id)
		return inline
	})
}

// checksums reads every chunk that the directory promises.
func (v *verifier) checksums() {
	for _, id := range v.sealed.ids() {
		if _, err := v.sealed.chunk(id); err != nil {
			v.errs = append(v.errs, err)
		}
	}
}

// rows checks users, times and event names with what is derived from them.
func (v *verifier) rows() error {
	info := &v.sealed.info
	runs, err := v.reader.users.runs()
	if err != nil {
		return err
	}
	times, err := v.ints(v.reader.time)
	if err != nil {
		return err
	}
	id := makeChunkID(ordinalTime, chunkData, 0)
	for i := range runs.users {
		for row := runs.starts[i] + 1; row < runs.starts[i+1]; row++ {
			if times[row] < times[row-1] {
				return v.bad(id, "row %d is out of order", row)
			}
		}
	}
	if slices.Min(times) != info.TimeMin || slices.Max(times) != info.TimeMax {
		return v.bad(id, "the directory has other bounds")
	}
	received, err := v.ints(v.reader.recv)
	if err != nil {
		return err
	}
	if slices.Min(received) != info.ReceivedMin || slices.Max(received) != info.ReceivedMax {
		return v.bad(makeChunkID(ordinalReceived, chunkData, 0), "the directory has other bounds")
	}
	codes, _, err := v.reader.eventCodes()
	if err != nil {
		return err
	}
	if !slices.Equal(infoOfEvents(v.sealed.eventDict, codes, runs), info.Events) {
		return v.bad(makeChunkID(ordinalEvent, chunkData, 0), "the directory has other counts of events")
	}
	id = makeChunkID(ordinalEvent, chunkUsers, 1)
	for code, want := range runs.byEvent(codes, len(info.Events)) {
		got, err := v.reader.EventUsers(uint32(code))
		if err != nil {
			return err
		}
		if !got.Equals(want) {
			return v.bad(id, "wrong users of event %q", info.Events[code].Name)
		}
	}
	return nil
}

func (v *verifier) ints(c *Column) ([]int64, error) {
	out := make([]int64, 0, v.reader.rows)
	for b := range v.reader.Blocks() {
		vector, err := c.uncachedBlock(b)
		if err != nil {
			return nil, err
		}
		out = vector.Ints(out, nil)
	}
	return out, nil
}

// column checks one column against its dictionary, statistics and indexes.
func (v *verifier) column(ordinal int) error {
	r := v.reader
	c := r.column(ordinal, v.sealed.columns[ordinal].name)
	m := c.data.(*sealedColumn).meta
	d, err := c.uncachedDict()
	if err != nil {
		return err
	}
	dictID := makeChunkID(ordinal, chunkDict, 0)
	if d != nil {
		if d.kindSet() != m.kinds {
			return v.bad(dictID, "the directory has other kinds")
		}
		for i := 1; i < d.Len(); i++ {
			a, b := d.Value(uint32(i-1)), d.Value(uint32(i))
			if order := event.Compare(a, b); order > 0 || order == 0 && a.Bits() == b.Bits() {
				return v.bad(dictID, "value %d is out of order", i)
			}
		}
	}
	rows, nulls, err := v.codes(c, d)
	if err != nil {
		return err
	}
	present := 0
	for code, list := range rows {
		present += len(list)
		if d != nil && len(list) == 0 {
			return v.bad(dictID, "value %d is in no row", code)
		}
	}
	if present != m.present || nulls != m.nulls {
		return v.bad(makeChunkID(ordinal, chunkData, 0), "%d values and %d nulls, the directory has %d and %d", present, nulls, m.present, m.nulls)
	}
	if d == nil {
		return nil
	}
	if about := m; !about.min.IsAbsent() {
		lo, hi := zone(d.Value(0), d.Value(uint32(d.Len()-1)))
		if lo != about.min || hi != about.max {
			return v.bad(dictID, "the directory has other bounds")
		}
	}
	return v.indexes(c, m, d, rows)
}

// codes returns the rows of each code; those of a numeric column all as one.
func (v *verifier) codes(c *Column, d *Dictionary) (rows [][]uint32, nulls int, err error) {
	n := 1
	if d != nil {
		n = d.Len()
	}
	rows = make([][]uint32, n)
	var codes []uint32
	for b := range v.reader.Blocks() {
		vector, err := c.uncachedBlock(b)
		if err != nil {
			return nil, 0, err
		}
		from, _ := v.reader.BlockRange(b)
		if d == nil {
			for row := range vector.Rows {
				if vector.Has(row) {
					rows[0] = append(rows[0], uint32(from+row))
				}
			}
			continue
		}
		codes = vector.Codes(codes[:0], nil)
		for i, code := range codes {
			if code == AbsentCode {
				continue
			}
			rows[code] = append(rows[code], uint32(from+i))
			if d.Kind(code) == event.KindNull {
				nulls++
			}
		}
	}
	return rows, nulls, nil
}

func (v *verifier) indexes(c *Column, m *columnMeta, d *Dictionary, rows [][]uint32) error {
	if m.postings > 0 {
		for code, want := range rows {
			got, _, err := c.Postings(uint32(code))
			if err != nil {
				return err
			}
			if !got.Equals(roaring.BitmapOf(want...)) {
				return v.bad(makeChunkID(c.ordinal, chunkPostings, 0), "wrong rows of value %d", code)
			}
		}
	}
	if m.bloom == 0 {
		return nil
	}
	f, err := c.data.(*sealedColumn).filter()
	if err != nil {
		return err
	}
	from, to := d.StringRange()
	for code := from; code < to; code++ {
		if !f.MayContain(bloom.Hash(d.text(code))) {
			return v.bad(makeChunkID(c.ordinal, chunkBloom, 0), "value %d is missing", code)
		}
	}
	return nil
}
