package segment

import (
	"encoding/binary"
	"errors"

	"cairn/index/packed"
)

// errBytes is the inner error of decoders; the caller adds column and chunk.
var errBytes = errors.New("unexpected bytes")

// cursor reads a byte slice from front to back. After the first error it reads zeros, and err says so.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail() {
	c.err = errBytes
	c.b = nil
}

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.fail()
		return 0
	}
	x := c.b[0]
	c.b = c.b[1:]
	return x
}

func (c *cursor) uvarint() uint64 {
	x, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return x
}

// count reads a number that must not exceed limit.
func (c *cursor) count(limit int) int {
	x := c.uvarint()
	if x > uint64(limit) {
		c.fail()
		return 0
	}
	return int(x)
}

// bytes returns the next n bytes, shared.
func (c *cursor) bytes(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail()
		return nil
	}
	x := c.b[:n:n]
	c.b = c.b[n:]
	return x
}

// text reads a length and that many bytes.
func (c *cursor) text() []byte { return c.bytes(c.count(len(c.b))) }

func (c *cursor) uint64() uint64 {
	b := c.bytes(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// end reports an error if bytes are left.
func (c *cursor) end() error {
	if c.err == nil && len(c.b) > 0 {
		c.err = errBytes
	}
	return c.err
}

func appendText[T string | []byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// patched reads len(out) numbers.
func (c *cursor) patched(out []uint64) {
	if c.err != nil {
		return
	}
	rest, ok := packed.Patched(out, c.b)
	if !ok {
		c.fail()
		return
	}
	c.b = rest
}

// zigzag folds signed numbers so that those near zero are small.
func zigzag(x int64) uint64   { return uint64(x<<1) ^ uint64(x>>63) }
func unzigzag(x uint64) int64 { return int64(x>>1) ^ -int64(x&1) }
