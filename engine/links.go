package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cairn/engine/event"
)

// LinkKind says what a row of the log of identity links means.
type LinkKind string

// The kinds of links.
const (
	LinkIdentify LinkKind = "identify" // the anonymous ID is the known User
	LinkAlias    LinkKind = "alias"    // ID is another id of User, whatever it was before
	LinkMerge    LinkKind = "merge"    // User and ID are one person
	LinkBind     LinkKind = "bind"     // ID, of another kind such as a union id, belongs to the known User
	LinkUnlink   LinkKind = "unlink"   // what linked User and ID up to its time never was
)

// linkCode is a LinkKind as it is stored: its place in linkKinds, which is in the order of the names.
type linkCode uint8

const (
	linkGone linkCode = iota // a row that only keeps its sequence from being given again
	linkAlias
	linkBind
	linkIdentify
	linkMerge
	linkUnlink
)

var linkKinds = [...]LinkKind{"", LinkAlias, LinkBind, LinkIdentify, LinkMerge, LinkUnlink}

func (k LinkKind) code() (linkCode, bool) {
	i := slices.Index(linkKinds[:], k)
	return linkCode(max(i, 0)), i > 0
}

// ParseLinkKind returns the kind of a name.
func ParseLinkKind(name string) (LinkKind, error) {
	if _, ok := LinkKind(name).code(); !ok {
		return "", fmt.Errorf("engine: %q is no kind of a link: identify, alias, merge, bind and unlink are", name)
	}
	return LinkKind(name), nil
}

// Link is one row of the log of identity links: two ids that are one person, or no longer.
//
// What the rows of a log mean depends on them alone, not on the order of their arrival; they are gone
// through by time, then by kind, User and ID in the order of the texts:
//
//   - An unlink takes away every link between its two ids, in either direction, that is not later than
//     it: all is as if that link had never been made. A link made again later counts again.
//   - The User of an identify, a bind or an alias is known from the time of that link on. A cluster, which is
//     one person, is named by the first of its ids to be known; that is the canonical user.
//   - identify and bind put the cluster of ID into that of User, unless it has a known id: then it is
//     somebody's already, who keeps it. A device that two people share belongs to the first of them, and
//     two known users never become one.
//   - alias puts the cluster of ID into that of User whatever it holds, and User's keeps its name.
//   - merge does so too, but for the name: where only the cluster of ID has a known id, that one's stays.
type Link struct {
	Kind LinkKind
	// User is the known id, the one that goes on; ID is the other.
	User, ID string
	// Time is when the link was made, in Unix nanoseconds.
	Time int64
	// Source says for people where the link comes from, such as a protocol; up to LinkSourceBytes.
	Source string
}

// LinkSourceBytes is the most bytes of Link.Source; a longer one is cut.
const LinkSourceBytes = 256

// The reasons why Tenant.Link rejects.
const (
	// ReasonIllegalID: an id that stands for nobody, such as "null", or is too long. Nothing is logged.
	ReasonIllegalID = "illegal_id"
	// ReasonAlreadyIdentified: the id is known itself, or somebody else's. The link is logged and has no
	// effect as things stand.
	ReasonAlreadyIdentified = "already_identified"
	// ReasonNotLinked: there is no link to be taken away. The unlink is logged all the same.
	ReasonNotLinked = "not_linked"
)

// IllegalID reports whether an id is one that stands for nobody and is never linked; see event.IllegalID.
func IllegalID(id string) bool { return event.IllegalID(id) }

// check returns a verdict on a link that is not to be logged.
func (l *Link) check(limit int) (v Verdict, bad bool) {
	for _, side := range []struct{ field, id string }{{"user", l.User}, {"id", l.ID}} {
		switch {
		case IllegalID(side.id):
			return Verdict{Rejected, ReasonIllegalID, side.field, fmt.Sprintf("%q stands for nobody in particular", side.id)}, true
		case len(side.id) > limit:
			return Verdict{Rejected, ReasonIllegalID, side.field, fmt.Sprintf("an id has %d bytes, %d are allowed", len(side.id), limit)}, true
		case !utf8.ValidString(side.id):
			return Verdict{Rejected, ReasonIllegalID, side.field, "an id is not UTF-8"}, true
		}
	}
	if l.Time < timeMin || l.Time > timeMax {
		return Verdict{Rejected, ReasonBadTime, "time", time.Unix(0, l.Time).UTC().Format(time.RFC3339) + " is outside the years 1679 to 2261"}, true
	}
	if l.User == l.ID {
		return Verdict{Kind: Duplicate}, true
	}
	return Verdict{}, false
}

// linkRequest is a link on its way through the commit.
type linkRequest struct {
	Link
	code    linkCode
	verdict *Verdict
}

// Link appends links to the tenant's log, creating the tenant if it is new, and returns a verdict for each.
// When it returns without an error they are on disk, and every snapshot taken from then on resolves users by
// them; with an error, each is logged or not.
//
// Duplicate is a link that the log has already: one of that kind between the two ids, not later and not taken
// away. So is a link of an id to itself. Rejected with ReasonIllegalID, ReasonBadTime or ReasonUserErased
// is a link that can never be. With ReasonAlreadyIdentified and ReasonNotLinked the verdict is a hint: the row is logged, for what
// it means may change with links that arrive later and were made before.
func (t *Tenant) Link(ctx context.Context, links []Link) ([]Verdict, error) {
	verdicts := make([]Verdict, len(links))
	var requests []linkRequest
	for i, l := range links {
		code, ok := l.Kind.code()
		if !ok {
			return nil, fmt.Errorf("engine: link %d: %q is no kind of a link", i, l.Kind)
		}
		if v, bad := l.check(t.db.opt.Limits.UserBytes); bad {
			verdicts[i] = v
			continue
		}
		if len(l.Source) > LinkSourceBytes {
			l.Source = strings.ToValidUTF8(l.Source[:LinkSourceBytes], "")
		}
		requests = append(requests, linkRequest{l, code, &verdicts[i]})
	}
	if len(requests) == 0 {
		return verdicts, ctx.Err()
	}
	if err := t.db.store.err(); err != nil {
		return nil, err
	}
	if err := t.ensure(); err != nil {
		return nil, err
	}
	for some := range slices.Chunk(requests, linksAtOnce) {
		p := &pending{links: some, rows: len(some), settings: t.settings.Load(), result: &Result{}, turn: make(chan bool, 1)}
		if err := t.commit(ctx, p); err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}

// linksAtOnce is the number of links that are committed at once at most.
const linksAtOnce = 1 << 14
