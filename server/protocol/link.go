package protocol

import (
	"fmt"

	"cairn/engine/event"
)

// Link says that two ids are one user, or (LinkUnlink) that they no longer are.
type Link struct {
	Kind   string // one of the constants below
	User   string // the known, or the surviving, id
	ID     string // the other one
	Time   int64  // when the client says that it became known; Unix nanoseconds
	Source string // the protocol's name
}

// Kinds of links, as the engine calls them.
const (
	LinkIdentify = "identify" // an anonymous id became known
	LinkAlias    = "alias"    // another name of one user
	LinkMerge    = "merge"
	LinkBind     = "bind" // an id of another type
	LinkUnlink   = "unlink"
)

// ReasonIllegalID is the reason why an id that means nobody in particular is not linked.
const ReasonIllegalID = "illegal_id"

// Link asks for a link of the item. Illegal ids become its warning, an id linked with itself is nothing.
// Of ids that are too long nothing is stored, so the item is rejected; a rejected item links nothing.
func (it *Item) Link(l *Limits, link Link) {
	if it.Reject != nil || link.User == link.ID {
		return
	}
	for _, id := range [...]string{link.User, link.ID} {
		switch {
		case event.IllegalID(id):
			it.Warning = &Reject{Reason: ReasonIllegalID, Message: fmt.Sprintf("the id %q means nobody in particular and was not linked", id)}
			return
		case len(id) > l.UserBytes:
			it.refuse(userTooLong(id, l))
			return
		}
	}
	it.Links = append(it.Links, link)
}

// refuse rejects the item, unless it is already.
func (it *Item) refuse(reject *Reject) {
	if it.Reject == nil {
		it.Reject = reject
	}
	it.Events, it.Links, it.Warning = nil, nil, nil
}
