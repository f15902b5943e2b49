package syntax

import (
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
)

// Times is `times [i to j] [hist e1, e2, …]` behind a funnel: how long it took from one step to another,
// of those who took both. Rows: the groups, then TimesColumns, and hist when there are edges.
type Times struct {
	Pos
	From, To int           // numbers of steps; 0, 0: from the first to the last, optional or not
	Edges    []event.Value // ascending durations; nil: no histogram
}

// TimesColumns are the columns of a Times behind those of groups.
var TimesColumns = [...]string{"count", "avg", "p50", "p90", "p99", "min", "max"}

func (p *parser) times(pos Pos) Stage {
	s := &Times{Pos: pos}
	if p.peek().kind == tokenInt {
		s.From = int(p.wantCount("the number of a step", 1, countMax))
		p.wantWord("to")
		to := p.peek()
		s.To = int(p.wantCount("the number of a step", 1, countMax))
		if s.To <= s.From {
			panic(Errorf(to.pos, "expected a step after step %d, found %s", s.From, to.describe()))
		}
	}
	if p.takeWord("hist") {
		var args []Expr
		p.list(func() {
			t := p.peek()
			e := p.minus()
			if l, ok := e.(*Literal); !ok || l.Value.Kind() != event.KindDuration {
				panic(Errorf(t.pos, "the edges of hist are durations here").WithHint("such as hist 0s, 1m, 10m, 1h"))
			}
			args = append(args, e)
		})
		s.Edges = edges(args, "hist")
	}
	return s
}

// Keyword returns the stage's name.
func (*Times) Keyword() string { return "times" }

func (s *Times) print(w *printer) {
	var parts []string
	if s.From > 0 {
		parts = append(parts, fmt.Sprintf("%d to %d", s.From, s.To))
	}
	if s.Edges != nil {
		var hist printer
		hist.text("hist ")
		for i, edge := range s.Edges {
			hist.comma(i)
			hist.value(edge)
		}
		parts = append(parts, hist.String())
	}
	w.text(strings.Join(parts, " "))
}

func (s *Times) exprs(func(Expr)) {}

func (s *Times) columns(c *scope) error {
	f, err := c.funnel(s)
	if err != nil {
		return err
	}
	switch {
	case s.To > 0:
		if err := f.hasStep(s, s.To); err != nil {
			return err
		}
	case len(f.Pattern.Steps) == 1:
		return Errorf(s.Pos, "times needs a funnel of at least two steps")
	}
	columns := TimesColumns[:]
	if s.Edges != nil {
		columns = append(slices.Clone(columns), "hist")
	}
	return c.view(s, namesOf(f.By), columns)
}
