package exec

import (
	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// input reads one expression for the batches of a worker. What it does with a row depends on how the
// segment holds the columns: it looks a dictionary code up in a table, takes numbers as they are, or
// evaluates. It is used by one goroutine.
type input struct {
	x       *Execution
	program *program
	bins    *scalar.Bins // not nil: the expression is a bin of the time column
	cuts    []int64      // not nil: the buckets are the stretches between these instants instead
	direct  bool         // the expression is nothing but a column
	coarse  bool         // the expression depends on the quarter of an hour alone
	made    int          // the number of the computed column that it is, if it is one

	*inputView
	kept map[*view]*inputView // not nil: segments are turned to again and again

	reader *rowReader
	one    codeRow

	codeBuffer  []uint32
	intBuffer   []int64
	floatBuffer []float64
	okBuffer    []bool
	values      []event.Value
	users       []uint32

	property *userValues // inputPerUser: see program.property
}

// inputView is what an input knows of a segment.
type inputView struct {
	view      *view
	quarters  bool // inputBins: the buckets are quarters of an hour, see quarters.go
	kind      inputKind
	value     event.Value         // inputConst
	column    *segment.Column     // inputCodes, inputNumbers, inputBins
	dict      *segment.Dictionary // inputCodes
	starts    []int64             // inputBins: the buckets of the segment
	memo      []event.Value       // inputCodes: by code+1, if known
	known     []bool
	last      *segment.Vector // of the column, that of lastBlock
	lastBlock int
	byCode    []uint32 // of a keyColumn
	small     []int32  // of a quantileAggregate
}

type inputKind uint8

const (
	inputConst   inputKind = iota // one value for all rows
	inputCodes                    // a function of the code of one dictionary column
	inputNumbers                  // a numeric column itself
	inputBins                     // a bin of the time column
	inputUser                     // the user
	inputPerUser                  // a function of what is known of the user
	inputMade                     // a computed column
	inputRows                     // evaluated row by row
)

// binsMax is how many buckets a segment may have for them to be laid out before.
const binsMax = 1 << 17

func (x *Execution) newInput(e syntax.Expr) (*input, error) {
	p, err := x.program(e)
	if err != nil {
		return nil, err
	}
	in := &input{x: x, program: p, one: codeRow{p: p}, inputView: &inputView{}}
	if x.made != nil {
		in.kept = map[*view]*inputView{}
	}
	switch e := e.(type) {
	case *syntax.Column:
		var ref columnRef
		if ref, in.direct = refOf(e); ref.source == sourceMade && x.made != nil {
			in.made = x.made.number(ref.name)
		}
	case *syntax.Bin:
		if ref, ok := isColumnOf(e.X); ok && ref.source == sourceTime {
			in.bins = x.Calendar.Bins(e.Span, x.Range.From)
		}
	}
	in.coarse = len(p.refs) == 1 && p.refs[0].source == sourceTime && byQuarter(e)
	return in, nil
}

// open turns to a segment; nil stands for none, where all columns are computed.
func (in *input) open(v *view) error {
	if in.kept != nil {
		if in.inputView = in.kept[v]; in.inputView != nil {
			return nil
		}
		in.inputView = &inputView{}
		in.kept[v] = in.inputView
	}
	in.view, in.last = v, nil
	in.memo, in.known = nil, nil
	in.kind, in.quarters = inputRows, false
	p := in.program
	switch {
	case len(p.refs) == 0:
		in.setConst(p.value(&codeRow{p: p}))
		return nil
	case len(p.refs) > 1 || in.x.Knobs.NoDictEval && in.cuts == nil && p.refs[0].source != sourceMade:
		return in.openRows()
	}
	ref := p.refs[0]
	switch ref.source {
	case sourceMade:
		switch {
		case in.x.made == nil:
			in.setConst(p.value(&codeRow{p: p}))
			return nil
		case in.direct:
			in.kind = inputMade
			return nil
		}
		return in.openRows()
	case sourceUser:
		switch {
		case in.direct:
			in.kind = inputUser
			return nil
		case !p.named():
			in.kind, in.property = inputPerUser, p.property()
			return nil
		}
		return in.openRows()
	case sourceTime, sourceReceived:
		in.column = stored(v.reader, ref)
		switch {
		case in.bins != nil:
			return in.openBins()
		case in.direct && (ref.source == sourceTime || v.info.ReceivedMin > 0):
			in.kind = inputNumbers
			return nil
		case in.coarse && in.openQuarters():
			in.quarters = true
			return nil
		}
		return in.openRows()
	}
	in.column = stored(v.reader, ref)
	if in.column == nil {
		in.setConst(p.value(&codeRow{p: p}))
		return nil
	}
	dict, err := in.column.Dict()
	if err != nil {
		return err
	}
	if dict == nil {
		if in.direct {
			in.kind = inputNumbers
			return nil
		}
		return in.openRows()
	}
	in.kind, in.dict = inputCodes, dict
	return nil
}

func (in *input) setConst(v event.Value) { in.kind, in.value = inputConst, v }

func (in *input) openRows() error {
	in.kind = inputRows
	if in.reader == nil {
		in.reader = newRowReader(in.x, in.program)
	}
	return nil
}

func (in *input) openBins() error {
	from := max(in.view.info.TimeMin, in.x.readRange.From)
	to := max(from, min(in.view.info.TimeMax, in.x.readRange.To-1))
	if in.cuts != nil {
		in.starts = in.cuts[max(0, scalar.Find(in.cuts, from)) : scalar.Find(in.cuts, to)+1]
	} else {
		if start := in.bins.Start(from); in.bins.End(from) > to {
			in.setConst(event.Time(start))
			return nil
		}
		if in.coarse && in.openQuarters() {
			in.quarters = true
			return nil
		}
		starts, ok := in.bins.Starts(from, to+1, binsMax)
		if !ok {
			return in.openRows()
		}
		in.starts = starts
	}
	if len(in.starts) == 1 {
		in.setConst(event.Time(in.starts[0]))
		return nil
	}
	in.kind = inputBins
	return nil
}

// vector returns a block of the column.
func (in *input) vector(block int) (*segment.Vector, error) {
	if in.last != nil && in.lastBlock == block {
		return in.last, nil
	}
	var err error
	in.lastBlock = block
	in.last, err = in.column.Block(block)
	return in.last, err
}

// codes returns the dictionary codes of a batch, AbsentCode where there is none. The slice is valid
// until the next call.
func (in *input) codes(b *batch) ([]uint32, error) {
	vector, err := in.vector(b.block)
	if err != nil {
		return nil, err
	}
	in.codeBuffer = vector.Codes(in.codeBuffer[:0], b.sel)
	return in.codeBuffer, nil
}

// codeValue returns the expression's value where the column has a code (AbsentCode: no value).
func (in *input) codeValue(code uint32) event.Value {
	if in.direct {
		if code == segment.AbsentCode {
			return event.Value{}
		}
		return in.dict.Value(code)
	}
	if in.memo == nil {
		in.memo = make([]event.Value, in.dict.Len()+1)
		in.known = make([]bool, in.dict.Len()+1)
	}
	slot := code + 1
	if !in.known[slot] {
		in.known[slot] = true
		in.one.value = event.Value{}
		if code != segment.AbsentCode {
			in.one.value = in.dict.Value(code)
		}
		in.memo[slot] = in.program.value(&in.one)
	}
	return in.memo[slot]
}

// binCodes returns the number in starts of the bucket of every row. Rows outside of the buckets,
// which the filter has not let through, get a bucket nearby.
func (in *input) binCodes(b *batch) ([]uint32, error) {
	vector, err := in.vector(b.block)
	if err != nil {
		return nil, err
	}
	in.intBuffer = vector.Ints(in.intBuffer[:0], b.sel)
	if in.quarters {
		return in.quarterCodes(in.intBuffer), nil
	}
	codes := in.codeBuffer[:0]
	starts := in.starts
	last := len(starts) - 1
	at, from, to := 0, starts[0], starts[min(1, last)]
	for _, t := range in.intBuffer {
		if t < from || t >= to {
			at = max(0, scalar.Find(starts, t))
			from, to = starts[at], 1<<63-1
			if at < last {
				to = starts[at+1]
			}
		}
		codes = append(codes, uint32(at))
	}
	in.codeBuffer = codes
	return codes, nil
}

// each returns the expression's value in every row of a batch. The slice is valid until the next
// call.
func (in *input) each(b *batch) ([]event.Value, error) {
	if cap(in.values) < b.n {
		in.values = make([]event.Value, max(b.n, 1024))
	}
	out := in.values[:b.n]
	switch in.kind {
	case inputConst:
		for i := range out {
			out[i] = in.value
		}
	case inputCodes:
		codes, err := in.codes(b)
		if err != nil {
			return nil, err
		}
		for i, c := range codes {
			out[i] = in.codeValue(c)
		}
	case inputBins:
		codes, err := in.binCodes(b)
		if err != nil {
			return nil, err
		}
		for i, c := range codes {
			out[i] = in.binValue(c)
		}
	case inputNumbers:
		vector, err := in.vector(b.block)
		if err != nil {
			return nil, err
		}
		ref := in.program.refs[0]
		for i := range out {
			out[i] = storedValue(ref, vector.Value(b.row(i), nil))
		}
	case inputUser:
		if err := in.x.names.load(in.x, b.view); err != nil {
			return nil, err
		}
		ids, err := b.view.reader.RowUsers(b.block)
		if err != nil {
			return nil, err
		}
		for i := range out {
			out[i] = in.x.names.value(ids[b.row(i)])
		}
	case inputPerUser:
		users, err := b.users(in.users[:0])
		if err != nil {
			return nil, err
		}
		in.users = users
		for i, u := range users {
			if i > 0 && u == users[i-1] {
				out[i] = out[i-1]
			} else {
				out[i] = in.perUser(u)
			}
		}
	case inputMade:
		c, err := b.made.column(in.made)
		if err != nil {
			return nil, err
		}
		if c.special != madePlain {
			if err := b.made.named(c); err != nil {
				return nil, err
			}
		}
		for i := range out {
			out[i] = c.at(c.index(b, i))
		}
	default:
		if err := in.reader.openBatch(b); err != nil {
			return nil, err
		}
		for i := range out {
			in.reader.turn(b, i)
			out[i] = in.program.value(in.reader)
		}
	}
	return out, nil
}

// numbers is the input of a batch as numbers of one kind.
type numbers struct {
	kind   event.Kind // KindInt, KindTime, KindDuration: ints; KindFloat: floats
	ints   []int64
	floats []float64
	ok     []bool // nil: all
}

// numbers returns the rows of a batch if they are a numeric column's; ok is false if they are to be
// taken one by one from each.
func (in *input) numbers(b *batch) (n numbers, ok bool, err error) {
	if in.kind == inputMade {
		c, err := b.made.column(in.made)
		if err != nil {
			return n, false, err
		}
		n, ok = c.numbers(b, in.intBuffer[:0], in.okBuffer[:0])
		if ok && cap(n.ints) > cap(in.intBuffer) && (c.byEvent || b.sessions != nil) {
			in.intBuffer = n.ints[:0]
		}
		return n, ok, nil
	}
	if in.kind != inputNumbers {
		return n, false, nil
	}
	vector, err := in.vector(b.block)
	if err != nil {
		return n, false, err
	}
	n.kind = vector.Kind
	if n.kind == event.KindInt {
		in.intBuffer = vector.Ints(in.intBuffer[:0], b.sel)
		n.ints = in.intBuffer
		if in.program.refs[0].source != sourceField {
			n.kind = event.KindTime
		}
	} else {
		in.floatBuffer = vector.Floats(in.floatBuffer[:0], b.sel)
		n.floats = in.floatBuffer
	}
	if vector.Present != nil {
		in.okBuffer = vector.AppendPresent(in.okBuffer[:0], b.sel)
		n.ok = in.okBuffer
	}
	return n, true, nil
}
