package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/server/access"
	"cairn/server/api"
	"cairn/server/protocol"
)

// vendor answers a request to a path of another vendor's protocol; false says that no protocol claims
// it. Whose it is may show in the body only, so that is read first, within the limits of the path.
func (s *Server) vendor(r *request, where protocol.Route) (bool, error) {
	preflight := string(r.Method()) == fasthttp.MethodOptions
	r.allowOrigin(preflight)
	if preflight {
		r.Response.Header.Set("Allow", where.Allow)
		return true, r.none(fasthttp.StatusNoContent)
	}
	if !where.Serves() {
		return false, nil
	}
	req := r.vendorRequest(where, nil)
	body, err := r.vendorBody(where)
	if err != nil {
		if p := where.Pick(req); p != nil { // told by the path alone, so in its own words
			return true, r.respond(p.Fail(req, s.coded(err)))
		}
		return true, err
	}
	req.Body, req.WireBytes = body, len(r.body.bytes)
	p := s.pick(where, req)
	if p == nil {
		return false, nil
	}
	response, err := s.speak(r, p, req, vendorClass(where))
	if err != nil {
		coded := *s.coded(err)
		coded.RequestID = r.id
		s.noteFailure(r, &coded, err)
		response = p.Fail(req, &coded)
		r.retryAfter(response.Status)
	}
	return true, r.respond(response)
}

func (r *request) vendorBody(where protocol.Route) ([]byte, error) {
	return r.unpackBody(vendorClass(where), true)
}

// vendorClass is how large bodies of a path may be.
func vendorClass(where protocol.Route) bodyClass {
	switch where.Bodies {
	case protocol.BulkBodies:
		return bulkBody
	case protocol.ImportBodies:
		return importBody
	}
	return eventBody
}

// vendorRequest is the request as a protocol sees it.
func (r *request) vendorRequest(where protocol.Route, body []byte) *protocol.Request {
	return &protocol.Request{
		Method:   string(r.Method()),
		Path:     where.Path,
		Query:    r.param,
		HasQuery: func(name string) bool { return r.QueryArgs().Has(name) },
		Header:   func(name string) string { return string(r.Request.Header.Peek(name)) },
		Headers:  r.headers,
		Gunzip:   r.gunzip,
		Body:     body,
		Received: r.s.opt.Now(),
		RemoteIP: r.remoteIP(),
		URLToken: where.Token,
		Limits:   protocolLimits(&r.s.opt.Limits),
	}
}

// gunzip unpacks what a protocol found packed inside a body, as a packed body is.
func (r *request) gunzip(packed []byte) ([]byte, error) {
	return unpack("gzip", packed, int(r.s.opt.Limits.UnpackedBytes), r.lease.grow)
}

// headers yields the header lines of the request.
func (r *request) headers(yield func(name, value string) bool) {
	for name, value := range r.Request.Header.All() {
		if !yield(string(name), string(value)) {
			return
		}
	}
}

// remoteIP is the address of the client: of the connection or, if that is a proxy on this machine, what
// the proxy says.
func (r *request) remoteIP() string {
	ip := r.RemoteIP()
	if ip.IsLoopback() {
		forwarded := string(r.Request.Header.Peek("X-Forwarded-For"))
		if i := strings.LastIndexByte(forwarded, ','); i >= 0 {
			forwarded = forwarded[i+1:]
		}
		if forwarded = strings.TrimSpace(forwarded); forwarded != "" && len(forwarded) < 64 {
			return forwarded
		}
	}
	return ip.String()
}

func protocolLimits(l *api.Limits) protocol.Limits {
	return protocol.Limits{
		Events:      int(l.Events),
		EventBytes:  int(l.EventBytes),
		Fields:      int(l.Fields),
		NameBytes:   int(l.FieldNameBytes),
		StringBytes: int(l.StringBytes),
		Depth:       int(l.Depth),
		EventName:   int(l.EventNameBytes),
		UserBytes:   int(l.UserBytes),
		IDBytes:     int(l.IDBytes),
	}
}

// speak decodes a request, looks its key up, stores what it says, and makes the answer.
func (s *Server) speak(r *request, p protocol.Protocol, req *protocol.Request, class bodyClass) (protocol.Response, error) {
	r.note = p.Name()
	decoded, failed := s.decode(p, req)
	// The key first: what else is wrong is no business of strangers.
	if decoded == nil {
		decoded = &protocol.Decoded{}
	}
	key := ""
	switch len(decoded.Keys) {
	case 0:
	case 1:
		key = decoded.Keys[0]
	default:
		if !s.open() {
			return protocol.Response{}, &api.Error{Code: api.CodeMixedTokens, Message: "the request has several different keys"}
		}
	}
	if key == "" && failed != nil && !s.open() {
		return protocol.Response{}, failed // it could not be looked for
	}
	if err := r.authorizeKey(key, access.Ingest, p.Name()); err != nil {
		return protocol.Response{}, err
	}
	t, err := r.tenant()
	if err != nil {
		return protocol.Response{}, err
	}
	// What the tenant and the token say of events is known only now.
	own := t.state.Load()
	if token := r.grant.token; token != nil {
		req.UserField = token.UserMember
	}
	if limits := protocolLimits(&own.limits); limits != req.Limits || req.UserField != "" {
		req.Limits = limits
		decoded, failed = s.decode(p, req)
	}
	if failed != nil {
		return protocol.Response{}, failed
	}
	if err := r.checkWire(t, req, class); err != nil {
		return protocol.Response{}, err
	}
	if decoded.Reply != nil {
		return *decoded.Reply, nil
	}
	s.metrics.ignored(t.name, p.Name(), decoded.Ignored)
	outcomes, err := s.store(r, t, p.Name(), decoded.Items)
	if err != nil {
		return protocol.Response{}, err
	}
	if _, ok := p.(protocol.CloudEvents); ok { // whose answer is that of /v1/events
		snapshot := t.Snapshot()
		decoded.Watermark = watermark(snapshot.Sequence())
		snapshot.Close()
	}
	return p.Answer(req, decoded, outcomes), nil
}

// pick returns whose request it is, which may take a look at all of its body.
func (s *Server) pick(where protocol.Route, req *protocol.Request) protocol.Protocol {
	defer s.goBehind(req)()
	return where.Pick(req)
}

func (s *Server) decode(p protocol.Protocol, req *protocol.Request) (*protocol.Decoded, error) {
	defer s.goBehind(req)()
	return p.Decode(req)
}

// goBehind lets queries go first before a long body is read, as those of POST /v1/events do, and returns what is to be
// called when it has been.
func (s *Server) goBehind(req *protocol.Request) (done func()) {
	if len(req.Body) <= smallBodyBytes {
		return func() {}
	}
	s.priority.standStill()
	return s.slot()
}

// checkWire holds a body against the tenant's own limits, which were not known when it was read.
func (r *request) checkWire(t *tenant, req *protocol.Request, class bodyClass) error {
	if limit := r.bodyLimit(class); int64(req.WireBytes) > limit { // the tenant is known by now
		return bodyTooLarge(limit)
	}
	if limit := t.limits().UnpackedBytes; int64(len(req.Body)) > limit {
		return unpackedTooLarge(int(limit))
	}
	return nil
}

// store stores what the items say and returns what became of each. An error says that it is not known
// of any event whether it is stored; sent again, ids make it exact.
func (s *Server) store(r *request, t *tenant, protocolName string, items []protocol.Item) ([]protocol.Outcome, error) {
	if err := r.admit(t, len(items)); err != nil {
		return nil, err
	}
	outcomes := make([]protocol.Outcome, len(items))
	var events []event.Event
	var owner []int // item of each event
	for i := range items {
		outcomes[i] = items[i].Outcome()
		for _, e := range items[i].Events {
			if e.ID == "" && r.grant.token != nil && r.grant.token.HashIDs {
				e.ID = contentID(&e)
			}
			events, owner = append(events, e), append(owner, i)
		}
	}
	verdicts, err := t.Append(context.Background(), events)
	if err != nil {
		return nil, err
	}
	for i, v := range verdicts {
		o := protocol.Outcome{Verdict: protocol.OK}
		switch v.Kind {
		case engine.Duplicate:
			o.Verdict = protocol.Duplicate
		case engine.Rejected:
			o = protocol.Outcome{Verdict: protocol.Rejected, Reject: protocol.Reject{Reason: v.Reason, Field: v.Field, Message: v.Message}}
		}
		outcomes[owner[i]] = protocol.Worse(outcomes[owner[i]], o)
	}
	if err := s.storeLinks(t, items, outcomes); err != nil {
		return nil, err
	}
	ok := 0
	for i := range outcomes {
		o := &outcomes[i]
		if o.Verdict == protocol.OK {
			ok++ // nearly all: counted once a request
			continue
		}
		s.metrics.event(t.name, protocolName, o.Verdict, o.Reason)
		if o.Verdict == protocol.Rejected {
			t.rejects.add(s.opt.Now(), protocolName, o.Reason, o.Message, items[i].Raw)
		}
	}
	s.metrics.events(t.name, protocolName, protocol.OK, "", ok)
	return outcomes, nil
}

// storeLinks makes the links of items whose events are stored.
func (s *Server) storeLinks(t *tenant, items []protocol.Item, outcomes []protocol.Outcome) error {
	var links []engine.Link
	var owner []int
	for i := range items {
		if outcomes[i].Verdict == protocol.Rejected {
			continue
		}
		for _, l := range items[i].Links {
			kind, err := engine.ParseLinkKind(l.Kind)
			if err != nil {
				return err
			}
			links = append(links, engine.Link{Kind: kind, User: l.User, ID: l.ID, Time: l.Time, Source: l.Source})
			owner = append(owner, i)
		}
	}
	if len(links) == 0 {
		return nil
	}
	verdicts, err := t.Link(context.Background(), links)
	if err != nil {
		return err
	}
	for i, v := range verdicts {
		if v.Kind == engine.Rejected {
			refused := protocol.Outcome{Verdict: protocol.Warning, Reject: protocol.Reject{Reason: v.Reason, Message: v.Message}}
			outcomes[owner[i]] = protocol.Worse(outcomes[owner[i]], refused)
		}
	}
	return nil
}

// contentID makes an insert id of what an event says, for tokens that ask for it.
func contentID(e *event.Event) string {
	hash := sha256.New()
	at := e.Time
	fields := slices.Clone(e.Fields) // in an order that does not depend on what came with the event
	slices.SortFunc(fields, func(a, b event.Field) int { return strings.Compare(a.Name, b.Name) })
	for i := range fields {
		f := &fields[i]
		if f.Name == protocol.FieldSkew {
			at -= f.Value.AsInt() * 1e6 // the time that the client gave: a repeat has another skew
			continue
		}
		fmt.Fprintf(hash, "%d\x00%s%d\x00%d\x00%d\x00%s", len(f.Name), f.Name, f.Value.Kind(), f.Value.Bits(), len(f.Value.Text()), f.Value.Text())
	}
	fmt.Fprintf(hash, "%d\x00%s%d\x00%s%d", len(e.Name), e.Name, len(e.User), e.User, at)
	return "h" + hex.EncodeToString(hash.Sum(nil)[:16])
}

// respond writes a protocol's answer.
func (r *request) respond(p protocol.Response) error {
	r.SetStatusCode(p.Status)
	for _, h := range p.Headers {
		r.Response.Header.Set(h.Name, h.Value)
	}
	if p.ContentType != "" {
		r.SetContentType(p.ContentType)
	}
	r.retryAfter(p.Status)
	r.SetBody(p.Body)
	if p.Hangup {
		r.HijackSetNoResponse(true)
		r.Hijack(func(net.Conn) {}) // which is closed after it
	}
	return nil
}
