package exec

import (
	"cairn/engine/event"
	"cairn/query/syntax"
)

// Expressions of the time that only ask for the hour, the weekday or a bin are constant within a quarter
// of an hour of UTC: the clocks of all zones differ from it by a multiple of that, and change so, since
// 1972. They are evaluated once for every quarter of a segment.
const (
	quarter      = 15 * 60 * int64(1e9)
	quartersFrom = 5 * 365 * 24 * 3600 * int64(1e9) // 1974-12-31
	quartersMax  = 1 << 16
)

// byQuarter reports whether e depends on nothing but the quarter of an hour of the column time.
func byQuarter(e syntax.Expr) bool {
	isTime := func(e syntax.Expr) bool {
		c, ok := e.(*syntax.Column)
		if !ok {
			return false
		}
		ref, ok := refOf(c)
		return ok && ref.source == sourceTime
	}
	found, coarse := false, true
	var look func(e syntax.Expr)
	look = func(e syntax.Expr) {
		switch e := e.(type) {
		case *syntax.Call:
			if (e.Name == "hour" || e.Name == "weekday") && len(e.Args) == 1 && isTime(e.Args[0]) {
				found = true
				return
			}
			for _, arg := range e.Args {
				look(arg)
			}
		case *syntax.Bin:
			if isTime(e.X) && (e.Span.Calendar() || e.Span.Elapsed()%quarter == 0) {
				found = true
				return
			}
			look(e.X)
		case *syntax.Unary:
			look(e.X)
		case *syntax.Binary:
			look(e.X)
			look(e.Y)
		case *syntax.In:
			look(e.X)
			for _, x := range e.List {
				look(x)
			}
		case *syntax.Literal:
		default:
			coarse = false
		}
	}
	look(e)
	return found && coarse
}

// openQuarters lays the quarters of the open segment out; ok is false if they are too many.
func (in *input) openQuarters() (ok bool) {
	from, to := in.view.info.TimeMin, in.view.info.TimeMax
	if from < quartersFrom || (to-from)/quarter+2 > quartersMax {
		return false
	}
	in.kind = inputBins
	in.starts = in.starts[:0]
	for at := from / quarter * quarter; at <= to; at += quarter {
		in.starts = append(in.starts, at)
	}
	in.memo = make([]event.Value, len(in.starts))
	in.known = make([]bool, len(in.starts))
	return true
}

// quarterCodes is binCodes of quarters.
func (in *input) quarterCodes(times []int64) []uint32 {
	codes := in.codeBuffer[:0]
	base, last := in.starts[0], uint32(len(in.starts)-1)
	for _, t := range times {
		codes = append(codes, min(last, uint32(max(0, t-base)/quarter)))
	}
	in.codeBuffer = codes
	return codes
}

// binValue returns the value in a bucket.
func (in *input) binValue(code uint32) event.Value {
	if !in.quarters {
		return event.Time(in.starts[code])
	}
	if !in.known[code] {
		in.known[code] = true
		in.one.value = event.Time(in.starts[code])
		in.memo[code] = in.program.value(&in.one)
	}
	return in.memo[code]
}
