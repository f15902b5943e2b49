package syntax

// Session is `session [gap 30m] [max 24h]`: cuts the events of each user into sessions and adds
// SessionColumns to them; session.entry.FIELD and session.exit.FIELD are the fields of a session's first
// and last event.
type Session struct {
	Pos
	Gap int64 // nanoseconds; a longer pause ends a session; 30m when not written
	Max int64 // nanoseconds; no event lies further from the session's first; 24h when not written
}

// SessionGap and SessionMax are what a Session has when its text says nothing, in nanoseconds.
const (
	SessionGap = 30 * 60 * 1_000_000_000
	SessionMax = 24 * 3600 * 1_000_000_000
)

// SessionColumns are the columns that a Session adds. dwell is absent on the last event of a session.
var SessionColumns = [...]string{
	"session.id", "session.number", "session.events", "session.duration", "session.entry", "session.exit", "dwell",
}
