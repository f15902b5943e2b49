package column

import "cairn/engine/event"

// AppendBatch adds rows of another batch, ascending, nil for all. It returns, for each string of the
// other batch's user dictionary, its number in this builder's, or NoPart if no row has it. Arrivals
// are copied if the other batch has any.
func (b *Builder) AppendBatch(in *Batch, rows []uint32) []uint32 {
	first := b.batch.Rows
	place := make([]uint32, in.Rows)
	if rows == nil {
		for i := range place {
			place[i] = uint32(first + i)
		}
		b.batch.Time = append(b.batch.Time[:first], in.Time...)
		b.batch.Rows += in.Rows
	} else {
		for i := range place {
			place[i] = NoPart
		}
		b.batch.Time = b.batch.Time[:first]
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
	copyColumn(&b.batch.Event, &in.Event, place)
	users := copyColumn(&b.batch.User, &in.User, place)
	copyColumn(&b.batch.ID, &in.ID, place)
	for _, c := range in.Fields {
		copyColumn(b.Column([]byte(c.Name)), c, place)
	}
	return users
}

// FillReceived sets the arrival of all events from number from on.
func (b *Builder) FillReceived(from int, nanos int64) {
	b.batch.Received = b.batch.Received[:from]
	for len(b.batch.Received) < b.batch.Rows {
		b.batch.Received = append(b.batch.Received, nanos)
	}
}

func copyColumn(dst, src *Column, place []uint32) []uint32 {
	numbers := make([]uint32, src.Dict.Len())
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
