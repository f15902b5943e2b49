package server

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"cairn/engine"
	"cairn/server/api"
)

// deleteUser erases a user: the answer comes when no query sees him any more.
func deleteUser(r *request) error {
	linked, err := r.flag("links")
	if err != nil {
		return err
	}
	block, err := r.flag("block")
	if err != nil {
		return err
	}
	t, err := r.knownTenant()
	if err != nil {
		return err
	}
	if !r.s.db.Exists(t.name) {
		return &api.Error{Code: api.CodeNotFound, Message: "the tenant has no users yet"}
	}
	receipt, err := t.Erase(context.Background(), engine.EraseOptions{User: r.params[0], Linked: linked, Block: block, By: r.who()})
	t.erasures.Add(1)
	r.s.snapshots.Forget(t.name) // also after an error: it may be hidden now
	if err != nil {
		return err
	}
	r.s.opt.Logger.Info("user erased", "tenant", t.name, "erasure", receipt.Number, "events", receipt.Events, "by", receipt.By)
	r.Response.Header.Set("Location", "/v1/erasures/"+strconv.FormatUint(receipt.Number, 10))
	return r.json(202, erasureAnswer(receipt))
}

func erasureAnswer(e *engine.Erasure) api.Erasure {
	out := api.Erasure{
		Erasure: e.Number, UserSHA256: e.UserSHA256, Requested: e.Requested.UTC(), By: e.By, Hidden: e.Hidden.UTC(),
		Events: e.Events, Days: e.Days, UpTo: e.UpTo, State: e.State, Blocked: e.Blocked, Linked: e.Linked,
	}
	if !e.Erased.IsZero() {
		at := e.Erased.UTC().Truncate(time.Millisecond)
		out.Erased = &at
	}
	return out
}

func listErasures(r *request) error {
	t, err := r.knownTenant()
	if err != nil {
		return err
	}
	receipts, err := t.Erasures()
	if err != nil {
		return err
	}
	answer := api.ErasuresAnswer{Erasures: []api.Erasure{}}
	for i := range receipts {
		answer.Erasures = append(answer.Erasures, erasureAnswer(&receipts[i]))
	}
	return r.json(200, answer)
}

func getErasure(r *request) error {
	t, err := r.knownTenant()
	if err != nil {
		return err
	}
	missing := &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("there is no erasure %.40q", r.params[0])}
	number, err := strconv.ParseUint(r.params[0], 10, 64)
	if err != nil {
		return missing
	}
	receipt, err := t.Erasure(number)
	if err != nil {
		return err
	}
	if receipt == nil {
		return missing
	}
	return r.json(200, erasureAnswer(receipt))
}
