package query

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"cairn/query/syntax"
)

// Key names the answer to a query: whenever two queries have one key, Run gives them the same rows. It is
// the snapshot's ID, a hyphen, and a hash of what was asked, in letters that an ETag may have. How a query
// is spaced does not matter, nor do Workers, MemoryBytes and Timeout; what format an answer is written in
// is not in it.
//
// A query that depends on the clock (last 7d, now, did with a duration, a funnel's pending, the periods of
// a retention that are not over) has another key for every Options.Now. Who wants to recognise its answers
// rounds Now, to the minute say, and uses the same for Key and Run.
//
// Errors are those of the text and the options, as Run has them.
func Key(src Source, text string, opt Options) (string, error) {
	r, err := newRun(src, text, opt)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	zone := r.calendar.Location() // a fixed zone may have any name
	fmt.Fprintf(h, "%s\n%s %s\n%d\n%d %d\n", r.query, zone, time.Unix(0, 0).In(zone).Format("-070000"), r.calendar.Week(), r.opt.Limit, r.opt.RawLimit)
	if r.opt.Range != nil {
		fmt.Fprintf(h, "%d to %d\n", r.opt.Range.From, r.opt.Range.To)
	}
	if usesClock(r.query) {
		fmt.Fprintf(h, "at %d\n", r.now)
	}
	return src.ID() + "-" + hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// usesClock reports whether an answer may depend on the time at which it is given.
func usesClock(q *syntax.Query) bool {
	for _, let := range q.Lets {
		if pipelineUsesClock(let.Body) {
			return true
		}
	}
	return pipelineUsesClock(&q.Pipeline)
}

func pipelineUsesClock(p *syntax.Pipeline) bool {
	if r := p.Range; r != nil && (r.Kind == syntax.RangeLast || r.From.Kind == syntax.InstantNow || r.To.Kind == syntax.InstantNow && r.Kind == syntax.RangeBetween) {
		return true
	}
	found := selectorUsesClock(p.Selector)
	for _, s := range p.Stages {
		switch s.(type) {
		case *syntax.Funnel, *syntax.Retention:
			return true
		}
		for _, selector := range syntax.Selectors(s) {
			found = found || selectorUsesClock(selector)
		}
		syntax.Exprs(s, func(e syntax.Expr) { found = found || exprUsesClock(e) })
	}
	return found
}

func selectorUsesClock(s *syntax.Selector) bool {
	for _, t := range s.Terms {
		if t.Cond != nil && exprUsesClock(t.Cond) {
			return true
		}
	}
	return false
}

func exprUsesClock(e syntax.Expr) bool {
	found := false
	syntax.Walk(e, func(e syntax.Expr) bool {
		if did, ok := e.(*syntax.Did); ok && did.Last > 0 {
			found = true
		}
		return !found
	})
	return found
}
