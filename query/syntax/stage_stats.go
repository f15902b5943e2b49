package syntax

// Stats is `stats AGG [as name], … [by KEY [as name], …]`. Its rows are the keys, then the aggregates.
type Stats struct {
	Pos  Pos
	Aggs []Named // at least one; each holds at least one Agg, and no column outside of an Agg
	Keys []Named // names distinct from each other and from those of Aggs
}

// Position returns where the stage stands.
func (s *Stats) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Stats) Keyword() string { return "stats" }
