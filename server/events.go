package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	batchID := string(r.Request.Header.Peek("Cairn-Batch-Id"))
	if len(batchID) > batchIDMax {
		return &api.Error{Code: api.CodeBadParameter, Message: fmt.Sprintf("Cairn-Batch-Id has more than %d bytes", batchIDMax)}
	}
	body, err := r.unpackBody(eventBody, false)
	if err != nil {
		return err
	}
	now := r.s.opt.Now()
	sent := string(r.Request.Header.Peek("Cairn-Sent-At"))
	scanned, err := r.scan(t, body, now, sent != "")
	if err != nil {
		return err
	}
	if limit := t.limits().Events; int64(scanned.Events) > limit {
		return tooManyEvents(scanned.Events, limit)
	}
	if err := r.admit(t, scanned.Events); err != nil {
		return err
	}
	if sent != "" {
		if err := correctSkew(scanned.Batch, sent, now); err != nil {
			return err
		}
	}
	switch {
	case batchID != "":
		fillIDs(scanned.Batch, func(text []byte, row int) []byte {
			text = append(append(text, batchID...), '/')
			return strconv.AppendInt(text, int64(scanned.Index(row)), 10)
		})
	case r.grant.token != nil && r.grant.token.HashIDs:
		events := scanned.Batch.Events()
		fillIDs(scanned.Batch, func(text []byte, row int) []byte { return append(text, contentID(&events[row])...) })
	}
	// A client that hangs up does not take its events back: the context is not the request's.
	stored, err := t.AppendBatch(context.Background(), scanned.Batch, engine.AppendOptions{})
	if err != nil {
		return err
	}
	answer := verdicts(scanned, stored, all)
	r.s.countEvents(t, scanned, stored, now)
	status := fasthttp.StatusOK
	if answer.OK+answer.Duplicate == 0 {
		status = api.Status(api.CodeAllRejected)
	}
	return r.json(status, answer)
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

// admit refuses events that the store would have to wait for, or that come too fast.
func (r *request) admit(t *tenant, events int) error {
	if err := r.lease.assign(&t.inFlight, t.limits().InFlightBytes); err != nil {
		return err
	}
	if r.s.pressure() >= pressureMax {
		return overloaded("the store is behind with its work")
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

// scan turns a body into a batch. The scanner copies what it takes. skewed says that times are the
// client's still, so that it is not known yet which of them lie in the future.
func (r *request) scan(t *tenant, body []byte, now time.Time, skewed bool) (*ingest.Result, error) {
	scanners := &t.state.Load().scanners
	if r.grant.scopes.Has(access.Admin) {
		scanners = &t.state.Load().restorers
	}
	scanner := (*scanners).Get().(*ingest.Scanner)
	defer (*scanners).Put(scanner)
	latest := now.Add(futureMax).UnixNano()
	if skewed {
		latest = 0
	}
	scanner.SetReceived(now.UnixNano(), latest)
	scanned, err := scanner.Scan(body)
	var syntax *ingest.SyntaxError
	switch {
	case errors.Is(err, ingest.ErrEmpty):
		return nil, &api.Error{Code: api.CodeEmptyBatch, Message: "the body has no events"}
	case errors.As(err, &syntax):
		return nil, &api.Error{Code: api.CodeBadJSON, Message: syntax.Error() + "; nothing was stored", Line: syntax.Line}
	case err != nil:
		return nil, &api.Error{Code: api.CodeBadJSON, Message: err.Error() + "; nothing was stored"}
	}
	return scanned, nil
}

// countEvents counts what became of the events of a request, and keeps the rejected ones to be read.
func (s *Server) countEvents(t *tenant, scanned *ingest.Result, stored *engine.Result, now time.Time) {
	s.metrics.events(t.name, ownProtocol, protocol.OK, "", stored.Stored)
	s.metrics.events(t.name, ownProtocol, protocol.Duplicate, "", stored.Duplicates)
	for i := range scanned.Rejects {
		reject := &scanned.Rejects[i]
		s.metrics.event(t.name, ownProtocol, protocol.Rejected, reject.Reason)
		t.rejects.add(now, ownProtocol, reject.Reason, reject.Message, reject.Raw)
	}
	for i := range stored.Verdicts {
		if v := &stored.Verdicts[i]; v.Kind == engine.Rejected {
			s.metrics.event(t.name, ownProtocol, protocol.Rejected, v.Reason)
			one := scanned.Batch.Select([]uint32{uint32(v.Index)}).Events()
			t.rejects.add(now, ownProtocol, v.Reason, v.Message, appendEvent(nil, &one[0]))
		}
	}
}

// verdicts joins what the scanner and the store say of the events of a request, by their index.
func verdicts(scanned *ingest.Result, stored *engine.Result, all bool) *api.EventsAnswer {
	answer := &api.EventsAnswer{
		OK:        stored.Stored,
		Duplicate: stored.Duplicates,
		Rejected:  stored.Rejected + len(scanned.Rejects),
		Watermark: watermark(stored.Sequence),
		Verdicts:  []api.Verdict{},
	}
	for i := range scanned.Rejects {
		r := &scanned.Rejects[i]
		answer.Verdicts = append(answer.Verdicts, api.Verdict{
			Index: r.Index, Verdict: api.VerdictRejected, Reason: r.Reason, Field: r.Field, Message: r.Message,
		})
	}
	noted := make(map[int]bool)
	for i := range stored.Verdicts {
		v := &stored.Verdicts[i]
		noted[v.Index] = true
		one := api.Verdict{
			Index: scanned.Index(v.Index), Verdict: api.VerdictRejected, Reason: v.Reason, Field: v.Field, Message: v.Message,
		}
		if v.Kind == engine.Duplicate {
			one = api.Verdict{Index: one.Index, Verdict: api.VerdictDuplicate, ID: scanned.Batch.ID.At(v.Index).AsString()}
		}
		answer.Verdicts = append(answer.Verdicts, one)
	}
	if all {
		for row := range scanned.Batch.Rows {
			if !noted[row] {
				answer.Verdicts = append(answer.Verdicts, api.Verdict{Index: scanned.Index(row), Verdict: api.VerdictOK})
			}
		}
	}
	slices.SortFunc(answer.Verdicts, func(a, b api.Verdict) int { return cmp.Compare(a.Index, b.Index) })
	return answer
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

// fillIDs gives every event without an insert id the one that next appends to a text.
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
		ids.AppendText(uint32(row), event.KindString, text)
	}
	ids.Dict.DropTable()
	b.ID = ids
}
