package server

import (
	"fmt"
	"slices"

	"github.com/valyala/fasthttp"

	"cairn/engine"
	"cairn/server/api"
)

// defaultTenant takes what names no tenant.
const defaultTenant = "default"

// tenantOf says whose events a request is about: those of the parameter tenant, else of the default
// tenant. Here is the one place that decides. The server trusts whoever can reach it, which is why it listens on the
// loopback address only unless told otherwise.
func (s *Server) tenantOf(ctx *fasthttp.RequestCtx) (*engine.Tenant, error) {
	return s.db.Tenant(tenantName(ctx))
}

// knownTenantOf is tenantOf for reading: a tenant that nobody has written to is not found, except the
// default one, which is merely empty.
func (s *Server) knownTenantOf(ctx *fasthttp.RequestCtx) (*engine.Tenant, error) {
	name := tenantName(ctx)
	if name != defaultTenant && !slices.Contains(s.db.Tenants(), name) {
		return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("there is no tenant %q", name)}
	}
	return s.db.Tenant(name)
}

func tenantName(ctx *fasthttp.RequestCtx) string {
	if name := string(ctx.QueryArgs().Peek("tenant")); name != "" {
		return name
	}
	return defaultTenant
}
