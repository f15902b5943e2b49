package query

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
)

// userCursor is the place of an event among those of its user: by content, so that nothing that is stored,
// merged or arrives later moves it. As text it is base64 of
//
//	version 1, order (0 newest first, 1 oldest first), time 8, received 8, hash 16, same uvarint,
//	length of the name uvarint, name, id up to the end
type userCursor struct {
	time     int64
	name     string
	id       string
	received int64
	hash     [16]byte
	same     int // how many events that are alike in everything come before it
}

const userCursorVersion = 1

func (c *userCursor) text(ascending bool) string {
	b := []byte{userCursorVersion, 0}
	if ascending {
		b[1] = 1
	}
	b = binary.BigEndian.AppendUint64(b, uint64(c.time))
	b = binary.BigEndian.AppendUint64(b, uint64(c.received))
	b = append(b, c.hash[:]...)
	b = binary.AppendUvarint(b, uint64(c.same))
	b = binary.AppendUvarint(b, uint64(len(c.name)))
	b = append(b, c.name...)
	b = append(b, c.id...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseUserCursor reads what text wrote for an order.
func parseUserCursor(text string, ascending bool) (*userCursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	const fixed = 2 + 8 + 8 + 16
	switch {
	case err != nil || len(b) < fixed || b[0] != userCursorVersion || b[1] > 1:
		return nil, fmt.Errorf("%w: it is none that was given", ErrCursor)
	case (b[1] == 1) != ascending:
		return nil, fmt.Errorf("%w: it is that of the other order", ErrCursor)
	}
	c := &userCursor{time: int64(binary.BigEndian.Uint64(b[2:])), received: int64(binary.BigEndian.Uint64(b[10:]))}
	copy(c.hash[:], b[18:])
	b = b[fixed:]
	same, n := binary.Uvarint(b)
	if n <= 0 || same > math.MaxInt32 {
		return nil, fmt.Errorf("%w: it is cut short", ErrCursor)
	}
	b = b[n:]
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return nil, fmt.Errorf("%w: it is cut short", ErrCursor)
	}
	b = b[n:]
	c.same, c.name, c.id = int(same), string(b[:length]), string(b[length:])
	return c, nil
}
