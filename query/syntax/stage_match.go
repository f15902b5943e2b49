package syntax

import (
	"slices"
	"strings"
)

// Match is `match PATTERN [within d] [by f, …] [skip past|next]`: one row for every match. Rows: the keys
// (the user, when there are none), then MatchColumns; a step `as x` adds x.time, x.event and x.count,
// and any x.FIELD and x.last.FIELD can be named.
type Match struct {
	Pos
	Pattern *Pattern
	Within  int64   // nanoseconds from the first event, inclusive; 0: as long as the range
	By      []Named // what stands for the user; empty: the user
	Next    bool    // `skip next`: one match for every start; else they share no events
}

// MatchColumns are the columns of a Match behind its keys.
var MatchColumns = [...]string{"start", "end", "events"}

func (p *parser) match(pos Pos) Stage {
	s := &Match{Pos: pos, Pattern: p.pattern()}
	if !slices.ContainsFunc(s.Pattern.Steps, func(s *Step) bool { return !s.Optional() }) {
		panic(Errorf(s.Pattern.Pos, "a match needs a step that is not optional"))
	}
	p.options(map[string]func(*token){
		"within": func(*token) { s.Within = p.elapsedSpan("a duration such as 10m") },
		"by":     func(*token) { s.By = p.named(p.keyExpr) },
		"skip":   func(*token) { s.Next = p.choice("past", "next") == 1 },
	})
	fillNames(fixed(s.fixedColumns()), s.By)
	for _, k := range s.By {
		if step, _, _, ok := s.StepColumn(k.Name); ok {
			panic(Errorf(k.Pos, "the key %q looks like a column of the step %s", k.Name, s.Pattern.Steps[step].Name).
				WithHint("give it a name with as"))
		}
	}
	return s
}

// fixedColumns are the columns behind the keys.
func (s *Match) fixedColumns() []string {
	names := slices.Clone(MatchColumns[:])
	for _, step := range s.Pattern.Steps {
		if step.Name == "" {
			continue
		}
		names = append(names, step.Name+"."+ColumnTime, step.Name+"."+ColumnEvent)
		if !step.Once() {
			names = append(names, step.Name+".count")
		}
	}
	return names
}

// StepColumn splits the name of a column x.NAME or x.last.NAME of a step `as x`: the step's index, from
// 0, whether the last of its events is meant, and NAME.
func (s *Match) StepColumn(name string) (step int, last bool, column string, ok bool) {
	longest := 0
	for i, candidate := range s.Pattern.Steps {
		n := len(candidate.Name)
		if n > longest && len(name) > n+1 && name[n] == '.' && name[:n] == candidate.Name {
			longest, step = n, i
		}
	}
	if longest == 0 {
		return 0, false, "", false
	}
	rest := name[longest+1:]
	if column, last = strings.CutPrefix(rest, "last."); column == "" {
		column, last = rest, false
	}
	return step, last, column, true
}

// Keyword returns the stage's name.
func (*Match) Keyword() string { return "match" }

func (s *Match) print(w *printer) {
	w.pattern(s.Pattern)
	if s.Within > 0 {
		w.text(" within " + durationText(s.Within))
	}
	if len(s.By) > 0 {
		w.text(" by ")
		w.named(s.By, omitNames(fixed(s.fixedColumns()), s.By)[1])
	}
	if s.Next {
		w.text(" skip next")
	}
}

func (s *Match) exprs(yield func(Expr)) {
	yieldConds(s.selectors(), yield)
	yieldNamed(s.By, yield)
}

func (s *Match) selectors() []*Selector { return s.Pattern.selectors() }

func (s *Match) columns(c *scope) error {
	if err := c.behaviour(s); err != nil {
		return err
	}
	keys := namesOf(s.By)
	if len(keys) == 0 {
		keys = []string{ColumnUser}
	}
	c.set(slices.Concat(keys, s.fixedColumns()))
	for _, step := range s.Pattern.Steps {
		if step.Name != "" {
			c.prefixes = append(c.prefixes, step.Name+".")
		}
	}
	return nil
}
