package protocol

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"cairn/engine/event"
)

// ContentID returns an insert id for an event that has none, for tokens that ask for it: a hash of its
// name, user, client time and fields, whatever their order. Events without a client's time, which have
// that of their arrival, never come twice.
func ContentID(e *event.Event) string {
	plain := *e
	plain.ID, plain.Received = "", 0
	plain.Fields = make([]event.Field, 0, len(e.Fields))
	for _, f := range e.Fields {
		if f.Name == FieldSkew {
			plain.Time -= f.Value.AsInt() * 1e6
			continue
		}
		plain.Fields = append(plain.Fields, f)
	}
	slices.SortFunc(plain.Fields, func(a, b event.Field) int { return cmp.Compare(a.Name, b.Name) })
	sum := sha256.Sum256(event.AppendJSON(nil, &plain))
	return hex.EncodeToString(sum[:16])
}
