package syntax

// Trend is `trend SPAN` behind a funnel: conversion by the time at which attempts start. Rows: the
// groups, then TrendColumns.
type Trend struct {
	Pos
	Every Span
}

// TrendColumns are the columns of a Trend behind those of groups.
var TrendColumns = [...]string{ColumnTime, "entered", "converted", "rate"}

func (p *parser) trend(pos Pos) Stage { return &Trend{Pos: pos, Every: p.period()} }

// Keyword returns the stage's name.
func (*Trend) Keyword() string { return "trend" }

func (s *Trend) print(w *printer) { w.text(s.Every.String()) }

func (s *Trend) exprs(func(Expr)) {}

func (s *Trend) columns(c *scope) error {
	f, err := c.funnel(s)
	if err != nil {
		return err
	}
	return c.view(s, namesOf(f.By), TrendColumns[:])
}
