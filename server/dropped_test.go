package server

import (
	"slices"
	"testing"

	"cairn/server/access"
	"cairn/server/api"
)

// A request that has its tenant when that is dropped is told so, and brings nothing back.
func TestTenantDroppedUnderARequest(t *testing.T) {
	w := newTown(t)
	w.want(t, call{method: post, path: "/v1/events", token: w.tokens["a"][access.All], body: events(3)}, 200, "")
	owner, err := w.Server.tenants.get("a")
	if err != nil {
		t.Fatal(err)
	}
	intake := owner.state.Load().intake
	w.want(t, call{method: "DELETE", path: "/v1/tenants/a?confirm=a", token: w.operator, admin: true}, 202, "")
	late := &posted{request: &request{s: w.Server}, tenant: owner, body: []byte(events(1))}
	intake.storeGroup([]*posted{late})
	if late.err == nil || w.coded(late.err).Code != api.CodeNotFound {
		t.Errorf("events for a dropped tenant: %v", late.err)
	}
	if slices.Contains(w.Server.db.Tenants(), "a") {
		t.Error("the tenant is there again")
	}
}
