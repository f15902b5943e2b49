package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/server/access"
)

// town is a closed server with two tenants, a and b, who have one of everything. What is a tenant's own
// has the word secret-a or secret-b in it.
type town struct {
	*fixture
	operator string
	tokens   map[string]map[access.Scope]string // by tenant and scope
	ids      map[string]string                  // of a token of each tenant
}

func newTown(t *testing.T) *town {
	t.Helper()
	return newTownOn(t, engine.Options{FS: vfs.NewMem(), NoBackground: true})
}

// townFor returns a town to try a route in: the one there is, unless what was tried in it has changed it.
// Backups want a real disk.
func townFor(t *testing.T, r *route, w *town, before *route) *town {
	t.Helper()
	const backups = "/v1/backup"
	switch {
	case strings.HasPrefix(r.path, backups) && before != nil && strings.HasPrefix(before.path, backups):
		return w
	case strings.HasPrefix(r.path, backups):
		t.Chdir(t.TempDir())
		return newTownOn(t, engine.Options{FS: vfs.Default, NoBackground: true})
	case w == nil || before.method != get || strings.HasPrefix(before.path, backups):
		return newTown(t)
	}
	return w
}

func newTownOn(t *testing.T, store engine.Options) *town {
	t.Helper()
	w := &town{fixture: newFixtureOn(t, store, Options{BackupDir: t.TempDir()}), tokens: map[string]map[access.Scope]string{}, ids: map[string]string{}}
	var err error
	if w.operator, err = w.FirstStart(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		w.want(t, call{method: post, path: "/v1/tenants", token: w.operator, admin: true, body: fmt.Sprintf(`{"name":%q}`, name)}, 201, "")
		w.tokens[name] = map[access.Scope]string{}
		for _, scope := range []access.Scope{access.Ingest, access.Query, access.Admin, access.All} {
			token, text, err := w.Server.tokens.Create(access.Token{Tenant: name, Scopes: scope}, "")
			if err != nil {
				t.Fatal(err)
			}
			w.tokens[name][scope], w.ids[name] = text, token.ID
		}
		w.fill(t, name)
	}
	return w
}

// fill gives a tenant one of everything.
func (w *town) fill(t *testing.T, name string) {
	t.Helper()
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{post, "/v1/events", `{"event":"secret-x","user":"user-x","word":"secret-x"}` + "\n" + `{"event":"seen","user":"gone-x"}` + "\n" + `{"event":7,"word":"secret-x"}`, 200},
		{post, "/v1/identify", `{"user":"user-x","anonymous":"anon-x","set":{"word":"secret-x"}}`, 200},
		{put, "/v1/queries/saved-x", "* // secret-x\n| stats count()", 204},
		{put, "/v1/lookups/table-x?key=k", "k,word\n1,secret-x\n", 204},
		{remove, "/v1/users/gone-x", "", 202},
	} {
		x := strings.NewReplacer("-x", "-"+name)
		w.want(t, call{method: c.method, path: x.Replace(c.path), body: x.Replace(c.body), token: w.tokens[name][access.All]}, c.status, "")
	}
}

// example is a request to a route that succeeds for a tenant: x stands for its name, ID for the id of one
// of its tokens.
type example struct {
	path, body string
	status     int // 0: 200
	kind       string
}

// examples has one of every route.
var examples = map[string]example{
	"POST /v1/events":               {path: "/v1/events", body: `{"event":"more","user":"user-x"}`},
	"GET /v1/rejects":               {path: "/v1/rejects?limit=10"},
	"GET /v1/query":                 {path: "/v1/query?q=*+%7C+events"},
	"POST /v1/query":                {path: "/v1/query", body: `{"query":"* | events"}`, kind: "application/json"},
	"GET /v1/query/explain":         {path: "/v1/query/explain?q=*+%7C+events"},
	"POST /v1/query/explain":        {path: "/v1/query/explain", body: `{"query":"* | events"}`, kind: "application/json"},
	"GET /v1/query/running":         {path: "/v1/query/running"},
	"DELETE /v1/query/running/{id}": {path: "/v1/query/running/RUNNING", status: 204},
	"GET /v1/queries":               {path: "/v1/queries"},
	"PUT /v1/queries/{name}":        {path: "/v1/queries/saved-x", body: "* | stats count()", status: 204},
	"GET /v1/queries/{name}":        {path: "/v1/queries/saved-x"},
	"DELETE /v1/queries/{name}":     {path: "/v1/queries/saved-x", status: 204},
	"GET /v1/schema/events":         {path: "/v1/schema/events"},
	"GET /v1/schema/fields":         {path: "/v1/schema/fields"},
	"GET /v1/schema/values":         {path: "/v1/schema/values?field=word"},
	"GET /v1/lookups":               {path: "/v1/lookups"},
	"PUT /v1/lookups/{table}":       {path: "/v1/lookups/table-x?key=k", body: "k,v\n1,2\n", status: 204},
	"GET /v1/lookups/{table}":       {path: "/v1/lookups/table-x"},
	"DELETE /v1/lookups/{table}":    {path: "/v1/lookups/table-x", status: 204},
	"POST /v1/identify":             {path: "/v1/identify", body: `{"user":"user-x","anonymous":"other-x","set":{"p":1}}`},
	"POST /v1/alias":                {path: "/v1/alias", body: `{"user":"user-x","alias":"alias-x"}`},
	"DELETE /v1/links/{user}/{id}":  {path: "/v1/links/user-x/anon-x", status: 204},
	"GET /v1/users/{id}":            {path: "/v1/users/anon-x"},
	"GET /v1/users/{id}/events":     {path: "/v1/users/user-x/events?order=asc&limit=1"},
	"DELETE /v1/users/{id}":         {path: "/v1/users/user-x?links=1", status: 202},
	"GET /v1/erasures":              {path: "/v1/erasures"},
	"GET /v1/erasures/{n}":          {path: "/v1/erasures/1"},
	"GET /v1/tenants":               {path: "/v1/tenants"},
	"POST /v1/tenants":              {path: "/v1/tenants", body: `{"name":"new","tz":"Asia/Shanghai","limits":{"rows":5}}`, status: 201},
	"GET /v1/tenants/{name}":        {path: "/v1/tenants/x"},
	"PATCH /v1/tenants/{name}":      {path: "/v1/tenants/x", body: `{"week":"sun"}`},
	"DELETE /v1/tenants/{name}":     {path: "/v1/tenants/x?confirm=x", status: 202},
	"GET /v1/tokens":                {path: "/v1/tokens"},
	"POST /v1/tokens":               {path: "/v1/tokens", body: `{"tenant":"x","scopes":["query"]}`, status: 201},
	"DELETE /v1/tokens/{id}":        {path: "/v1/tokens/ID", status: 204},
	"GET /openapi.json":             {path: "/openapi.json"},
	"POST /v1/backup":               {path: "/v1/backup", body: `{"name":"one"}`, status: 201},
	"GET /v1/backup":                {path: "/v1/backup"},
	"GET /v1/backup/{name}":         {path: "/v1/backup/one"},
	"DELETE /v1/backup/{name}":      {path: "/v1/backup/one", status: 204},
	"GET /healthz":                  {path: "/healthz"},
	"GET /_liveness":                {path: "/_liveness"},
	"GET /readyz":                   {path: "/readyz"},
	"GET /_readiness":               {path: "/_readiness"},
	"GET /metrics":                  {path: "/metrics"},
	"GET /debug/pprof":              {path: "/debug/pprof"},
	"GET /debug/pprof/{profile}":    {path: "/debug/pprof/heap"},
}

// exampleOf returns a request to a route that succeeds for a tenant with a token of it, or the operator's.
func (w *town) exampleOf(t *testing.T, r *route, tenant string) (call, int) {
	t.Helper()
	e, ok := examples[r.method+" "+r.path]
	if !ok {
		t.Fatalf("%s %s has no example: these tests are to try every route", r.method, r.path)
	}
	x := strings.NewReplacer("-x", "-"+tenant, "/x", "/"+tenant, "=x", "="+tenant, `"x"`, `"`+tenant+`"`, "ID", w.ids[tenant], "RUNNING", "running-"+tenant)
	c := call{method: r.method, path: x.Replace(e.path), body: x.Replace(e.body), token: w.tokens[tenant][access.All], admin: r.adminOn}
	if e.kind != "" {
		c.header = map[string]string{"Content-Type": e.kind}
	}
	if r.operator {
		c.token = w.operator
	}
	if strings.Contains(c.path, "running-") { // a query that goes on
		w.queries.add(tenant, "running-"+tenant, "* // secret-"+tenant, w.opt.Now(), func(error) {})
	}
	if strings.HasPrefix(r.path, "/v1/backup/") {
		w.do(t, call{method: post, path: "/v1/backup", body: `{"name":"one"}`, token: w.operator, admin: true})
	}
	if e.status == 0 {
		return c, 200
	}
	return c, e.status
}

// state is all that can be seen of a tenant.
func (w *town) state(t *testing.T, tenant string) string {
	t.Helper()
	var b strings.Builder
	for _, path := range []string{
		"/v1/query?q=*+%7C+events&format=ndjson", "/v1/queries", "/v1/lookups", "/v1/lookups/table-" + tenant + "?format=csv",
		"/v1/tokens", "/v1/erasures", "/v1/rejects", "/v1/query/running",
	} {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		got := w.do(t, call{method: get, path: path + separator + "tenant=" + tenant, token: w.operator, admin: true})
		text := got.text
		if i := strings.Index(text, `{"meta":`); i >= 0 {
			text = text[:i] // it has durations
		}
		if path == "/v1/query/running" {
			text = fmt.Sprint(strings.Count(text, "secret-"+tenant))
		}
		fmt.Fprintln(&b, path, got.status, text)
	}
	settings := w.do(t, call{method: get, path: "/v1/tenants/" + tenant, token: w.operator, admin: true})
	owner, err := w.db.Tenant(tenant)
	if err != nil {
		t.Fatal(err)
	}
	snapshot := owner.Snapshot()
	defer snapshot.Close()
	links, err := snapshot.Links("user-" + tenant)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(links)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&b, settings.status, settings.text, string(text), snapshot.ID())
	return b.String()
}
