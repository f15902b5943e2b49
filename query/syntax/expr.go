package syntax

import (
	"regexp"

	"cairn/engine/event"
)

// Expr is an expression: *Literal, *Column, *Unary, *Binary, *Regex, *In, *UserIn, *Call, *Bin,
// *Did, *FirstTime or *Agg. Trees are immutable after parsing and may be shared.
type Expr interface {
	// Position is where the expression begins; for Binary, Regex, In and UserIn its operator.
	Position() Pos
	expr()
}

// Literal is a constant: null, bool, int, float, string, or duration (always elapsed). A minus in
// front of a number belongs to the literal.
type Literal struct {
	Pos
	Value event.Value
}

// Scope says where a column name is looked up.
type Scope uint8

const (
	ScopeRow     Scope = iota // NAME: the row's columns; on event rows EventColumns, then the fields
	ScopeFields               // fields.NAME: the event's field, also when a column hides it
	ScopeProfile              // user.NAME: a profile property, as of now
	ScopeMade                 // only in plans: a column computed from several events of a user
)

// Column is a name. Dotted names are joined: payload.action is "payload.action". Name has no
// `fields.` or `user.` in front when the scope says so.
type Column struct {
	Pos
	Scope Scope
	Name  string
}

// Columns of every event row, beside its fields. They hide fields of the same name.
const (
	ColumnTime     = "time"     // instant
	ColumnEvent    = "event"    // string
	ColumnUser     = "user"     // string, may be absent
	ColumnID       = "id"       // string, may be absent
	ColumnReceived = "received" // instant
)

// EventColumns lists the columns of every event row, in the order of output.
var EventColumns = [...]string{ColumnTime, ColumnEvent, ColumnUser, ColumnID, ColumnReceived}

// Op is an operator of Unary or Binary.
type Op uint8

// The operators, the loosest first.
const (
	OpOr Op = iota + 1
	OpAnd
	OpNot // unary
	OpEq
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpContains
	OpStartsWith
	OpEndsWith
	OpAdd
	OpSub
	OpMul
	OpDiv
	OpMod
	OpNeg // unary
)

func (o Op) String() string {
	return [...]string{
		"", "or", "and", "not", "=", "!=", "<", "<=", ">", ">=",
		"contains", "starts with", "ends with", "+", "-", "*", "/", "%", "-",
	}[o]
}

// Unary is `not x` or `-x`.
type Unary struct {
	Pos
	Op Op // OpNot, OpNeg
	X  Expr
}

// Binary is `x op y`. Infix negations of words (`x not contains y`) are parsed as `not` around it.
type Binary struct {
	Pos  // of the operator
	Op   Op
	Fold bool // `contains~i`, `starts with~i`, `ends with~i`: ignoring case
	X, Y Expr
}

// Regex is `x ~ "re"` or `x !~ "re"`, unanchored.
type Regex struct {
	Pos     // of the operator
	X       Expr
	Pattern string
	Regexp  *regexp.Regexp // compiled Pattern
	Not     bool
}

// In is `x in (…)` or `x not in (…)`: x equals one of List, or none.
type In struct {
	Pos  // of the operator
	X    Expr
	List []Expr // at least one
	Not  bool
}

// UserIn is `user in NAME` or `user not in NAME`, NAME being that of a Let.
type UserIn struct {
	Pos  // of the operator
	Name string
	Not  bool
}

// Call is a function of Functions with as many arguments as it takes. `hour()` and `weekday()` have
// got the column time as their argument.
type Call struct {
	Pos
	Name string
	Args []Expr
}

// Bin is `bin(span)` or `bin(x, span)`: the start of the bucket that x lies in. Elapsed units
// divide a day and are counted from local midnight; d, w, mo, q, y follow the calendar.
type Bin struct {
	Pos
	X    Expr // the column time when not written
	Span Span
}

// Did is `did(selector [last dur])`: how many matching events the user has in the query's range, or
// in the last Last nanoseconds up to its end. Where a truth is wanted the parser has put `> 0`
// around it.
type Did struct {
	Pos
	Selector *Selector
	Last     int64 // nanoseconds; 0: the query's range
}

// FirstTime is `first_time(selector)`: when the user first had a match in all of history.
type FirstTime struct {
	Pos
	Selector *Selector
}

// AggFunc is the function of an aggregate.
type AggFunc uint8

// The aggregates. Which members of an Agg they use stands there.
const (
	AggCount    AggFunc = iota + 1 // count(): events or rows
	AggUsers                       // users(): distinct users
	AggDistinct                    // distinct(x)
	AggSum
	AggAvg
	AggMin
	AggMax
	AggStddev
	AggMedian   // Q is 0.5
	AggQuantile // quantile(x, q) and pNN(x)
	AggFirst    // by time
	AggLast     // by time
	AggTopK     // topk(x, n)
	AggHist     // hist(x [, edges…])
)

func (f AggFunc) String() string {
	return [...]string{
		"", "count", "users", "distinct", "sum", "avg", "min", "max", "stddev", "median", "quantile",
		"first", "last", "topk", "hist",
	}[f]
}

// Agg is an aggregate: `AGG(args) [if (cond)] [over dur]`. It occurs only in stats and in `top … by`.
type Agg struct {
	Pos
	Func  AggFunc
	X     Expr          // what is aggregated; nil for count and users
	Q     float64       // AggQuantile, AggMedian: 0 … 1
	N     int           // AggTopK: at least 1
	Edges []event.Value // AggHist: ascending numbers or durations; nil: the evaluator chooses
	If    Expr          // nil: all rows. count(expr) and users(expr) have their expr here
	Over  int64         // trailing window in nanoseconds up to each bucket's end; 0: none
}

func (*Literal) expr()   {}
func (*Column) expr()    {}
func (*Unary) expr()     {}
func (*Binary) expr()    {}
func (*Regex) expr()     {}
func (*In) expr()        {}
func (*UserIn) expr()    {}
func (*Call) expr()      {}
func (*Bin) expr()       {}
func (*Did) expr()       {}
func (*FirstTime) expr() {}
func (*Agg) expr()       {}
