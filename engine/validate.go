package engine

import (
	"math"
	"time"

	"cairn/engine/column"
	"cairn/engine/event"
)

// checker finds the rows of a batch that cannot be stored. It looks at dictionaries rather than rows
// and at rows only if there is something to find.
type checker struct {
	limits Limits
	batch  *column.Batch
	result *Result
	bad    map[uint32]bool
	oldest int64 // first instant that is not too old
	newest int64 // last instant that is not too new
}

// check returns the rows to be left out; nil if all are good.
func (c *checker) check() map[uint32]bool {
	c.times()
	c.text(&c.batch.Event, ReasonBadEvent, ReasonNameTooLong, "event", c.limits.NameBytes)
	c.text(&c.batch.User, ReasonBadEvent, ReasonUserTooLong, "user", c.limits.UserBytes)
	c.text(&c.batch.ID, ReasonBadEvent, ReasonIDTooLong, "id", c.limits.IDBytes)
	for _, f := range c.batch.Fields {
		if f.Name == "" || len(f.Name) > c.limits.NameBytes {
			c.values(f, func(int) bool { return true }, ReasonNameTooLong, "1 to %d bytes are allowed in a field name", c.limits.NameBytes)
		}
		c.field(f)
	}
	if len(c.batch.Fields) > c.limits.Fields {
		c.countFields()
	}
	return c.bad
}

func (c *checker) reject(row uint32, reason, field, format string, args ...any) {
	if c.bad[row] {
		return
	}
	if c.bad == nil {
		c.bad = make(map[uint32]bool)
	}
	c.bad[row] = true
	c.result.reject(int(row), reason, field, format, args...)
}

func (c *checker) times() {
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for _, t := range c.batch.Time {
		low, high = min(low, t), max(high, t)
	}
	for row, t := range c.batch.Received {
		if t < timeMin || t > timeMax {
			c.reject(uint32(row), ReasonBadTime, "received", "an arrival outside the years 1679 to 2261")
		}
	}
	if low >= max(c.oldest, timeMin) && high <= min(c.newest, timeMax) {
		return
	}
	for row, t := range c.batch.Time {
		at := time.Unix(0, t).UTC().Format(time.RFC3339)
		switch {
		case t < timeMin || t > timeMax:
			c.reject(uint32(row), ReasonBadTime, "time", "%s is outside the years 1679 to 2261", at)
		case t > c.newest:
			c.reject(uint32(row), ReasonTimeTooNew, "time", "%s is too far ahead of the server's clock", at)
		case t < c.oldest:
			c.reject(uint32(row), ReasonTimeTooOld, "time", "%s is older than what the tenant keeps", at)
		}
	}
}

// text checks a column of names, users or ids.
func (c *checker) text(col *column.Column, emptyReason, longReason, what string, limit int) {
	var bad []bool
	_, ends := col.Dict.Raw()
	start := uint32(0)
	for i, end := range ends {
		if size := int(end - start); size == 0 || size > limit {
			if bad == nil {
				bad = make([]bool, len(ends))
			}
			bad[i] = true
		}
		start = end
	}
	if bad == nil {
		return
	}
	for i, code := range col.Bits {
		if !bad[code] {
			continue
		}
		if size := len(col.Dict.Bytes(uint32(code))); size == 0 {
			c.reject(uint32(col.Row(i)), emptyReason, what, "%s is empty", what)
		} else {
			c.reject(uint32(col.Row(i)), longReason, what, "%s has %d bytes, %d are allowed", what, size, limit)
		}
	}
}

func (c *checker) field(col *column.Column) {
	_, ends := col.Dict.Raw()
	start, longest := uint32(0), uint32(0)
	for _, end := range ends {
		longest, start = max(longest, end-start), end
	}
	if int(longest) > c.limits.ValueBytes {
		long := func(i int) bool {
			switch col.KindAt(i) {
			case event.KindString, event.KindList, event.KindObject:
				return len(col.Dict.Bytes(uint32(col.Bits[i]))) > c.limits.ValueBytes
			}
			return false
		}
		c.values(col, long, ReasonValueTooLong, "a value may have %d bytes", c.limits.ValueBytes)
	}
	switch {
	case col.Kinds != nil:
		c.values(col, func(i int) bool { return col.Kinds[i] == event.KindAbsent || col.Kinds[i] > event.KindObject },
			ReasonBadEvent, "a value of a kind that cannot be stored")
	case col.Kind == event.KindAbsent || col.Kind > event.KindObject:
		c.values(col, func(int) bool { return true }, ReasonBadEvent, "a value of a kind that cannot be stored")
	}
	if col.Kinds != nil || col.Kind == event.KindFloat {
		const infinity = 0x7ff << 52
		c.values(col, func(i int) bool {
			return col.Bits[i]&infinity == infinity && col.KindAt(i) == event.KindFloat
		}, ReasonBadEvent, "a number that is not finite")
	}
}

func (c *checker) values(col *column.Column, bad func(i int) bool, reason, format string, args ...any) {
	for i := range col.Bits {
		if bad(i) {
			c.reject(uint32(col.Row(i)), reason, col.Name, format, args...)
		}
	}
}

func (c *checker) countFields() {
	counts := make([]int, c.batch.Rows)
	for _, f := range c.batch.Fields {
		for i := range f.Bits {
			counts[f.Row(i)]++
		}
	}
	for row, n := range counts {
		if n > c.limits.Fields {
			c.reject(uint32(row), ReasonTooManyFields, "", "%d fields, %d are allowed", n, c.limits.Fields)
		}
	}
}
