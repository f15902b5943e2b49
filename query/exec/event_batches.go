package exec

// eventBatches cuts the events of chunks into batches, with their computed columns.
type eventBatches struct {
	w     *streamWorker
	made  madeSource
	tests []*rowTest // conditions that events have to fulfil
	owner []uint32   // by place: the session, or noSession for events that are left out; nil: no sessions

	sel              []uint16
	places, sessions []uint32
}

const noSession = ^uint32(0)

// each calls take for batches of the events of a chunk, and open before those of a segment.
func (e *eventBatches) each(c *chunk, open func(v *view) error, take func(b *batch) error) error {
	for i := range c.parts {
		from, to := c.part(i)
		if from == to {
			continue
		}
		v := e.w.stream.views[i].view
		if err := open(v); err != nil {
			return err
		}
		for _, t := range e.tests {
			if err := t.open(v); err != nil {
				return err
			}
		}
		size := uint32(v.reader.BlockRows())
		for place := from; place < to; {
			block := c.rowAt(i, place) / size
			place = e.gather(c, i, place, to, block*size, size)
			if len(e.sel) == 0 {
				continue
			}
			b := &batch{view: v, block: int(block), n: len(e.sel), sel: e.sel, made: e.made, places: e.places}
			if e.owner != nil {
				b.sessions = e.sessions
			}
			some, err := only(b, e.tests)
			if err != nil {
				return err
			}
			if some.n == 0 {
				continue
			}
			if err := take(some); err != nil {
				return err
			}
		}
	}
	return nil
}

// gather collects the rows of a block from a place on, and returns the place behind them.
func (e *eventBatches) gather(c *chunk, view int, place, to, first, size uint32) uint32 {
	e.sel, e.places, e.sessions = e.sel[:0], e.places[:0], e.sessions[:0]
	for ; place < to; place++ {
		row := c.rowAt(view, place) - first
		if row >= size {
			break
		}
		if e.owner != nil {
			owner := e.owner[place]
			if owner == noSession {
				continue
			}
			e.sessions = append(e.sessions, owner)
		}
		e.sel, e.places = append(e.sel, uint16(row)), append(e.places, place)
	}
	return place
}

// only returns what is left of a batch behind tests.
func only(b *batch, tests []*rowTest) (*batch, error) {
	for _, t := range tests {
		if b.n == 0 {
			break
		}
		var err error
		if b, err = t.of(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}
