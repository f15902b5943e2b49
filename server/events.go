package server

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"cairn/engine"
	"cairn/engine/column"
	"cairn/engine/event"
	"cairn/engine/ingest"
	"cairn/server/access"
	"cairn/server/api"
	"cairn/server/protocol"
)

// futureMax is how far ahead of our clock an event may claim to be.
const futureMax = 24 * time.Hour

// batchIDMax bounds the header Cairn-Batch-Id, so that with an index it still is an insert id.
const batchIDMax = 200

// ownProtocol is the name of POST /v1/events among protocols.
const ownProtocol = "cairn"

// pressureMax is the pressure of the engine at which events are turned away: soon after it, appends
// would wait.
const pressureMax = 0.95

// postEvents stores the events of a body and answers with what became of each, after they are on disk.
func postEvents(r *request) error {
	if token := r.grant.token; token != nil && !token.AllowsProtocol(ownProtocol) {
		return &api.Error{Code: api.CodeScope, Message: "the token is not for the protocol " + ownProtocol}
	}
	all, err := r.allVerdicts()
	if err != nil {
		return err
	}
	t, err := r.tenant()
	if err != nil {
		return err
	}
	if err := r.lease.assign(&t.inFlight, t.limits().InFlightBytes); err != nil {
		return err
	}
	batchID := r.Request.Header.Peek("Cairn-Batch-Id")
	if len(batchID) > batchIDMax {
		return &api.Error{Code: api.CodeBadParameter, Message: fmt.Sprintf("Cairn-Batch-Id has more than %d bytes", batchIDMax)}
	}
	if _, err := r.readBody(eventBody); err != nil {
		return err
	}
	if err := r.s.relief(); err != nil { // before it has cost more than its bytes
		return err
	}
	body, err := r.unpackBody(eventBody, false)
	if err != nil {
		return err
	}
	p := postedPool.Get().(*posted)
	defer p.release()
	p.request, p.tenant, p.body, p.allVerdicts, p.batchID = r, t, body, all, batchID
	p.sent = string(r.Request.Header.Peek("Cairn-Sent-At"))
	p.hashIDs = r.grant.token != nil && r.grant.token.HashIDs
	in := t.state.Load().intake
	if r.grant.scopes.Has(access.Admin) {
		in = t.state.Load().restoring
	}
	in.store(p)
	switch answer := &p.answer; {
	case p.err != nil:
		return p.err
	case answer.OK+answer.Duplicate == 0:
		return r.json(api.Status(api.CodeAllRejected), answer)
	case len(answer.Verdicts) > 0:
		return r.json(fasthttp.StatusOK, answer)
	default:
		p.text = appendAnswer(p.text[:0], answer)
		r.SetContentType("application/json")
		r.SetBody(p.text)
		return nil
	}
}

// appendAnswer writes an answer without verdicts as encoding/json does. It is the answer to nearly every
// request.
func appendAnswer(dst []byte, a *api.EventsAnswer) []byte {
	dst = strconv.AppendInt(append(dst, `{"ok":`...), int64(a.OK), 10)
	dst = strconv.AppendInt(append(dst, `,"duplicate":`...), int64(a.Duplicate), 10)
	dst = strconv.AppendInt(append(dst, `,"rejected":`...), int64(a.Rejected), 10)
	if a.Watermark != "" {
		dst = append(append(append(dst, `,"watermark":"`...), a.Watermark...), '"')
	}
	return append(dst, ",\"verdicts\":[]}\n"...)
}

func (r *request) allVerdicts() (bool, error) {
	switch v := r.param("verdicts"); v {
	case "":
		return false, nil
	case "all":
		return true, nil
	default:
		return false, badParameter("verdicts", v, "all, or nothing")
	}
}

// relief turns events away while the store is so far behind that appends would soon have to wait.
func (s *Server) relief() error {
	if s.pressure() >= pressureMax {
		return overloaded("the store is behind with its work")
	}
	return nil
}

// admit refuses events that the store would have to wait for, or that come too fast.
func (r *request) admit(t *tenant, events int) error {
	if err := r.lease.assign(&t.inFlight, t.limits().InFlightBytes); err != nil {
		return err
	}
	if err := r.s.relief(); err != nil {
		return err
	}
	if wait, ok := t.rate.take(events, t.limits().EventsPerSecond, r.s.opt.Now()); !ok {
		seconds := int(wait/time.Second) + 1
		r.Response.Header.Set("Retry-After", strconv.Itoa(seconds))
		return &api.Error{
			Code:    api.CodeRate,
			Message: fmt.Sprintf("the tenant may send %d events a second, and has sent more", t.limits().EventsPerSecond),
			Hint:    fmt.Sprintf("send the same request again in %d s", seconds),
		}
	}
	return nil
}

func tooManyEvents(n int, limit int64) error {
	return &api.Error{
		Code:    api.CodeTooManyEvents,
		Message: fmt.Sprintf("%d events in one request, at most %d; nothing was stored", n, limit),
	}
}

// conclude joins what the scanner and the store say of the events of a body, by their index, to the answer.
// stored are the verdicts on the post's rows.
func (p *posted) conclude(batch *column.Batch, stored []engine.IndexedVerdict, sequence uint64) {
	scanned, answer := p.scanned, &p.answer
	*answer = api.EventsAnswer{
		OK:        p.to - p.from - len(stored),
		Rejected:  len(scanned.Rejects),
		Watermark: watermark(sequence),
		Verdicts:  []api.Verdict{},
	}
	for i := range scanned.Rejects {
		r := &scanned.Rejects[i]
		answer.Verdicts = append(answer.Verdicts, api.Verdict{
			Index: r.Index, Verdict: api.VerdictRejected, Reason: r.Reason, Field: r.Field, Message: r.Message,
		})
	}
	if len(stored) == 0 && !p.allVerdicts {
		return // the rejects are in order
	}
	noted := make(map[int]bool)
	for i := range stored {
		v := &stored[i]
		noted[v.Index] = true
		one := api.Verdict{Index: scanned.Index(v.Index - p.from)}
		if v.Kind == engine.Duplicate {
			answer.Duplicate++
			one.Verdict, one.ID = api.VerdictDuplicate, strings.Clone(batch.ID.At(v.Index).AsString())
		} else {
			answer.Rejected++
			one.Verdict, one.Reason, one.Field, one.Message = api.VerdictRejected, v.Reason, v.Field, v.Message
		}
		answer.Verdicts = append(answer.Verdicts, one)
	}
	if p.allVerdicts {
		for row := p.from; row < p.to; row++ {
			if !noted[row] {
				answer.Verdicts = append(answer.Verdicts, api.Verdict{Index: scanned.Index(row - p.from), Verdict: api.VerdictOK})
			}
		}
	}
	slices.SortFunc(answer.Verdicts, func(a, b api.Verdict) int { return cmp.Compare(a.Index, b.Index) })
}

// keepRejects counts the events that were rejected, and keeps them to be read. stored are the verdicts of the
// store on the post's rows.
func (p *posted) keepRejects(batch *column.Batch, stored []engine.IndexedVerdict, now time.Time) {
	t, m := p.tenant, p.request.s.metrics
	for i := range p.scanned.Rejects {
		reject := &p.scanned.Rejects[i]
		m.event(t.name, ownProtocol, protocol.Rejected, reject.Reason)
		t.rejects.add(now, ownProtocol, reject.Reason, reject.Message, reject.Raw)
	}
	for i := range stored {
		if v := &stored[i]; v.Kind == engine.Rejected {
			m.event(t.name, ownProtocol, protocol.Rejected, v.Reason)
			one := batch.Select([]uint32{uint32(v.Index)}).Events()
			t.rejects.add(now, ownProtocol, v.Reason, v.Message, appendEvent(nil, &one[0]))
		}
	}
}

// fillIDs gives every event without an insert id the one that next appends to a text, none if that is nothing.
func fillIDs(b *column.Batch, next func(text []byte, row int) []byte) {
	ids := column.Column{Name: b.ID.Name}
	var text []byte
	given := 0
	for row := range b.Rows {
		if given < b.ID.Len() && b.ID.Row(given) == row {
			text = append(text[:0], b.ID.Value(given).AsString()...)
			given++
		} else {
			text = next(text[:0], row)
		}
		if len(text) == 0 {
			continue
		}
		ids.AppendText(uint32(row), event.KindString, text)
	}
	ids.Dict.DropTable()
	b.ID = ids
}

// correctSkew adds to the times of events what the client's clock was off when it sent them. Times that
// are those of the arrival are right already.
func correctSkew(b *column.Batch, sent string, now time.Time) error {
	at, ok := ingest.ParseTime(sent)
	if !ok {
		return &api.Error{Code: api.CodeBadParameter, Message: "Cairn-Sent-At: " + sent + ": expected a time, such as 2025-06-01T08:00:00.120Z or 1748764800.12"}
	}
	add := protocol.Skew(now, at)
	if add == 0 || b.Field(protocol.FieldSkew) != nil {
		return nil
	}
	skew := column.Column{Name: protocol.FieldSkew, Kind: event.KindInt}
	received := now.UnixNano()
	for row, at := range b.Time {
		if at != received {
			b.Time[row] = at + add
			skew.Rows = append(skew.Rows, uint32(row))
			skew.Bits = append(skew.Bits, uint64(add/int64(time.Millisecond)))
		}
	}
	switch skew.Len() {
	case 0:
		return nil
	case b.Rows:
		skew.Rows = nil
	}
	b.Fields = append(b.Fields, &skew)
	return nil
}
