package server

import (
	"github.com/valyala/fasthttp/pprofhandler"

	"cairn/server/access"
	"cairn/server/api"
)

// routeDoc describes a route for people and for /openapi.json. Types are values of the types of package
// api; nil says that there is no body, or none that is JSON.
type routeDoc struct {
	group, summary string
	params         []paramDoc
	body           any
	bodyTypes      []string // of a body that is not JSON, or not only
	headers        []paramDoc
	answer         any
	answerTypes    []string // of an answer that is not JSON, or not only
	status         int      // of a success; 200
	also           []alsoDoc
}

// alsoDoc is an answer that is neither the success nor an api.ErrorAnswer.
type alsoDoc struct {
	status int
	about  string
	answer any // nil: it has no body
}

// paramDoc describes a parameter of the address.
type paramDoc struct {
	name, about string
	required    bool
}

// formatParam asks for a format of an answer.
var formatParam = paramDoc{name: "format", about: "json, ndjson, csv, parquet or text; the header Accept says the same"}

// The parameters of queries, which stand for the members of api.QueryRequest.
var queryParams = []paramDoc{
	{name: "q", about: "the query's text (GET)"},
	{name: "name", about: "of a saved query, in place of its text"},
	{name: "from", about: "the beginning of the time range, for a query without one: 2025-06-01, 2025-06-01T08:00:00Z or now"},
	{name: "to", about: "its end, which is not in it"},
	{name: "on", about: "one day, in place of from and to"},
	{name: "tz", about: "an IANA time zone, such as Asia/Shanghai; the tenant's without it"},
	{name: "week", about: "the first day of a week: mon, tue, …"},
	formatParam,
	{name: "limit", about: "rows at most"},
	{name: "timeout", about: "such as 5s; it can only lower the tenant's limit"},
	{name: "after", about: "a watermark: the answer includes what it names"},
	{name: "snapshot", about: "the state of the store to be read, as an answer's meta has it; 410 when it is gone"},
}

// routes is every route of Cairn's own, the table that the router and /openapi.json are made from.
func routes() []*route {
	var out []*route
	add := func(r route) { out = append(out, &r) }
	eventRoutes(add)
	queryRoutes(add)
	schemaRoutes(add)
	documentRoutes(add)
	personRoutes(add)
	tenantRoutes(add)
	operationRoutes(add)
	return out
}

func eventRoutes(add func(route)) {
	add(route{method: post, path: "/v1/events", scope: access.Ingest, browser: true, answer: postEvents, doc: routeDoc{
		group: "events", summary: "Store events; the answer comes when they are on disk.",
		params: []paramDoc{{name: "verdicts", about: "all lists every event; without it those that are not ok"}},
		headers: []paramDoc{
			{name: "Cairn-Sent-At", about: "the client's clock when it sends, by which times are corrected"},
			{name: "Cairn-Batch-Id", about: "gives events without an id one, so that the same request can be sent again"},
		},
		bodyTypes: []string{"application/x-ndjson", "application/json"},
		answer:    api.EventsAnswer{},
		also:      []alsoDoc{{422, "No event was stored.", api.EventsAnswer{}}},
	}})
	add(route{method: get, path: "/v1/rejects", scope: access.Query, answer: getRejects, doc: routeDoc{
		group: "events", summary: "The latest events that were rejected, the newest first.",
		params: []paramDoc{{name: "limit", about: "at most; 100, up to 1000"}},
		answer: api.RejectsAnswer{},
	}})
}

func queryRoutes(add func(route)) {
	queryDoc := routeDoc{
		group: "queries", summary: "Answer a question.", params: queryParams,
		body: api.QueryRequest{}, bodyTypes: []string{"text/plain"},
		answer: api.QueryAnswer{}, answerTypes: []string{"application/x-ndjson", "text/csv", "application/vnd.apache.parquet", "text/plain"},
	}
	explainDoc := routeDoc{
		group: "queries", summary: "Tell what a query would read, without running it.", params: queryParams,
		body: api.QueryRequest{}, bodyTypes: []string{"text/plain"},
		answer: api.ExplainAnswer{}, answerTypes: []string{"text/plain"},
	}
	for _, method := range []string{get, post} {
		withoutBody := func(d routeDoc) routeDoc {
			if method == get {
				d.body, d.bodyTypes = nil, nil
				d.headers = []paramDoc{{name: "If-None-Match", about: "the ETag of an answer: 304 says that it is good still"}}
				d.also = []alsoDoc{{304, "The answer of that ETag is good still.", nil}}
			}
			return d
		}
		add(route{method: method, path: "/v1/query", scope: access.Query, answer: runQuery, doc: withoutBody(queryDoc)})
		add(route{method: method, path: "/v1/query/explain", scope: access.Query, answer: explainQuery, doc: withoutBody(explainDoc)})
	}
	add(route{method: get, path: "/v1/query/running", scope: access.Query, answer: listRunning, doc: routeDoc{
		group: "queries", summary: "The tenant's queries that run now.", answer: api.RunningAnswer{},
	}})
	add(route{method: remove, path: "/v1/query/running/{id}", scope: access.Query, answer: cancelRunning, doc: routeDoc{
		group: "queries", summary: "End a query.", status: 204,
	}})
	add(route{method: get, path: "/v1/queries", scope: access.Query, answer: listQueries, doc: routeDoc{
		group: "queries", summary: "The tenant's saved queries.", answer: api.SavedQueriesAnswer{},
	}})
	add(route{method: put, path: "/v1/queries/{name}", scope: access.Query, answer: putQuery, doc: routeDoc{
		group: "queries", summary: "Save a query that can be understood, in place of the one of that name.",
		bodyTypes: []string{"text/plain"}, status: 204,
	}})
	add(route{method: get, path: "/v1/queries/{name}", scope: access.Query, answer: getQuery, doc: routeDoc{
		group: "queries", summary: "The text of a saved query.", answerTypes: []string{"text/plain"},
	}})
	add(route{method: remove, path: "/v1/queries/{name}", scope: access.Query, answer: deleteQuery, doc: routeDoc{
		group: "queries", summary: "Delete a saved query.", status: 204,
	}})
}

func schemaRoutes(add func(route)) {
	params := func(more ...paramDoc) []paramDoc {
		return append(more,
			paramDoc{name: "from", about: "the beginning of the time of the events that count, as in queries; all without it"},
			paramDoc{name: "to", about: "its end, which is not in it"},
			paramDoc{name: "tz", about: "the zone that from and to are read in; the tenant's without it"},
			paramDoc{name: "limit", about: "at most; 100, up to 10000"},
		)
	}
	prefix := paramDoc{name: "prefix", about: "what names begin with"}
	cursor := paramDoc{name: "cursor", about: "that of the page before"}
	name := paramDoc{name: "event", about: "lets only events of that name count"}
	add(route{method: get, path: "/v1/schema/events", scope: access.Query, answer: schemaEvents, doc: routeDoc{
		group: "schema", summary: "The names of events.", params: params(prefix, cursor), answer: api.SchemaEvents{},
	}})
	add(route{method: get, path: "/v1/schema/fields", scope: access.Query, answer: schemaFields, doc: routeDoc{
		group: "schema", summary: "The fields of events, with their types.", params: params(prefix, cursor, name), answer: api.SchemaFields{},
	}})
	add(route{method: get, path: "/v1/schema/values", scope: access.Query, answer: schemaValues, doc: routeDoc{
		group: "schema", summary: "The most frequent values of a field, the most frequent first.", answer: api.SchemaValues{},
		params: params(paramDoc{name: "field", about: "whose values", required: true}, name),
	}})
}

func documentRoutes(add func(route)) {
	add(route{method: get, path: "/v1/lookups", scope: access.Query, answer: listLookups, doc: routeDoc{
		group: "side tables", summary: "The tenant's side tables.", answer: api.LookupsAnswer{},
	}})
	add(route{method: put, path: "/v1/lookups/{table}", scope: access.Admin, answer: putLookup, doc: routeDoc{
		group: "side tables", summary: "Put a side table, as a whole, in the place of the one of that name.",
		params:    []paramDoc{{name: "key", about: "the columns by which rows are found, with commas between", required: true}},
		bodyTypes: []string{"text/csv", "application/x-ndjson"}, status: 204,
	}})
	add(route{method: get, path: "/v1/lookups/{table}", scope: access.Query, answer: getLookup, doc: routeDoc{
		group: "side tables", summary: "The rows of a side table.", params: []paramDoc{formatParam},
		answer: api.LookupAnswer{}, answerTypes: []string{"application/x-ndjson", "text/csv", "application/vnd.apache.parquet", "text/plain"},
	}})
	add(route{method: remove, path: "/v1/lookups/{table}", scope: access.Admin, answer: deleteLookup, doc: routeDoc{
		group: "side tables", summary: "Delete a side table.", status: 204,
	}})
}

func personRoutes(add func(route)) {
	sentAt := []paramDoc{{name: "Cairn-Sent-At", about: "the client's clock when it sends, by which the time is corrected"}}
	refused := []alsoDoc{{422, "It was not stored; the verdict says why.", api.Verdict{}}}
	add(route{method: post, path: "/v1/identify", scope: access.Ingest, browser: true, answer: postIdentify, doc: routeDoc{
		group: "users", summary: "Say that an anonymous id is a user, and what is known of the user.",
		body: api.IdentifyRequest{}, answer: api.Verdict{}, headers: sentAt, also: refused,
	}})
	add(route{method: post, path: "/v1/alias", scope: access.Ingest, browser: true, answer: postAlias, doc: routeDoc{
		group: "users", summary: "Say that a user has another id.", body: api.AliasRequest{}, answer: api.Verdict{}, headers: sentAt, also: refused,
	}})
	add(route{method: remove, path: "/v1/links/{user}/{id}", scope: access.Admin, answer: deleteLink, doc: routeDoc{
		group: "users", summary: "Take a link of two ids back: the past is as if it had never been.", status: 204,
	}})
	zone := paramDoc{name: "tz", about: "the zone of the times in the answer; the tenant's without it"}
	add(route{method: get, path: "/v1/users/{id}", scope: access.Query, answer: getUser, doc: routeDoc{
		group: "users", summary: "What is stored of a user, who is named by any of his ids.", params: []paramDoc{zone}, answer: api.UserAnswer{},
	}})
	add(route{method: get, path: "/v1/users/{id}/events", scope: access.Query, answer: getUserEvents, doc: routeDoc{
		group: "users", summary: "A page of a user's events, the newest first.",
		params: []paramDoc{
			zone,
			{name: "event", about: "lets only events of that name count"},
			{name: "from", about: "the beginning of the time wanted, as in queries"},
			{name: "to", about: "its end, which is not in it"},
			{name: "limit", about: "at most; 100, up to 10000"},
			{name: "cursor", about: "that of the page before"},
			{name: "order", about: "desc, the newest first, or asc"},
		},
		answer: api.UserEventsAnswer{},
	}})
	add(route{method: remove, path: "/v1/users/{id}", scope: access.Admin, answer: deleteUser, doc: routeDoc{
		group: "users", summary: "Erase a user: no query sees him when the answer comes, and no file a little later.",
		params: []paramDoc{
			{name: "links", about: "1 also erases the ids that are linked to him"},
			{name: "block", about: "1 refuses later events of his"},
		},
		answer: api.Erasure{}, status: 202,
	}})
	add(route{method: get, path: "/v1/erasures", scope: access.Admin, answer: listErasures, doc: routeDoc{
		group: "users", summary: "The receipts of erasures, the oldest first.", answer: api.ErasuresAnswer{},
	}})
	add(route{method: get, path: "/v1/erasures/{n}", scope: access.Admin, answer: getErasure, doc: routeDoc{
		group: "users", summary: "The receipt of an erasure.", answer: api.Erasure{},
	}})
}

func tenantRoutes(add func(route)) {
	const group = "administration"
	add(route{method: get, path: "/v1/tenants", operator: true, adminOn: true, answer: listTenants, doc: routeDoc{
		group: group, summary: "All tenants.", answer: api.TenantsAnswer{},
	}})
	add(route{method: post, path: "/v1/tenants", operator: true, adminOn: true, answer: postTenant, doc: routeDoc{
		group: group, summary: "Make a tenant.", body: api.NewTenant{}, answer: api.Tenant{}, status: 201,
	}})
	add(route{method: get, path: "/v1/tenants/{name}", operator: true, adminOn: true, answer: getTenant, doc: routeDoc{
		group: group, summary: "A tenant's settings, and how much it has stored.", answer: api.TenantAnswer{},
	}})
	add(route{method: patch, path: "/v1/tenants/{name}", operator: true, adminOn: true, answer: patchTenant, doc: routeDoc{
		group: group, summary: "Change some of a tenant's settings.", body: api.TenantChange{}, answer: api.Tenant{},
	}})
	add(route{method: remove, path: "/v1/tenants/{name}", operator: true, adminOn: true, answer: deleteTenant, doc: routeDoc{
		group: group, summary: "Delete a tenant with all that it has, for good.", status: 202,
		params: []paramDoc{{name: "confirm", about: "the tenant's name once more", required: true}},
	}})
	add(route{method: get, path: "/v1/tokens", scope: access.Admin, answer: listTokens, doc: routeDoc{
		group: group, summary: "The tenant's tokens, without their texts; with the operator's token those of all.", answer: api.TokensAnswer{},
	}})
	add(route{method: post, path: "/v1/tokens", scope: access.Admin, answer: createToken, doc: routeDoc{
		group: group, summary: "Make a token. The answer is the only one with its text.", body: api.NewToken{}, answer: api.TokenMade{}, status: 201,
	}})
	add(route{method: remove, path: "/v1/tokens/{id}", scope: access.Admin, answer: deleteToken, doc: routeDoc{
		group: group, summary: "Revoke a token, at once.", status: 204,
	}})
}

func operationRoutes(add func(route)) {
	operator := func(method, path string, answer handler, doc routeDoc) {
		add(route{method: method, path: path, scope: access.Admin, operator: true, adminOn: true, answer: answer, doc: doc})
	}
	operator(post, "/v1/backup", postBackup, routeDoc{
		group: "operation", summary: "Make a backup of all tenants.", body: api.NewBackup{}, answer: api.BackupMade{}, status: 201,
	})
	operator(get, "/v1/backup", listBackups, routeDoc{group: "operation", summary: "The backups there are.", answer: api.BackupsAnswer{}})
	operator(get, "/v1/backup/{name}", getBackup, routeDoc{
		group: "operation", summary: "A backup as a tar file, for cairn restore.", answerTypes: []string{"application/x-tar"},
	})
	operator(remove, "/v1/backup/{name}", deleteBackup, routeDoc{group: "operation", summary: "Delete a backup.", status: 204})

	add(route{method: get, path: "/openapi.json", answer: getOpenAPI, doc: routeDoc{
		group: "operation", summary: "This document.", answer: map[string]any{},
	}})
	for _, path := range []string{"/healthz", "/_liveness"} {
		add(route{method: get, path: path, answer: getHealth, doc: routeDoc{
			group: "operation", summary: "Whether the process lives.", answer: api.HealthAnswer{},
		}})
	}
	for _, path := range []string{"/readyz", "/_readiness"} {
		add(route{method: get, path: path, answer: getReady, doc: routeDoc{
			group: "operation", summary: "Whether requests should be sent here: 503 while it is starting or stopping.", answer: api.ReadyAnswer{},
			also: []alsoDoc{{503, "Not now.", api.ReadyAnswer{}}},
		}})
	}
	add(route{method: get, path: "/metrics", adminOn: true, answer: getMetrics, doc: routeDoc{
		group: "operation", summary: "Figures for Prometheus.", answerTypes: []string{"text/plain"},
	}})
	for _, path := range []string{"/debug/pprof", "/debug/pprof/{profile}"} {
		add(route{method: get, path: path, adminOn: true, answer: getProfile, doc: routeDoc{
			group: "operation", summary: "Profiles of the process, for go tool pprof.", answerTypes: []string{"application/octet-stream"},
		}})
	}
}

// getProfile answers GET /debug/pprof.
func getProfile(r *request) error {
	if len(r.params) == 0 {
		r.URI().SetPath("/debug/pprof/")
	}
	pprofhandler.PprofHandler(r.RequestCtx)
	return nil
}
