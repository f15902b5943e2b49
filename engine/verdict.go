package engine

import "fmt"

// VerdictKind says what became of an event.
type VerdictKind uint8

// The kinds of verdicts.
const (
	OK        VerdictKind = iota // stored
	Duplicate                    // its insert id is stored already
	Rejected                     // not stored; Reason says why
)

func (k VerdictKind) String() string {
	switch k {
	case OK:
		return "ok"
	case Duplicate:
		return "duplicate"
	case Rejected:
		return "rejected"
	}
	return fmt.Sprintf("verdict(%d)", uint8(k))
}

// The reasons of rejections by the engine.
const (
	ReasonBadEvent       = "bad_event"
	ReasonBadTime        = "bad_time"
	ReasonTimeTooOld     = "time_too_old"
	ReasonTimeTooNew     = "time_too_new"
	ReasonTooManyFields  = "too_many_fields"
	ReasonNameTooLong    = "name_too_long"
	ReasonValueTooLong   = "value_too_long"
	ReasonUserTooLong    = "user_too_long"
	ReasonIDTooLong      = "id_too_long"
	ReasonDuplicateField = "duplicate_field"
	ReasonUserErased     = "user_erased"
)

// Verdict is what became of one event.
type Verdict struct {
	Kind    VerdictKind
	Reason  string // of a rejection: one of the reasons above
	Field   string // the field at fault, if it is one
	Message string // for people
}

// IndexedVerdict is the verdict on the event with that index in its batch.
type IndexedVerdict struct {
	Index int
	Verdict
}

// Result tells what became of a batch. Every event is either in Verdicts or was stored.
type Result struct {
	Stored, Duplicates, Rejected int
	// Verdicts are those that are not OK, by index.
	Verdicts []IndexedVerdict
	// Sequence is the newest frame of the batch: a snapshot whose Sequence is not smaller has all of it.
	Sequence uint64
}

func (r *Result) reject(index int, reason, field, format string, args ...any) {
	r.Rejected++
	r.Verdicts = append(r.Verdicts, IndexedVerdict{index, Verdict{Rejected, reason, field, fmt.Sprintf(format, args...)}})
}
