package exec

import (
	"encoding/binary"

	"cairn/engine/event"
)

// kindTuple is the kind of several values in one; see tupleOf.
const kindTuple event.Kind = 254

// tupleText makes a text of values, another one for other values; absent is null and 1.0 is 1.
func tupleText(n int, value func(i int) event.Value) string {
	var text []byte
	for i := range n {
		v := value(i)
		if v = v.Canonical(); !v.Exists() {
			v = event.Null
		}
		text = append(text, byte(v.Kind()))
		text = binary.LittleEndian.AppendUint64(text, v.Bits())
		text = binary.AppendUvarint(text, uint64(len(v.Text())))
		text = append(text, v.Text()...)
	}
	return string(text)
}

// tupleName is tupleText of a list.
func tupleName(values []event.Value) string {
	return tupleText(len(values), func(i int) event.Value { return values[i] })
}

// tupleOf makes one value of several, absent if one of them is absent or null; tupleValues takes it apart.
func tupleOf(n int, value func(i int) event.Value) event.Value {
	for i := range n {
		if v := value(i); !v.Exists() {
			return event.Value{}
		}
	}
	return event.FromBits(kindTuple, 0, tupleText(n, value))
}

// tupleValues returns the values that were made one.
func tupleValues(v event.Value) []event.Value {
	if v.Kind() != kindTuple {
		return []event.Value{v}
	}
	var list []event.Value
	for text := v.Text(); len(text) > 0; {
		kind := event.Kind(text[0])
		bits := binary.LittleEndian.Uint64([]byte(text[1:9]))
		n, size := binary.Uvarint([]byte(text[9:min(len(text), 19)]))
		text = text[9+size:]
		list = append(list, event.FromBits(kind, bits, text[:n]))
		text = text[n:]
	}
	return list
}
