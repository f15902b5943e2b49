package schema

import (
	"encoding/binary"

	"cairn/engine/event"

	"github.com/axiomhq/hyperloglog"
	"github.com/cespare/xxhash/v2"
)

const (
	// exactMax is the number of distinct values up to which they are counted one by one; above it a
	// HyperLogLog of 16 KiB estimates.
	exactMax = 1 << 13
	// exactWork bounds the comparisons that are spent on a field before it is estimated all the same,
	// which happens when a great many segments have thousands of values each.
	exactWork = 1 << 20
	// sketchError is the standard error of a HyperLogLog with 2^14 registers.
	sketchError = 0.0081
)

// distinct counts distinct values of several segments.
type distinct struct {
	values  []event.Value // canonical, ascending, while they are counted one by one
	spare   []event.Value
	sketch  *hyperloglog.Sketch // nil: values are exact
	work    int
	unknown bool
	most    int // values of one segment
	buffer  []byte
}

// add adds values, nil for values that are not known.
func (d *distinct) add(values sorted) {
	if d.unknown = d.unknown || values == nil; d.unknown {
		return
	}
	n := values.Len()
	d.most = max(d.most, n)
	if d.work += n + len(d.values); d.sketch == nil && (n > exactMax || d.work > exactWork) {
		d.estimate()
	}
	if d.sketch != nil {
		for i := range n {
			d.insert(values.Value(i))
		}
		return
	}
	if d.merge(values); len(d.values) > exactMax {
		d.estimate()
	}
}

// merge adds values to those known.
func (d *distinct) merge(values sorted) {
	if d.has(values) {
		return
	}
	have, out := d.values, d.spare[:0]
	last := event.Value{}
	for i := range values.Len() {
		v := values.Value(i).Canonical()
		if v.IsNull() || v == last {
			continue
		}
		last = v
		for len(have) > 0 && event.Compare(have[0], v) < 0 {
			out, have = append(out, have[0]), have[1:]
		}
		if len(have) > 0 && have[0] == v {
			have = have[1:]
		}
		out = append(out, v)
	}
	out = append(out, have...)
	d.values, d.spare = out, d.values
}

// has reports whether all values are known, as they mostly are after a few segments.
func (d *distinct) has(values sorted) bool {
	have := d.values
	for i := range values.Len() {
		v := values.Value(i).Canonical()
		for len(have) > 0 && have[0] != v && event.Compare(have[0], v) < 0 {
			have = have[1:]
		}
		if (len(have) == 0 || have[0] != v) && !v.IsNull() {
			return false
		}
	}
	return true
}

// estimate goes over to a sketch.
func (d *distinct) estimate() {
	d.sketch = hyperloglog.NewNoSparse()
	for _, v := range d.values {
		d.insert(v)
	}
	d.values, d.spare = nil, nil
}

func (d *distinct) insert(v event.Value) {
	if v = v.Canonical(); v.IsNull() {
		return
	}
	d.buffer = append(d.buffer[:0], byte(v.Kind()))
	d.buffer = binary.LittleEndian.AppendUint64(d.buffer, v.Bits())
	d.buffer = append(d.buffer, v.Text()...)
	d.sketch.InsertHash(xxhash.Sum64(d.buffer))
}

// result returns the number of distinct values and its relative error; -1 if it is not known.
func (d *distinct) result() (n int64, relative float64) {
	switch {
	case d.unknown:
		return -1, 0
	case d.sketch == nil:
		return int64(len(d.values)), 0
	}
	return max(int64(d.sketch.Estimate()), int64(d.most)-1), sketchError // one of a segment's may be null
}
