package lookup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"unicode/utf8"

	"github.com/golang/snappy"

	"cairn/engine/event"
)

const version = 1

// bodyMax bounds the body of a stored table, before snappy.
const bodyMax = 256 << 20

// ErrTooLarge is returned by Encode for a table whose stored form would be too large.
var ErrTooLarge = errors.New("the side table is too large to be stored")

// ErrCorrupt is in every error of Decode.
var ErrCorrupt = errors.New("the side table is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// The tags of values.
const (
	tagNull = iota
	tagFalse
	tagTrue
	tagInt
	tagFloat
	tagString
)

// Encode returns the table's stored form, or ErrTooLarge.
func (t *Table) Encode() ([]byte, error) {
	body := binary.AppendUvarint(nil, uint64(len(t.columns)))
	body = binary.AppendUvarint(body, uint64(len(t.keys)))
	body = binary.AppendUvarint(body, uint64(t.rows))
	for _, key := range t.keys {
		body = binary.AppendUvarint(body, uint64(key))
	}
	for _, name := range t.columns {
		body = binary.AppendUvarint(body, uint64(len(name)))
		body = append(body, name...)
	}
	for column := range t.columns {
		for i := column; i < len(t.values); i += len(t.columns) {
			body = appendValue(body, t.values[i])
		}
		if len(body) > bodyMax {
			return nil, ErrTooLarge
		}
	}
	out := append(make([]byte, 0, 1+snappy.MaxEncodedLen(len(body))+4), version)
	out = append(out, snappy.Encode(nil, body)...)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli)), nil
}

func appendValue(dst []byte, v event.Value) []byte {
	switch v.Kind() {
	case event.KindBool:
		if v.AsBool() {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	case event.KindInt:
		return binary.AppendVarint(append(dst, tagInt), v.AsInt())
	case event.KindFloat:
		return binary.LittleEndian.AppendUint64(append(dst, tagFloat), v.Bits())
	case event.KindString:
		dst = binary.AppendUvarint(append(dst, tagString), uint64(len(v.AsString())))
		return append(dst, v.AsString()...)
	default:
		return append(dst, tagNull)
	}
}

// Decode reads what Encode has written. It shares no memory with stored.
func Decode(stored []byte) (*Table, error) {
	corrupt := func(what string) error { return fmt.Errorf("%w: %s", ErrCorrupt, what) }
	if len(stored) < 6 {
		return nil, corrupt("too short")
	}
	in, sum := stored[:len(stored)-4], binary.LittleEndian.Uint32(stored[len(stored)-4:])
	if crc32.Checksum(in, castagnoli) != sum {
		return nil, corrupt("its checksum is wrong")
	}
	if in[0] != version {
		return nil, corrupt(fmt.Sprintf("version %d is not known", in[0]))
	}
	n, err := snappy.DecodedLen(in[1:])
	if err != nil || n > bodyMax {
		return nil, corrupt("its length is wrong")
	}
	body, err := snappy.Decode(nil, in[1:])
	if err != nil {
		return nil, corrupt(err.Error())
	}
	d := decoder{rest: string(body)}
	columns, keys, rows := d.count(ColumnsMax), d.count(ColumnsMax), d.count(math.MaxInt32)
	numbers := make([]int, keys)
	for i := range numbers {
		numbers[i] = d.count(max(columns-1, 0))
	}
	names := make([]string, columns)
	for i := range names {
		names[i] = d.text()
	}
	if columns == 0 || columns*rows > len(d.rest) { // each value has a byte at least
		d.bad = true
	}
	if d.bad {
		return nil, corrupt("its head is wrong")
	}
	values := make([]event.Value, columns*rows)
	for column := range columns {
		for row := range rows {
			values[row*columns+column] = d.value()
		}
	}
	if d.bad || d.rest != "" {
		return nil, corrupt("its values are wrong")
	}
	key := make([]string, keys)
	for i, number := range numbers {
		key[i] = names[number]
	}
	t, err := New(names, key, values)
	if err != nil {
		return nil, corrupt(err.Error())
	}
	return t, nil
}

// decoder takes a body apart; bad says that it was not one.
type decoder struct {
	rest string
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(d.rest) && i < binary.MaxVarintLen64; i++ {
		c := d.rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			return v
		}
	}
	d.bad, d.rest = true, ""
	return 0
}

func (d *decoder) count(most int) int {
	n := d.uvarint()
	if n > uint64(most) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad = true
		return ""
	}
	text := d.rest[:n]
	d.rest = d.rest[n:]
	d.bad = d.bad || !utf8.ValidString(text)
	return text
}

func (d *decoder) value() event.Value {
	if d.rest == "" {
		d.bad = true
		return event.Null
	}
	tag := d.rest[0]
	d.rest = d.rest[1:]
	switch tag {
	case tagNull:
		return event.Null
	case tagFalse, tagTrue:
		return event.Bool(tag == tagTrue)
	case tagInt:
		n := d.uvarint()
		return event.Int(int64(n>>1) ^ -int64(n&1))
	case tagFloat:
		if len(d.rest) < 8 {
			break
		}
		f := math.Float64frombits(binary.LittleEndian.Uint64([]byte(d.rest[:8])))
		d.rest = d.rest[8:]
		d.bad = d.bad || math.IsNaN(f) || math.IsInf(f, 0)
		return event.Float(f)
	case tagString:
		return event.String(d.text())
	}
	d.bad = true
	return event.Null
}
