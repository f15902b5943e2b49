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
	"cairn/server/api"
)

// futureMax is how far ahead of our clock an event may claim to be.
const futureMax = 24 * time.Hour

// batchIDMax bounds the header Cairn-Batch-Id, so that with an index it still is an insert id.
const batchIDMax = 200

// postEvents stores the events of a body and answers with what became of each, after they are on disk.
func (s *Server) postEvents(ctx *fasthttp.RequestCtx) {
	answer, err := s.storeEvents(ctx)
	if err != nil {
		s.fail(ctx, err)
		return
	}
	status := fasthttp.StatusOK
	if answer.OK+answer.Duplicate == 0 {
		status = api.Status(api.CodeAllRejected)
	}
	writeJSON(ctx, status, answer)
}

func (s *Server) storeEvents(ctx *fasthttp.RequestCtx) (*api.EventsAnswer, error) {
	tenant, err := s.tenantOf(ctx)
	if err != nil {
		return nil, err
	}
	all := false
	switch v := string(ctx.QueryArgs().Peek("verdicts")); v {
	case "":
	case "all":
		all = true
	default:
		return nil, &api.Error{Code: api.CodeBadParameter, Message: fmt.Sprintf("verdicts=%s: expected all, or nothing", v)}
	}
	batchID := string(ctx.Request.Header.Peek("Cairn-Batch-Id"))
	if len(batchID) > batchIDMax {
		return nil, &api.Error{Code: api.CodeBadParameter, Message: fmt.Sprintf("Cairn-Batch-Id has more than %d bytes", batchIDMax)}
	}
	body, err := unpack(string(ctx.Request.Header.ContentEncoding()), ctx.Request.Body(), s.opt.UnpackedBytesMax)
	if err != nil {
		return nil, err
	}
	if !s.inFlight.TryAcquire(int64(len(body))) {
		return nil, &api.Error{Code: api.CodeOverloaded, Message: "too many bytes are being stored already", Hint: "send the same request again a little later"}
	}
	defer s.inFlight.Release(int64(len(body)))

	scanned, err := s.scan(body)
	if err != nil {
		return nil, err
	}
	if scanned.Events > s.opt.EventsMax {
		return nil, &api.Error{
			Code:    api.CodeTooManyEvents,
			Message: fmt.Sprintf("%d events in one request, at most %d; nothing was stored", scanned.Events, s.opt.EventsMax),
		}
	}
	if batchID != "" {
		fillIDs(scanned.Batch, batchID, scanned.Index)
	}
	// A client that hangs up does not take its events back: the context is not the request's.
	stored, err := tenant.AppendBatch(context.Background(), scanned.Batch, engine.AppendOptions{})
	if err != nil {
		return nil, err
	}
	return verdicts(scanned, stored, all), nil
}

// scan turns a body into a batch. The scanner copies what it takes.
func (s *Server) scan(body []byte) (*ingest.Result, error) {
	now := s.opt.Now()
	scanner := s.scanners.Get().(*ingest.Scanner)
	defer s.scanners.Put(scanner)
	scanner.SetReceived(now.UnixNano(), now.Add(futureMax).UnixNano())
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

// fillIDs gives every event without an insert id the id "<batch id>/<index>": a client that repeats a
// request under the same batch id stores nothing twice.
func fillIDs(b *column.Batch, batchID string, index func(row int) int) {
	ids := column.Column{Name: b.ID.Name}
	var text []byte
	given := 0
	for row := range b.Rows {
		if given < b.ID.Len() && b.ID.Row(given) == row {
			text = append(text[:0], b.ID.Value(given).AsString()...)
			given++
		} else {
			text = append(text[:0], batchID...)
			text = append(text, '/')
			text = strconv.AppendInt(text, int64(index(row)), 10)
		}
		ids.AppendText(uint32(row), event.KindString, text)
	}
	ids.Dict.DropTable()
	b.ID = ids
}
