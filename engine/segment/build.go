package segment

import (
	"errors"
	"fmt"
)

// Build sorts the rows of the inputs by (user, time) and encodes them as one or more segments, cut
// where a user ends if possible. The inputs are only read. Without rows there are no segments.
func Build(inputs []Input, opt BuildOptions) ([]*Encoded, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	a := arrange(inputs, opt.DropUsers)
	return a.arranged.encode(opt)
}

// segmentBytes is about how much memory the values of one segment may take while it is built.
const segmentBytes = 768 << 20

// encode sorts the rows and encodes them, as many to a segment as it may have.
func (a *arranged) encode(opt BuildOptions) ([]*Encoded, error) {
	order := a.sorter.sort(a.rows, opt.pace)
	limit := opt.MaxBlocks * opt.BlockRows
	if a.sizeBytes > segmentBytes {
		perRow := a.sizeBytes/len(a.sorter.users) + 1
		limit = max(min(limit, segmentBytes/perRow), 1)
	}
	return a.encodeCut(order, limit, opt)
}

// encodeCut cuts the rows into segments of up to limit rows.
func (a *arranged) encodeCut(order []uint32, limit int, opt BuildOptions) ([]*Encoded, error) {
	var out []*Encoded
	for len(order) > 0 {
		n := cutAt(order, a.sorter.users, limit)
		e, err := a.encodeOne(order[:n], opt)
		switch {
		case errors.Is(err, errTooLarge) && n > 1:
			parts, err := a.encodeCut(order[:n], (n+1)/2, opt)
			if err != nil {
				return nil, err
			}
			out = append(out, parts...)
		case err != nil:
			return nil, err
		default:
			out = append(out, e)
		}
		order = order[n:]
	}
	return out, nil
}

// cutAt returns how many of the rows go into the next segment: all of them, or a fair part that
// ends with a user, or, if one user has more than limit rows, limit.
func cutAt(order, users []uint32, limit int) int {
	if len(order) <= limit {
		return len(order)
	}
	segments := (len(order) + limit - 1) / limit
	ends := func(n int) bool { return users[order[n-1]] != users[order[n]] }
	fair := (len(order) + segments - 1) / segments
	for n := fair; n <= limit; n++ {
		if ends(n) {
			return n
		}
	}
	for n := fair - 1; n > 0; n-- {
		if ends(n) {
			return n
		}
	}
	return limit
}

// encodeOne encodes rows as one segment.
func (a *arranged) encodeOne(order []uint32, opt BuildOptions) (*Encoded, error) {
	place := a.places(order)
	e := newEncoder(runsOf(order, a.sorter.users), len(order), opt)
	t := newTarget(len(order))
	t.pace = opt.pace
	for ordinal := range ordinalFields + len(a.fields) {
		name := ""
		if ordinal >= ordinalFields {
			name = a.fields[ordinal-ordinalFields]
		} else {
			name = systemNames[ordinal]
		}
		p, err := materialise(t, a.shares(ordinal, name, place))
		if err != nil {
			if !errors.Is(err, errTooLarge) {
				err = fmt.Errorf("segment: column %q: %w", name, err)
			}
			return nil, err
		}
		if ordinal >= ordinalFields {
			if p == nil {
				continue
			}
			p.codeNumbers(t)
		}
		e.add(name, p)
	}
	return e.finish()
}
