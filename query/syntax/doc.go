// Package syntax reads and writes query texts: lexer, tree, parser, printer, and errors with
// positions. It knows what can be written, not what it means on events; query/reference is the
// executable meaning, query/scalar that of expressions.
//
// # Grammar
//
// Words stand for themselves and are in lower case. {x} is any number of x, [x] at most one. A NAME
// is a word of letters, digits and _, or any text in `backticks`; dots join several to one:
// payload.`odd key`.
//
//	query     = { "set" setting { "," setting } ";" } { "let" NAME "=" pipeline ";" } pipeline [ ";" ]
//	setting   = "tz" "=" STRING | "week" "=" DAY | "actor" "=" column | "identity" "=" ( "raw" | "canonical" )
//	pipeline  = selector [ range ] { "|" stage }
//	selector  = term { "or" term }
//	term      = ( "*" | NAME | STRING ) [ braces ] | braces | "(" selector ")"
//	braces    = "{" [ expr { "," expr } ] "}"               a comma is an "and" that binds loosest; {2}, {2,} and
//	                                                        {2,5} are no conditions but quantifiers of patterns
//	range     = "last" SPAN | "from" instant "to" instant | "on" instant
//	instant   = DATE | STRING | "now"
//
//	stage     = "where" expr
//	          | "extend" assign { "," assign }
//	          | "project" ( assign | expr ) { "," ( assign | expr ) }
//	          | "rename" rename { "," rename }
//	          | "drop" NAME { "," NAME }
//	          | "stats" agg { "," agg } [ "by" key { "," key } ]
//	          | "top" [ INT ] key { "," key } [ "by" agg ]
//	          | "facets" [ INT ]
//	          | "sort" expr [ "asc" | "desc" ] { "," expr [ "asc" | "desc" ] }
//	          | "limit" INT [ "by" expr { "," expr } ]
//	          | "offset" INT
//	          | "running" column [ "as" NAME ] { "," … } [ "by" expr { "," expr } ]
//	          | "fill" [ "0" | "null" | "previous" | "none" ]
//	          | "users" | "events" | "explain"
//	          | "gap"
//	          | "session" { "gap" SPAN | "max" SPAN }
//	          | "funnel" pattern { fopt }
//	          | "match" pattern { "within" SPAN | by | "skip" ( "past" | "next" ) }
//	          | "retention" [ "first" ] one "->" one { ropt }
//	          | "lifecycle" selector [ "every" SPAN ]
//	          | "stickiness" selector { "every" SPAN | "min" INT | "at" "least" }
//	          | "paths" { popt }
//	          | "trend" SPAN                                right behind a funnel, as the next four
//	          | "times" [ INT "to" INT ] [ "hist" SPAN { "," SPAN } ]
//	          | "converted" [ INT ] | "dropped" [ "after" INT ] | "pending"
//	assign    = NAME "=" expr | expr "as" NAME
//	rename    = NAME "=" NAME | NAME "as" NAME              new = old, old as new
//	key       = expr [ "as" NAME ]
//	by        = "by" key { "," key }
//	agg       = expr [ "as" NAME ]                          over aggregates, with no column outside of one
//	aggregate = ( "count" | "users" ) "(" [ expr ] ")" options
//	          | FUNC "(" expr { "," literal } ")" options
//	options   = { "if" "(" expr ")" | "over" SPAN }
//
//	pattern   = step { arrow step }
//	step      = [ "first" [ "ever" ] ] one [ quantity ] [ "as" NAME ] | "(" one "&" one { "&" one } ")"
//	one       = term | "(" selector ")"
//	quantity  = "{" INT "}" | "{" INT "," "}" | "{" INT "," INT "}" | "+" | "?"
//	arrow     = ( "->" | "=>" ) [ "[" ( SPAN | bound [ "and" bound ] ) "]" ]
//	bound     = ( ">" | ">=" | "<" | "<=" ) SPAN            one from below, one from above
//	fopt      = "within" SPAN | "except" selector [ "between" INT "and" INT ] [ "remove" ] | "hold" expr { "," expr }
//	          | "count" ( "users" | "totals" | "sessions" ) | "entry" ( "first" | "latest" ) | "increasing" | "open"
//	          | "sum" "(" expr ")" [ "as" NAME ] [ "," "sum" … ] | by | "top" INT
//	          | "at" ( [ "step" ] INT | [ "step" ] ( "first" | "last" | "all" ) )
//	ropt      = "every" SPAN | "for" INT | "brackets" INT { "," INT } | "on" [ "or" ( "after" | "before" ) ] | "streak"
//	          | "rolling" | "min" INT | ( "sum" | "avg" ) "(" expr ")" | by
//	popt      = "from" selector | "to" selector | "of" expr | by | "max" INT | "gap" SPAN | "within" SPAN
//	          | "collapse" "off" | "except" selector | "top" INT | "shortest" INT | "loops" | "dead" "ends"
//
//	expr      = and { "or" and }
//	and       = not { "and" not }
//	not       = "not" not | test
//	test      = sum [ ( "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" ) sum
//	                | ( "~" | "!~" ) STRING
//	                | [ "not" ] ( "contains" | "starts" "with" | "ends" "with" ) [ "~" "i" ] sum
//	                | [ "not" ] "in" ( "(" expr { "," expr } ")" | NAME ) ]     in NAME: of user only
//	sum       = product { ( "+" | "-" ) product }
//	product   = minus { ( "*" | "/" | "%" ) minus }
//	minus     = "-" minus | operand
//	operand   = literal | column | call | aggregate | "(" expr ")"
//	call      = NAME "(" [ expr { "," expr } ] ")"
//	          | "bin" "(" [ expr "," ] SPAN ")"
//	          | "did" "(" selector [ "last" SPAN ] ")" | "first_time" "(" selector ")"
//	column    = [ "fields" "." | "user" "." ] NAME
//	literal   = "null" | "true" | "false" | STRING | INT | FLOAT | SPAN
//
//	INT       = digits            FLOAT = digits [ "." digits ] [ "e" [ sign ] digits ]
//	SPAN      = 500ms 30s 15m 2h 7d 2w 1mo 1q 1y, also us and ns; 1h30m and 1.5h are elapsed time
//	STRING    = "…" or '…' with \" \' \` \\ \/ \n \t \r \uXXXX, on one line; backticks know the same escapes;
//	            behind ~ and !~ every other backslash is one of the regular expression: "\d+" is "\\d+"
//	DATE      = 2025-06-01, with T10:30, T10:30:15.25, and Z or +08:00 behind them
//	comment   = "//" to the end of the line
//
// # Rules beyond the grammar
//
//   - A query without a stage gives the events, as `| events` does.
//   - Only and, or, not, in, true, false and null can never be a bare name (nor TRUE, Null … a bare
//     column, as a slip there would go unnoticed); every other word of the language is a name wherever
//     a name is due. The printer puts more of them in backticks.
//   - A minus in front of a number belongs to the number. Comparisons are not chained.
//   - A did whose truth is wanted (under and, or, not, in where, braces, if) is read as did(…) > 0.
//   - count(x) and users(x) are count() if (x) and users() if (x); several conditions are joined by and.
//   - pNN is the NN-th percentile, p99.9 too; quantile(x, 0.9) is p90(x).
//   - Durations in over, did and expressions are elapsed: 1d is 24 h there, and mo, q and y are
//     refused. Those in last and bin follow the calendar from d up.
//   - `over` needs a bin of the column time among the keys, fill a stats with one before it.
//   - top and facets give 10 values, topk 10, when no number is written. fill alone is fill 0.
//   - A key spelt day = bin(1d) is refused, as a name is meant there: bin(1d) as day.
//   - DefaultName gives columns without `as` their names.
//   - On events every name may be a field. Behind stats, top, facets, users and project the columns
//     are known, and another name is an error. Rows stay events (with fields.NAME, user.NAME, users(),
//     did) until stats, top, facets or users, also behind project.
//
// # Rules of the behavioural stages
//
//   - Options stand in any order, each once; except and sum of a funnel, and except of paths, may be
//     repeated. The printer writes windows and periods always, other options where they are not the default.
//   - `first` is a keyword wherever a selector follows it, as is `ever` behind it: in `first open`,
//     `first {x = 1}` and `first ever e`. It is an event where an arrow, a quantifier, `as NAME`, a complete
//     option (`within 7d`, `by f`, `hold f`, `except e`, `count users`, `entry latest`, `skip next`, `sum(f)`)
//     or the end follows. In backticks it is always an event.
//   - The conditions of selectors see the row: the columns that stages made, then the event. (Those of did,
//     first_time and the source see the stored event.)
//   - {n,m} has n ≤ m and 1 ≤ m; {1,} is +, {0,1} is ?. The first step of a funnel takes at least one event,
//     and so does some step of a match. A step's name is given once, and is neither `user` nor `fields` nor
//     begins with one of them and a dot. Groups have no first, quantifier or name.
//   - The stages need rows that are events. gap and session add columns to them; the others begin new rows.
//   - Keys and sums get default names that the stage's own columns leave free (a key `step` of a funnel is
//     step_2); a name behind `as` that is one of those is refused. A view of a funnel, and `users`, have other
//     columns of their own: a key of such a name is refused there.
//   - At step, between, times, converted and dropped take numbers of steps that the funnel has. times without
//     numbers goes from the first step to the last, also an optional one, and needs two steps.
//   - Periods (every, trend) shorter than a day divide it, as those of bin do; rolling ones have a fixed
//     length. for and brackets exclude each other, as do on … and streak; sum and avg; gap and within; the
//     views of paths. for 0 leaves p0 alone. max with another view than that of steps does nothing and is not
//     printed; of top and shortest the smaller number counts and is printed as that of shortest.
//   - x.FIELD and x.last.FIELD behind a match with a step `as x`, and session.entry.FIELD and
//     session.exit.FIELD behind session, are columns where they are named, and not among those of the
//     result; they are extended and projected, not dropped or renamed.
//   - `users` right behind a funnel gives user, time, step and the groups; behind converted, dropped and
//     pending user and time; behind match user; behind retention user, the groups, cohort and period; behind
//     lifecycle user, time and state; behind stickiness user and periods; behind paths user, the groups, and
//     step, source, target, or path, or node. Elsewhere it gives user alone.
package syntax
