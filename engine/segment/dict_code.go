package segment

import (
	"encoding/binary"
	"strings"

	"cairn/engine/event"
	"cairn/index/packed"
)

// A dictionary is written as pages of neighbouring codes, each a chunk; the first holds all values
// that are not text.
//
//	page:  values that are not text, as a count and, if there are any,
//	         numbersInts    first (zigzag), gaps (patched)           all are ints
//	         numbersFloats  kind byte and 8 bytes each               otherwise
//	       texts: count, then in groups of 16 the first one whole and of the others
//	         the length shared with the one before, the length of the rest, the rest
//
// Which texts are strings, lists and objects is in the directory.
const (
	numbersInts  = 0
	numbersMixed = 1
)

const (
	// textGroup is the number of texts after which one is written whole.
	textGroup = 16
	// dictPageBytes is the text after which a page is full. A look-up of one value in a large
	// dictionary reads one page.
	dictPageBytes = 128 << 10
)

// dictPage says where a page starts.
type dictPage struct {
	first uint32 // code of its first value
	start string // a prefix of its first text; "" for the first page
}

// pageStartBytes bounds dictPage.start.
const pageStartBytes = 24

// appendPages encodes the dictionary.
func (d *Dictionary) appendPages() (pages []dictPage, data [][]byte) {
	texts := max(len(d.offsets)-1, 0)
	pageBytes := max(dictPageBytes, len(d.blob)/(maxChunkPart/2))
	for next := 0; next == 0 || next < texts; {
		page := dictPage{}
		var b []byte
		if next == 0 {
			b = d.appendNumbers(nil)
		} else {
			code := uint32(len(d.kinds) + next)
			page.first = code
			start := d.text(code)
			page.start = strings.Clone(start[:min(len(start), pageStartBytes)])
			b = binary.AppendUvarint(nil, 0)
		}
		end := next
		for end < texts && int(d.offsets[end]-d.offsets[next]) < pageBytes {
			end++
			// A page holds strings only, or lists only, or objects only, unless it is the first
			// of a small dictionary: starts of pages are compared with strings.
			if code := uint32(len(d.kinds) + end); next > 0 && (code == d.lists || code == d.objects) {
				break
			}
		}
		pages, data = append(pages, page), append(data, d.appendTexts(b, next, end))
		next = max(end, 1)
	}
	return pages, data
}

func (d *Dictionary) appendNumbers(dst []byte) []byte {
	n := len(d.kinds)
	dst = binary.AppendUvarint(dst, uint64(n))
	if n == 0 {
		return dst
	}
	ints := true
	for _, k := range d.kinds {
		ints = ints && k == event.KindInt
	}
	if !ints {
		dst = append(dst, numbersMixed)
		for i, k := range d.kinds {
			dst = append(dst, byte(k))
			dst = appendNumber(dst, k, d.nums[i])
		}
		return dst
	}
	dst = append(dst, numbersInts)
	dst = binary.AppendUvarint(dst, zigzag(int64(d.nums[0])))
	gaps := make([]uint64, n-1)
	for i := range gaps {
		gaps[i] = d.nums[i+1] - d.nums[i] - 1
	}
	return packed.AppendPatched(dst, gaps)
}

// appendNumber writes a null, bool, int or float; see cursor.number. Floats that are decimals take
// their exponent and digits, others 8 bytes.
func appendNumber(dst []byte, k event.Kind, bits uint64) []byte {
	switch k {
	case event.KindNull:
		return dst
	case event.KindFloat:
		for exp := range uint8(7) {
			if n, ok := toDecimal(bits, exp); ok {
				return binary.AppendUvarint(append(dst, exp), zigzag(n))
			}
		}
		return binary.LittleEndian.AppendUint64(append(dst, rawExp), bits)
	default:
		return binary.AppendUvarint(dst, zigzag(int64(bits)))
	}
}

func (c *cursor) number(k event.Kind) uint64 {
	switch k {
	case event.KindNull:
		return 0
	case event.KindFloat:
		exp := c.byte()
		if exp == rawExp {
			return c.uint64()
		}
		n := unzigzag(c.uvarint())
		if exp > maxDecimalExp {
			c.fail()
			return 0
		}
		return event.Float(float64(n) / pow10[exp]).Bits()
	case event.KindBool, event.KindInt:
		return uint64(unzigzag(c.uvarint()))
	default:
		c.fail()
		return 0
	}
}

func (d *Dictionary) appendTexts(dst []byte, from, to int) []byte {
	dst = binary.AppendUvarint(dst, uint64(to-from))
	base := len(d.kinds)
	last := ""
	for i := from; i < to; i++ {
		s := d.text(uint32(base + i))
		if (i-from)%textGroup == 0 {
			dst = appendText(dst, s)
		} else {
			shared := sharedPrefix(last, s)
			dst = binary.AppendUvarint(dst, uint64(shared))
			dst = appendText(dst, s[shared:])
		}
		last = s
	}
	return dst
}

func sharedPrefix(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// readPage adds the values of a page to d, which may have up to limit values in all.
func (d *Dictionary) readPage(c *cursor, limit int) error {
	if n := c.count(limit); n > 0 {
		if d.Len() > 0 {
			c.fail()
			return c.err
		}
		d.readNumbers(c, n)
	}
	// A text takes at least a byte.
	n := c.count(min(limit-min(d.Len(), limit), len(c.b)))
	if c.err != nil {
		return c.err
	}
	if d.offsets == nil {
		d.offsets = make([]uint32, 1, n+1)
	}
	d.blob = grow(d.blob, 0)
	last := 0
	for i := range n {
		shared := 0
		if i%textGroup != 0 {
			shared = c.count(len(d.blob) - last)
		}
		rest := c.text()
		if c.err != nil {
			return c.err
		}
		start := len(d.blob)
		if start+shared+len(rest) > maxDictBytes {
			c.fail()
			return c.err
		}
		d.blob = append(d.blob, d.blob[last:last+shared]...)
		d.blob = append(d.blob, rest...)
		last = start
		d.offsets = append(d.offsets, uint32(len(d.blob)))
	}
	return c.end()
}

func (d *Dictionary) readNumbers(c *cursor, n int) {
	form := c.byte()
	switch form {
	case numbersInts:
		first := uint64(unzigzag(c.uvarint()))
		gaps := make([]uint64, n-1)
		c.patched(gaps)
		if c.err != nil {
			return
		}
		d.kinds, d.nums = make([]event.Kind, n), make([]uint64, n)
		for i := range n {
			if i > 0 {
				first += gaps[i-1] + 1
			}
			d.kinds[i], d.nums[i] = event.KindInt, first
		}
	case numbersMixed:
		d.kinds, d.nums = make([]event.Kind, n), make([]uint64, n)
		for i := range n {
			d.kinds[i] = event.Kind(c.byte())
			d.nums[i] = c.number(d.kinds[i])
		}
	default:
		c.fail()
	}
}
