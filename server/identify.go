package server

import (
	"context"
	"fmt"

	"cairn/engine"
	"cairn/engine/ingest"
	"cairn/server/api"
	"cairn/server/protocol"
)

// postIdentify says that an anonymous id is a user, and what is known of the user. The properties become
// an event $profile, the id a link; the answer comes when both are on disk.
func postIdentify(r *request) error {
	return r.person(func(p *person, text *protocol.Value) error {
		for i := range text.Members {
			name, v := text.Members[i].Name, &text.Members[i].Value
			switch name {
			case "user":
				p.user = p.id(name, v)
			case "anonymous":
				p.other = p.id(name, v)
			case "id":
				p.draft.SetID(p.text(name, v))
			case "time":
				p.time = v
			case "set", "set_once":
				p.changes = p.draft.Operation("$"+name, v) || p.changes
			case "unset":
				if v.Exists() && v.Kind != '[' {
					p.draft.Refuse(ingest.BadEvent, name, "expected a list of names")
				}
				p.changes = p.draft.Operation("$"+name, v) || p.changes
			default:
				return unknownMember(name, "user, anonymous, id, time, set, set_once and unset")
			}
		}
		if p.user == "" {
			p.draft.Refuse(ingest.BadEvent, "user", "there is no user")
		}
		if p.other == "" && !p.changes {
			p.draft.Refuse(ingest.BadEvent, "", "there is nothing to store: anonymous, set, set_once or unset is wanted")
		}
		p.link = protocol.LinkIdentify
		return nil
	})
}

// postAlias says that a user has another id.
func postAlias(r *request) error {
	return r.person(func(p *person, text *protocol.Value) error {
		for i := range text.Members {
			name, v := text.Members[i].Name, &text.Members[i].Value
			switch name {
			case "user":
				p.user = p.id(name, v)
			case "alias":
				p.other = p.id(name, v)
			case "id": // a link that is there already needs no id to be known
				p.draft.SetID(p.text(name, v))
			case "time":
				p.time = v
			default:
				return unknownMember(name, "user, alias, id and time")
			}
		}
		for _, side := range []struct{ name, id string }{{"user", p.user}, {"alias", p.other}} {
			if side.id == "" {
				p.draft.Refuse(ingest.BadEvent, side.name, "there is no %s", side.name)
			}
		}
		p.link = protocol.LinkAlias
		return nil
	})
}

func unknownMember(name, known string) error {
	return &api.Error{Code: api.CodeBadJSON, Message: fmt.Sprintf("the body has a member %.100q", name), Hint: "there are " + known}
}

// person is what a request says of a user.
type person struct {
	draft       *protocol.Draft // of the $profile event
	user, other string
	time        *protocol.Value
	link        string // its kind
	changes     bool   // of the profile
}

// text returns a string, or a number as it is written.
func (p *person) text(field string, v *protocol.Value) string {
	if v.Exists() && v.Name() == "" && v.Kind != '"' {
		p.draft.Refuse(ingest.BadEvent, field, "expected a string")
	}
	return v.Name()
}

// id is text of an id that has to mean somebody.
func (p *person) id(field string, v *protocol.Value) string {
	id := p.text(field, v)
	if v.Exists() && engine.IllegalID(id) {
		p.draft.Refuse(protocol.ReasonIllegalID, field, "%.100q stands for nobody in particular", id)
	}
	return id
}

// person stores what read makes of the body, and answers with the verdict on it.
func (r *request) person(read func(*person, *protocol.Value) error) error {
	if token := r.grant.token; token != nil && !token.AllowsProtocol(ownProtocol) {
		return &api.Error{Code: api.CodeScope, Message: "the token is not for the protocol " + ownProtocol}
	}
	t, err := r.tenant()
	if err != nil {
		return err
	}
	if err := r.lease.assign(&t.inFlight, t.limits().InFlightBytes); err != nil {
		return err
	}
	body, err := r.unpackBody(eventBody, false)
	if err != nil {
		return err
	}
	limits := protocolLimits(t.limits())
	text, reject := protocol.ParseEvent(body, &limits)
	if reject != nil && (reject.Reason == ingest.BadJSON || reject.Reason == ingest.BadEvent) {
		return &api.Error{Code: api.CodeBadJSON, Message: "the body: " + reject.Message + "; nothing was stored"}
	}
	item := protocol.Item{Raw: body, Reject: reject}
	if reject == nil {
		sent := protocol.Value{Kind: '"', Text: string(r.Request.Header.Peek("Cairn-Sent-At"))}
		clock := protocol.NewClock(r.s.opt.Now(), &sent)
		p := &person{draft: protocol.NewDraft(&limits, clock), time: &protocol.Value{}}
		if err := read(p, &text); err != nil {
			return err
		}
		p.draft.SetName("event", protocol.EventProfile)
		p.draft.SetUser(p.user)
		p.draft.SetTime("time", p.time, clock, false)
		at := p.draft.Event.Time
		latest := r.s.opt.Now().Add(futureMax).UnixNano()
		if at > latest {
			p.draft.Refuse(ingest.TimeTooNew, "time", "it is more than %v ahead", futureMax)
		}
		if e, reject := p.draft.Done(); reject != nil {
			item.Reject = reject
		} else {
			if p.changes {
				item.Events = append(item.Events, e)
			}
			if p.other != "" {
				item.Link(&limits, protocol.Link{Kind: p.link, User: p.user, ID: p.other, Time: at, Source: ownProtocol})
			}
		}
	}
	outcomes, err := r.s.store(r, t, ownProtocol, []protocol.Item{item})
	if err != nil {
		return err
	}
	return r.verdict(&outcomes[0])
}

// verdict answers with what became of one item.
func (r *request) verdict(o *protocol.Outcome) error {
	v := api.Verdict{Verdict: o.Verdict, Reason: o.Reason, Field: o.Field, Message: o.Message}
	switch o.Verdict {
	case protocol.Rejected:
		return r.json(api.Status(api.CodeAllRejected), v)
	case protocol.Warning: // it is stored; the reason says what came of the link
		v.Verdict = api.VerdictOK
	}
	return r.json(200, v)
}

// deleteLink takes a link back: the past is as if it had never been.
func deleteLink(r *request) error {
	t, err := r.knownTenant()
	if err != nil {
		return err
	}
	link := engine.Link{
		Kind: engine.LinkUnlink, User: r.params[0], ID: r.params[1],
		Time: r.s.opt.Now().UnixNano(), Source: ownProtocol + ", " + r.who(),
	}
	linked, err := r.linked(t, link.User, link.ID)
	if err != nil {
		return err
	}
	if !linked {
		return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("%q and %q are not linked with each other", link.User, link.ID)}
	}
	verdicts, err := t.Link(context.Background(), []engine.Link{link})
	if err != nil {
		return err
	}
	if v := verdicts[0]; v.Kind == engine.Rejected && v.Reason != engine.ReasonNotLinked { // … by now
		return &api.Error{Code: api.CodeBadParameter, Message: v.Message}
	}
	return r.none(204)
}

// linked reports whether there is a link between two ids.
func (r *request) linked(t *tenant, user, id string) (bool, error) {
	snapshot := t.Snapshot()
	defer snapshot.Close()
	links, err := snapshot.Links(user)
	if err != nil {
		return false, err
	}
	for _, l := range links {
		if l.User == user && l.ID == id || l.User == id && l.ID == user {
			return true, nil
		}
	}
	return false, nil
}
