package query

import (
	"context"
	"fmt"
	"strings"

	"cairn/engine/event"
	"cairn/query/exec"
	"cairn/query/plan"
	"cairn/query/result"
)

// Explanation says what a query would read. Nothing has been executed but the look-up of conditions
// in dictionaries, indexes and directories.
type Explanation struct {
	Steps []exec.Step // one for each pipeline, named results first
}

// Explain plans a query and says what it would read.
func Explain(ctx context.Context, src Source, text string, opt Options) (*Explanation, error) {
	r, err := newRun(src, text, opt)
	if err != nil {
		return nil, err
	}
	ctx, cancel := r.deadline(ctx)
	defer cancel()
	main, err := r.plan(&r.query.Pipeline, r.opt.rangeOutside())
	if err != nil {
		return nil, err
	}
	e, err := r.explain(ctx, main)
	if err != nil {
		return nil, r.cause(ctx, err)
	}
	return e, nil
}

func (r *run) explain(ctx context.Context, main *plan.Pipeline) (*Explanation, error) {
	out := &Explanation{}
	step := func(name string, p *plan.Pipeline) error {
		s, err := r.execution(p).Explain(ctx, p)
		if err != nil {
			return err
		}
		s.Name = name
		out.Steps = append(out.Steps, *s)
		return nil
	}
	for _, let := range r.query.Lets {
		p, err := r.plan(let.Body, event.AllTime)
		if err != nil {
			return nil, err
		}
		if err := step(let.Name, p); err != nil {
			return nil, err
		}
	}
	return out, step("", main)
}

// Rows lists an explanation as pairs of what and how much or how.
func (e *Explanation) Rows() [][2]string {
	var rows [][2]string
	add := func(what, value string) { rows = append(rows, [2]string{what, value}) }
	for _, s := range e.Steps {
		prefix := ""
		if s.Name != "" {
			prefix = s.Name + ": "
		}
		add(prefix+"operator", s.Operator)
		if len(s.Stages) > 0 {
			add(prefix+"then", strings.Join(s.Stages, " | "))
		}
		if s.Filter != "" {
			add(prefix+"filter", s.Filter)
		}
		add(prefix+"columns", strings.Join(s.Columns, ", "))
		add(prefix+"partitions", fmt.Sprint(s.Partitions))
		add(prefix+"segments", fmt.Sprintf("%d of %d", s.Segments, s.SegmentsInRange))
		add(prefix+"blocks", fmt.Sprint(s.Blocks))
		add(prefix+"rows", fmt.Sprint(s.Rows))
		add(prefix+"bytes", fmt.Sprint(s.Bytes))
		for _, a := range s.Answers {
			add(prefix+a.By, fmt.Sprintf("%s (%d segments)", a.Condition, a.Segments))
		}
	}
	return rows
}

// String prints an explanation for people.
func (e *Explanation) String() string {
	var b strings.Builder
	for _, row := range e.Rows() {
		fmt.Fprintf(&b, "%-12s %s\n", row[0], row[1])
	}
	return b.String()
}

// explainTable is the answer of a query that ends with explain.
func (r *run) explainTable(ctx context.Context, main *plan.Pipeline) (*result.Table, error) {
	e, err := r.explain(ctx, main)
	if err != nil {
		return nil, err
	}
	t := &result.Table{Columns: []result.Column{{Name: "what"}, {Name: "value"}}}
	for _, row := range e.Rows() {
		t.Rows = append(t.Rows, []event.Value{event.String(row[0]), event.String(row[1])})
	}
	t.Infer()
	r.meta(&t.Meta)
	return t, nil
}
