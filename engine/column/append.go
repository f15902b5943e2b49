package column

import (
	"unsafe"

	"cairn/engine/event"
)

// AppendBatch adds rows of another batch, ascending, nil for all. It returns, for each string of the
// other batch's user dictionary, its number in this builder's, or NoPart if no row has it; the slice is
// valid until the next call. Arrivals are copied if the other batch has any.
func (b *Builder) AppendBatch(in *Batch, rows []uint32) []uint32 {
	first := b.batch.Rows
	b.batch.Time = b.batch.Time[:first]
	b.place = resize(b.place, in.Rows)
	place := b.place
	if rows == nil {
		for i := range place {
			place[i] = uint32(first + i)
		}
		b.batch.Time = append(b.batch.Time, in.Time...)
		b.batch.Rows += in.Rows
	} else {
		for i := range place {
			place[i] = NoPart
		}
		for i, row := range rows {
			place[row] = uint32(first + i)
			b.batch.Time = append(b.batch.Time, in.Time[row])
		}
		b.batch.Rows += len(rows)
	}
	if in.Received != nil {
		for i, at := range place {
			if at != NoPart {
				b.batch.Received = append(b.batch.Received[:at], in.Received[i])
			}
		}
	}
	b.numbers = copyColumn(&b.batch.Event, &in.Event, place, b.numbers)
	b.users = copyColumn(&b.batch.User, &in.User, place, b.users)
	b.numbers = copyColumn(&b.batch.ID, &in.ID, place, b.numbers)
	for _, c := range in.Fields {
		b.numbers = copyColumn(b.Column(unsafe.Slice(unsafe.StringData(c.Name), len(c.Name))), c, place, b.numbers)
	}
	return b.users
}

// resize returns a slice of n numbers in the memory of another, if it is enough.
func resize(s []uint32, n int) []uint32 {
	if cap(s) < n {
		return make([]uint32, n)
	}
	return s[:n]
}

// FillReceived sets the arrival of all events from number from on.
func (b *Builder) FillReceived(from int, nanos int64) {
	b.batch.Received = b.batch.Received[:from]
	for len(b.batch.Received) < b.batch.Rows {
		b.batch.Received = append(b.batch.Received, nanos)
	}
}

// copyColumn appends the values of the rows that have a place. It returns the numbers that strings got,
// in the memory of numbers.
func copyColumn(dst, src *Column, place, numbers []uint32) []uint32 {
	numbers = resize(numbers, src.Dict.Len())
	for i := range numbers {
		numbers[i] = NoPart
	}
	for i, bits := range src.Bits {
		row := place[src.Row(i)]
		if row == NoPart {
			continue
		}
		kind := src.KindAt(i)
		switch kind {
		case event.KindString, event.KindList, event.KindObject:
			if numbers[bits] == NoPart {
				numbers[bits] = dst.Dict.Intern(src.Dict.Bytes(uint32(bits)))
			}
			bits = uint64(numbers[bits])
		}
		dst.appendBits(row, kind, bits)
	}
	return numbers
}
