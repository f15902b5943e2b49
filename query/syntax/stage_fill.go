package syntax

// Fill is `fill [0|null|previous|none]`: rows for missing time buckets.
type Fill struct {
	Pos
	With FillWith
}

// FillWith says what a filled row holds in its aggregates.
type FillWith uint8

const (
	FillZero     FillWith = iota // 0, also when nothing is written
	FillNull                     // null
	FillPrevious                 // the values of the bucket before
	FillNone                     // no rows are added, nor those that stats adds by itself
)

func (f FillWith) String() string { return [...]string{"0", "null", "previous", "none"}[f] }

func (p *parser) fill(pos Pos) Stage {
	s := &Fill{Pos: pos}
	t := p.peek()
	switch {
	case t.kind == tokenInt && t.text == "0":
	case t.isWord("null"):
		s.With = FillNull
	case t.isWord("previous"):
		s.With = FillPrevious
	case t.isWord("none"):
		s.With = FillNone
	case t.kind == tokenEnd || t.is("|") || t.is(";"):
		return s
	default:
		p.fail(`0, "null", "previous" or "none"`)
	}
	p.take()
	return s
}

// Keyword returns the stage's name.
func (*Fill) Keyword() string { return "fill" }

func (s *Fill) print(w *printer) { w.text(s.With.String()) }

func (s *Fill) exprs(func(Expr)) {}

func (s *Fill) columns(c *scope) error {
	if !c.bucketed {
		return Errorf(s.Pos, "fill needs time buckets before it").WithHint("| stats count() by bin(1d) | fill")
	}
	return nil
}
