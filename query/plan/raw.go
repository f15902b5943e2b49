package plan

import "cairn/query/syntax"

// Raw reports whether the rows of the pipeline are events, newest first, behind stages that look at each
// row by itself or count rows: whoever wants the rows may take them piece by piece, from the newest on.
func (p *Pipeline) Raw() bool {
	op, ok := p.First.(*Events)
	if !ok || op.Wide {
		return false
	}
	for _, s := range p.Rest {
		switch s := s.(type) {
		case *syntax.Events, *syntax.Offset:
		case *syntax.Limit:
			if s.By != nil {
				return false
			}
		default:
			if !IsRowwise(s) {
				return false
			}
		}
	}
	return true
}

// Bound lets a raw pipeline read no more events than n rows of its answer need, where that can be told
// beforehand.
func (p *Pipeline) Bound(n int64) {
	op, ok := p.First.(*Events)
	if !ok || op.Limit >= 0 || !p.Raw() {
		return
	}
	skip := int64(0)
	for _, s := range p.Rest {
		switch s := s.(type) {
		case *syntax.Offset:
			skip += s.N
		case *syntax.Where, *syntax.Limit:
			return
		}
	}
	if skip >= 0 && skip+n >= 0 {
		op.Limit = skip + n
	}
}
