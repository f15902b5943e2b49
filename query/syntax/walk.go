package syntax

import (
	"reflect"
	"regexp"
	"slices"
	"time"
)

// Walk calls visit for an expression and everything within it, from the outside in; visit returns
// false to leave out what is within. Conditions of selectors in did and first_time are visited too:
// their columns are those of other events.
func Walk(e Expr, visit func(Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	for _, child := range children(e) {
		Walk(child, visit)
	}
	if s := selectorOf(e); s != nil {
		for _, t := range s.Terms {
			Walk(t.Cond, visit)
		}
	}
}

// children returns the direct parts of an expression, in the order of the text.
func children(e Expr) []Expr {
	switch e := e.(type) {
	case *Unary:
		return []Expr{e.X}
	case *Binary:
		return []Expr{e.X, e.Y}
	case *Regex:
		return []Expr{e.X}
	case *In:
		return append([]Expr{e.X}, e.List...)
	case *Call:
		return e.Args
	case *Bin:
		return []Expr{e.X}
	case *Agg:
		return slices.DeleteFunc([]Expr{e.X, e.If}, func(e Expr) bool { return e == nil })
	}
	return nil
}

// selectorOf returns the selector of a did or first_time, or nil.
func selectorOf(e Expr) *Selector {
	switch e := e.(type) {
	case *Did:
		return e.Selector
	case *FirstTime:
		return e.Selector
	}
	return nil
}

// walkRow is Walk over what is evaluated on the row itself: not the selectors.
func walkRow(e Expr, visit func(Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	for _, child := range children(e) {
		walkRow(child, visit)
	}
}

// Exprs calls yield for every expression of a stage, outermost ones only, in the order of the tree.
func Exprs(s Stage, yield func(Expr)) { s.exprs(yield) }

// Selectors returns the selectors of a stage, in the order of the tree. Their conditions see the row that
// the stage reads, and are among what Exprs yields.
func Selectors(s Stage) []*Selector {
	if s, ok := s.(interface{ selectors() []*Selector }); ok {
		return s.selectors()
	}
	return nil
}

// Columns returns the distinct columns that an expression reads from its row, in the order of the
// text. What selectors in did and first_time read is not among them, nor is the user that those two,
// `user in NAME` and users() look at.
func Columns(e Expr) []*Column {
	var columns []*Column
	walkRow(e, func(e Expr) bool {
		if c, ok := e.(*Column); ok && !slices.ContainsFunc(columns, func(o *Column) bool {
			return o.Scope == c.Scope && o.Name == c.Name
		}) {
			columns = append(columns, c)
		}
		return true
	})
	return columns
}

// Aggregates returns the aggregates of an expression in the order of the text.
func Aggregates(e Expr) []*Agg {
	var aggs []*Agg
	walkRow(e, func(e Expr) bool {
		a, ok := e.(*Agg)
		if ok {
			aggs = append(aggs, a)
		}
		return !ok
	})
	return aggs
}

// Equal reports whether two trees (queries, stages, selectors, expressions) say the same, wherever
// in a text they stand.
func Equal(a, b any) bool { return equal(reflect.ValueOf(a), reflect.ValueOf(b)) }

var (
	typePos      = reflect.TypeFor[Pos]()
	typeLocation = reflect.TypeFor[*time.Location]()
	typeRegexp   = reflect.TypeFor[*regexp.Regexp]()
)

func equal(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() {
		return false
	}
	if !a.IsValid() {
		return true
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Type() {
	case typePos, typeLocation, typeRegexp: // places, and what follows from a text beside them
		return true
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return equal(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		if a.Comparable() && a.Type().PkgPath() != typePos.PkgPath() {
			return a.Equal(b)
		}
		for i := range a.NumField() {
			if !equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

func yieldNamed(list []Named, yield func(Expr)) {
	for _, n := range list {
		yield(n.Expr)
	}
}

func yieldExprs(list []Expr, yield func(Expr)) {
	for _, e := range list {
		yield(e)
	}
}

// yieldConds yields the conditions of selectors.
func yieldConds(list []*Selector, yield func(Expr)) {
	for _, s := range list {
		for _, t := range s.Terms {
			if t.Cond != nil {
				yield(t.Cond)
			}
		}
	}
}
