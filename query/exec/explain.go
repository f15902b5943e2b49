package exec

import (
	"context"
	"fmt"
	"sort"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// Step is what one pipeline would read.
type Step struct {
	Name       string   `json:"name,omitempty"` // of a named result
	Operator   string   `json:"operator"`       // what is done with the events that pass
	Stages     []string `json:"stages,omitempty"`
	Filter     string   `json:"filter,omitempty"`
	Columns    []string `json:"columns"`
	Partitions int      `json:"partitions"` // distinct [from, to) that segments cover
	// SegmentsInRange overlap the time range; Segments of them may hold a row that passes.
	SegmentsInRange int      `json:"segments_in_range"`
	Segments        int      `json:"segments"`
	Blocks          int      `json:"blocks"`
	Rows            int      `json:"rows"` // that pass what indexes can tell, or of whole blocks
	Bytes           int      `json:"bytes"`
	Answers         []Answer `json:"index"`
}

// Answer says what answered a condition, and in how many segments.
type Answer struct {
	Condition string `json:"condition"`
	By        string `json:"by"` // directory, index, dictionary, zone map, scan, rows
	Segments  int    `json:"segments"`
}

// Explain describes a plan. Conditions are looked up in dictionaries and indexes; no block is read.
func (x *Execution) Explain(ctx context.Context, p *plan.Pipeline) (*Step, error) {
	x.prepare()
	x.explaining = true
	s := &Step{Operator: describe(p.First)}
	for _, stage := range p.Rest {
		s.Stages = append(s.Stages, syntax.StageString(stage))
	}
	if p.Filter != nil {
		s.Filter = syntax.ExprString(p.Filter)
	}
	filter, err := x.compile(p.Filter)
	if err != nil {
		return nil, err
	}
	rng := x.readsOf(p.First)
	scan, err := x.newScan(ctx, rng, filter)
	if err != nil {
		return nil, err
	}
	columns := x.columnsOf(p)
	bitmaps := x.answeredByBitmaps(p)
	if bitmaps {
		columns = nil
	}
	for _, ref := range columns {
		s.Columns = append(s.Columns, ref.String())
	}
	s.SegmentsInRange = len(scan.views)
	days := map[[2]int64]bool{}
	answers := map[Answer]int{}
	for _, v := range scan.views {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		b, err := x.bindRange(filter, v.view, rng)
		if err != nil {
			return nil, err
		}
		b = v.visible(b.resolve())
		if bitmaps {
			answers[Answer{Condition: "users of event names", By: "users"}]++
		}
		if err := x.answers(filter, v.view, answers); err != nil {
			return nil, err
		}
		if !v.inside(rng) {
			answers[Answer{Condition: "time range", By: "scan"}]++
		}
		if b.nothing() {
			continue
		}
		days[[2]int64{x.Calendar.Day(v.info.TimeMin), x.Calendar.Day(v.info.TimeMax)}] = true
		s.Segments++
		s.addSegment(v.view, b, columns)
	}
	s.Partitions = len(days)
	for a, n := range answers {
		a.Segments = n
		s.Answers = append(s.Answers, a)
	}
	sort.Slice(s.Answers, func(i, j int) bool {
		a, b := s.Answers[i], s.Answers[j]
		if a.Condition != b.Condition {
			return a.Condition < b.Condition
		}
		return a.By < b.By
	})
	return s, nil
}

func (s *Step) addSegment(v *view, b *bound, columns []columnRef) {
	rows, blocks := v.info.Rows, v.reader.Blocks()
	if b.op == boundRows || b.op == boundAnd {
		rows = b.first().Count(v.info.Rows)
		if bits, not := b.first().Bitmap(); !not && bits != nil {
			blocks = 0
			size := v.reader.BlockRows()
			for block := range v.reader.Blocks() {
				if bits.IntersectsWithInterval(uint64(block*size), uint64((block+1)*size)) {
					blocks++
				}
			}
		}
	}
	s.Rows += rows
	s.Blocks += blocks
	for _, ref := range columns {
		if c := stored(v.reader, ref); c != nil && !v.reader.Hot() {
			s.Bytes += c.Info().Bytes.Total * blocks / max(1, v.reader.Blocks())
		}
	}
}

// readsOf is the range that an operator reads of: a window may reach beyond that of the query.
func (x *Execution) readsOf(op plan.Operator) event.TimeRange {
	if b, ok := op.(*plan.Behaviour); ok {
		switch s := b.Stage.(type) {
		case *syntax.Funnel:
			return longer(x.Range, s.Within)
		case *syntax.Match:
			return longer(x.Range, s.Within)
		}
	}
	return x.Range
}

// answers notes what answers every leaf of a condition in a segment.
func (x *Execution) answers(c *condition, v *view, into map[Answer]int) error {
	if c == nil {
		return nil
	}
	if c.op != conditionLeaf {
		for _, kid := range c.kids {
			if err := x.answers(kid, v, into); err != nil {
				return err
			}
		}
		return nil
	}
	b, err := x.bindLeaf(c, v)
	if err != nil {
		return err
	}
	a := Answer{Condition: syntax.ExprString(c.program.expr)}
	switch b.op {
	case boundRows:
		switch {
		case b.set.Empty() && len(c.refs) == 1 && c.test.op == testEqual:
			a.By = "filter" // zone map, bloom filter or dictionary
		case b.set.Empty() || b.set.Full():
			a.By = "dictionary"
		case c.refs[0].source == sourceUser:
			a.By = "users"
		default:
			a.By = "index"
		}
	case boundCodes:
		a.By = "scan"
	case boundNumbers, boundOr, boundNot:
		a.By = "scan"
	case boundGeneric:
		a.By = "rows"
		if ofUsers(c) {
			a.By = "users"
		}
	default:
		a.By = "rows"
	}
	into[a]++
	return nil
}

// columnsOf returns the stored columns that a pipeline's first operator and filter read.
func (x *Execution) columnsOf(p *plan.Pipeline) []columnRef {
	var list []columnRef
	add := func(e syntax.Expr) {
		for _, ref := range x.refs(e) {
			known := false
			for _, have := range list {
				known = known || have == ref
			}
			if !known {
				list = append(list, ref)
			}
		}
	}
	if p.Filter != nil {
		add(p.Filter)
	}
	for _, n := range p.Row.Made() {
		add(n.Expr)
	}
	switch s := p.First.(type) {
	case *plan.Stats:
		for _, n := range s.Keys {
			add(n.Expr)
		}
		for _, n := range s.Aggs {
			add(n.Expr)
		}
	case *plan.Gap:
		add(&syntax.Column{Name: syntax.ColumnTime})
	case *plan.Session:
		add(&syntax.Column{Name: syntax.ColumnTime})
		add(&syntax.Column{Name: syntax.ColumnEvent})
	case *plan.Behaviour:
		add(&syntax.Column{Name: syntax.ColumnTime})
		for _, selector := range syntax.Selectors(s.Stage) {
			if e := plan.StepSelector(selector, p.Row); e != nil {
				add(e)
			}
		}
		syntax.Exprs(s.Stage, func(e syntax.Expr) { add(p.Row.Resolve(e)) })
	}
	return list
}

// String names the column as a query does.
func (r columnRef) String() string {
	if r.source == sourceField {
		return r.name
	}
	return columnOf(r).Name
}

func describe(op plan.Operator) string {
	switch op := op.(type) {
	case *plan.Stats:
		if op.Top > 0 {
			return fmt.Sprintf("top %d", op.Top)
		}
		return "stats"
	case *plan.Users:
		return "users"
	case *plan.Facets:
		return "facets"
	case *plan.Events:
		if op.Limit >= 0 {
			return fmt.Sprintf("events, the newest %d", op.Limit)
		}
		return "events"
	case *plan.Session:
		return syntax.StageString(op.Stage)
	case *plan.Gap:
		return "gap"
	case *plan.Behaviour:
		return syntax.StageString(op.Stage)
	}
	return "?"
}
