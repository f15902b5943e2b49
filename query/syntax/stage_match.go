package syntax

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
