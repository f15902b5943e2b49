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
	answer         any
	answerTypes    []string // of an answer that is not JSON, or not only
	status         int      // of a success; 200
}

// paramDoc describes a parameter of the address.
type paramDoc struct {
	name, about string
	required    bool
}

// The parameters of queries, which stand for the members of api.QueryRequest.
var queryParams = []paramDoc{
	{name: "q", about: "the query's text (GET)"},
	{name: "from", about: "the beginning of the time range, for a query without one: 2025-06-01, 2025-06-01T08:00:00Z or now"},
	{name: "to", about: "its end, which is not in it"},
	{name: "on", about: "one day, in place of from and to"},
	{name: "tz", about: "an IANA time zone, such as Asia/Shanghai; the tenant's without it"},
	{name: "week", about: "the first day of a week: mon, tue, …"},
	{name: "format", about: "json, ndjson, csv, parquet or text; the header Accept says the same"},
	{name: "limit", about: "rows at most"},
	{name: "timeout", about: "such as 5s; it can only lower the tenant's limit"},
	{name: "after", about: "a watermark: the answer includes what it names"},
}

// routes is every route of Cairn's own, the table that the router and /openapi.json are made from.
func routes() []*route {
	var out []*route
	add := func(r route) { out = append(out, &r) }

	add(route{method: post, path: "/v1/events", scope: access.Ingest, browser: true, answer: postEvents, doc: routeDoc{
		group: "events", summary: "Store events; the answer comes when they are on disk.",
		params:    []paramDoc{{name: "verdicts", about: "all lists every event; without it those that are not ok"}},
		bodyTypes: []string{"application/x-ndjson", "application/json"},
		answer:    api.EventsAnswer{},
	}})
	add(route{method: get, path: "/v1/rejects", scope: access.Query, answer: getRejects, doc: routeDoc{
		group: "events", summary: "The latest events that were rejected, the newest first.",
		params: []paramDoc{{name: "limit", about: "at most; 100, up to 1000"}},
		answer: api.RejectsAnswer{},
	}})

	queryDoc := routeDoc{
		group: "queries", summary: "Answer a question.", params: queryParams,
		body: api.QueryRequest{}, bodyTypes: []string{"text/plain"},
		answer: api.QueryAnswer{}, answerTypes: []string{"application/x-ndjson", "text/csv", "text/plain"},
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

	for _, path := range []string{"/healthz", "/_liveness"} {
		add(route{method: get, path: path, answer: getHealth, doc: routeDoc{
			group: "operation", summary: "Whether the process lives.", answer: api.HealthAnswer{},
		}})
	}
	for _, path := range []string{"/readyz", "/_readiness"} {
		add(route{method: get, path: path, answer: getReady, doc: routeDoc{
			group: "operation", summary: "Whether requests should be sent here: 503 while it is starting or stopping.", answer: api.ReadyAnswer{},
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
	return out
}

// getProfile answers GET /debug/pprof.
func getProfile(r *request) error {
	if len(r.params) == 0 {
		r.URI().SetPath("/debug/pprof/")
	}
	pprofhandler.PprofHandler(r.RequestCtx)
	return nil
}
