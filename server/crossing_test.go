package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/server/access"
	"cairn/server/api"
)

func TestEveryRouteHasAnExampleThatSucceeds(t *testing.T) {
	used := map[string]bool{}
	var w *town
	var before *route
	for _, r := range routes() {
		w, before = townFor(t, r, w, before), r
		c, status := w.exampleOf(t, r, "a")
		w.want(t, c, status, "")
		used[r.method+" "+r.path] = true
	}
	for name := range examples {
		if !used[name] {
			t.Errorf("there is no route %s", name)
		}
	}
}

// A request with a's token, however it names b, shows nothing of b and changes nothing.
func TestTenantsCannotCross(t *testing.T) {
	w := newTown(t)
	for _, r := range routes() {
		if r.scope == 0 && !r.operator {
			continue
		}
		theirs, _ := w.exampleOf(t, r, "b")
		before := w.state(t, "b")
		for _, way := range []struct {
			name   string
			change func(*call)
		}{
			{"by its names", func(*call) {}},
			{"by the parameter", func(c *call) { c.path = withParam(c.path, "tenant=b") }},
			{"by two parameters", func(c *call) { c.path = withParam(c.path, "tenant=a&tenant=b") }},
			{"by headers", func(c *call) {
				c.header = map[string]string{"X-Tenant": "b", "Cairn-Tenant": "b", "AccountID": "b", "Host": "b.localhost"}
			}},
			{"by the path", func(c *call) { c.path = strings.Replace(c.path, "/v1/", "/v1/../v1/tenants/b/../../", 1) }},
			{"by dots in the path", func(c *call) { c.path = strings.Replace(c.path, "/v1/", "/v1/%2e%2e/v1/", 1) }},
		} {
			for _, token := range []string{w.tokens["a"][access.All], w.tokens["a"][access.Admin]} {
				for _, admin := range []bool{false, true} {
					c := theirs
					c.token, c.admin = token, admin
					way.change(&c)
					got := w.do(t, c)
					if strings.Contains(got.text, "secret-b") {
						t.Errorf("%s %s %s: a sees what is b's:\n%s", r.method, r.path, way.name, got.text)
					}
					if r.operator && got.status < 400 {
						t.Errorf("%s %s %s: a tenant's token is enough: %d", r.method, r.path, way.name, got.status)
					}
				}
			}
			if after := w.state(t, "b"); after != before {
				t.Fatalf("%s %s %s: a has changed what is b's:\n%s\nwas\n%s", r.method, r.path, way.name, after, before)
			}
		}
	}
}

func withParam(path, param string) string {
	if strings.Contains(path, "?") {
		return path + "&" + param
	}
	return path + "?" + param
}

// Each route takes the tokens that it is for and no others.
func TestScopesOfEveryRoute(t *testing.T) {
	var w *town
	var before *route
	for _, r := range routes() {
		w, before = townFor(t, r, w, before), r
		expired := access.Token{Tenant: "a", Scopes: access.All, Expires: time.Now().Add(20 * time.Millisecond)}
		_, old, err := w.Server.tokens.Create(expired, "")
		if err != nil {
			t.Fatal(err)
		}
		gone, revoked, err := w.Server.tokens.Create(access.Token{Tenant: "a", Scopes: access.All}, "")
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := w.Server.tokens.Revoke("a", gone.ID); !ok || err != nil {
			t.Fatal(ok, err)
		}
		_, bound, err := w.Server.tokens.Create(access.Token{Tenant: "a", Scopes: access.All, Origins: []string{"https://shop.example"}}, "")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Millisecond)
		name := r.method + " " + r.path
		example, _ := w.exampleOf(t, r, "a")
		try := func(what, token string, admin bool, header map[string]string, wantStatus int, code string) {
			t.Helper()
			c := example
			c.token, c.admin = token, admin
			for key, value := range c.header {
				if header == nil {
					header = map[string]string{}
				}
				header[key] = value
			}
			c.header = header
			if got := w.do(t, c); got.status != wantStatus || got.code() != code {
				t.Errorf("%s with %s: status %d, code %q; want %d, %q", name, what, got.status, got.code(), wantStatus, code)
			}
		}
		switch {
		case r.operator:
			try("no token", "", true, nil, 401, api.CodeNoToken)
			try("an unknown token", "ck_unknown", true, nil, 401, api.CodeUnknownToken)
			try("a tenant's token", w.tokens["a"][access.All], true, nil, 403, api.CodeScope)
			try("the operator's token on the public listener", w.operator, false, nil, 404, api.CodeNotFound)
		case r.scope != 0:
			try("no token", "", false, nil, 401, api.CodeNoToken)
			try("an unknown token", "ck_unknown", false, nil, 401, api.CodeUnknownToken)
			try("an expired token", old, false, nil, 401, api.CodeUnknownToken)
			try("a revoked token", revoked, false, nil, 401, api.CodeUnknownToken)
			try("the operator's token on the public listener", w.operator, false, nil, 401, api.CodeUnknownToken)
			try("a page of another origin", bound, false, map[string]string{"Origin": "https://evil.example"}, 403, api.CodeOrigin)
			for _, scope := range []access.Scope{access.Ingest, access.Query, access.Admin} {
				if !scope.Has(r.scope) {
					try("the scope "+scope.String(), w.tokens["a"][scope], false, nil, 403, api.CodeScope)
				}
			}
			example, status := w.exampleOf(t, r, "a")
			example.token = w.tokens["a"][r.scope]
			w.want(t, example, status, "")
		case r.adminOn:
			try("the public listener", "", false, nil, 404, api.CodeNotFound)
			try("no token", "", true, nil, 200, "")
		default:
			try("no token", "", false, nil, 200, "")
		}
	}
}

func TestTokensOfOtherProtocolsAndSuspendedTenants(t *testing.T) {
	w := newTown(t)
	_, segment, err := w.Server.tokens.Create(access.Token{Tenant: "a", Scopes: access.Ingest, Protocols: []string{"segment"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/events", "/v1/identify", "/v1/alias"} {
		w.want(t, call{method: post, path: path, token: segment, body: `{"event":"e","user":"u"}`}, 403, api.CodeScope)
	}
	w.want(t, call{method: "PATCH", path: "/v1/tenants/a", token: w.operator, admin: true, body: `{"suspended":true}`}, 200, "")
	for _, r := range routes() {
		if r.scope == 0 || r.operator {
			continue
		}
		c, _ := w.exampleOf(t, r, "a")
		w.want(t, c, 403, api.CodeTenantSuspended)
	}
}

// Until the first token everybody on this machine may do everything with the default tenant, by its own
// names; pages of others may send events.
func TestOpenServer(t *testing.T) {
	f := newFixture(t, Options{})
	for _, token := range []string{"", "any", "ck_whatever"} {
		f.want(t, call{method: post, path: "/v1/events", token: token, body: `{"event":"e"}`}, 200, "")
		f.want(t, call{method: get, path: "/v1/query?q=*", token: token}, 200, "")
	}
	for _, host := range []string{"localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1"} {
		f.want(t, call{method: get, path: "/v1/query?q=*", header: map[string]string{"Host": host}}, 200, "")
	}
	for _, host := range []string{"evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil.example:80"} {
		f.want(t, call{method: get, path: "/v1/query?q=*", header: map[string]string{"Host": host}}, 403, api.CodeOrigin)
		f.want(t, call{method: post, path: "/v1/events", body: `{"event":"e"}`, header: map[string]string{"Host": host}}, 403, api.CodeOrigin)
	}
	page := map[string]string{"Origin": "https://evil.example"}
	f.want(t, call{method: post, path: "/v1/tokens", body: `{"scopes":["query"]}`, header: page}, 403, api.CodeOrigin)
	f.want(t, call{method: get, path: "/v1/query?q=*", header: map[string]string{"Origin": "null"}}, 403, api.CodeOrigin)
	f.want(t, call{method: get, path: "/v1/query?q=*", header: map[string]string{"Origin": "http://localhost:3000"}}, 200, "")
	f.want(t, call{method: post, path: "/v1/events", body: `{"event":"e"}`, header: page}, 200, "")

	made := f.want(t, call{method: post, path: "/v1/tokens", body: `{"scopes":["admin"]}`}, 201, "")
	f.want(t, call{method: get, path: "/v1/query?q=*"}, 401, api.CodeNoToken)
	var token api.TokenMade
	decodeInto(t, made.text, &token)
	f.want(t, call{method: remove, path: "/v1/tokens/" + token.ID, token: token.Text}, 204, "")
	f.want(t, call{method: get, path: "/v1/query?q=*"}, 401, api.CodeNoToken)
	f.want(t, call{method: get, path: "/v1/query?q=*", token: token.Text}, 401, api.CodeUnknownToken)
}

func TestPreflights(t *testing.T) {
	w := newTown(t)
	browser := []string{"/v1/events", "/v1/identify", "/v1/alias"}
	for _, r := range routes() {
		c, _ := w.exampleOf(t, r, "a")
		c.method, c.token, c.body = http.MethodOptions, "", ""
		c.header = map[string]string{"Origin": "https://shop.example", "Access-Control-Request-Method": r.method, "Access-Control-Request-Headers": "authorization"}
		got := w.do(t, c)
		allowed := got.header.Get("Access-Control-Allow-Origin")
		if want := slices.Contains(browser, r.path); want != (allowed == "https://shop.example") || want != r.browser || got.status != 204 {
			t.Errorf("preflight of %s: status %d, allows %q", r.path, got.status, allowed)
		}
		if r.browser && got.header.Get("Access-Control-Allow-Headers") != "authorization" {
			t.Errorf("preflight of %s: headers %q", r.path, got.header.Get("Access-Control-Allow-Headers"))
		}
	}
}

func TestMethodsThatARouteDoesNotHave(t *testing.T) {
	w := newTown(t)
	methods := map[string][]string{}
	for _, r := range routes() {
		methods[r.path] = append(methods[r.path], r.method)
	}
	for _, r := range routes() {
		c, _ := w.exampleOf(t, r, "a")
		for _, method := range []string{get, post, put, patch, remove, "PROPFIND"} {
			if slices.Contains(methods[r.path], method) {
				continue
			}
			c.method, c.body = method, ""
			got := w.want(t, c, 405, api.CodeMethod)
			if allow := got.header.Get("Allow"); !strings.Contains(allow, r.method) {
				t.Errorf("%s %s: Allow is %q", method, c.path, allow)
			}
		}
	}
}

// Names that are meant to lead elsewhere are names like others, or refused; none is an error of ours.
func TestHostileNamesInEveryPlace(t *testing.T) {
	w := newTown(t)
	long := strings.Repeat("x", 5000)
	names := []string{
		"..", ".", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..", "%00", "a%00b", "%ff%fe", "%c0%ae", long, "%0d%0aX-Evil:%201",
		"%", "%zz", url.PathEscape("名字"), "%F0%9F%98%80", "'%3B%20drop%20table", "%3Cscript%3E",
	}
	before := w.state(t, "b")
	for _, r := range routes() {
		for _, name := range names {
			e, _ := w.exampleOf(t, r, "a")
			var paths []string
			if places := braces.FindAllString(r.path, -1); len(places) > 0 {
				for _, place := range places {
					path := strings.Replace(r.path, place, name, 1)
					paths = append(paths, braces.ReplaceAllString(path, "other"))
				}
			}
			for _, p := range append(slices.Clone(r.doc.params), paramDoc{name: "tenant"}) {
				paths = append(paths, withParam(strings.SplitN(e.path, "?", 2)[0], p.name+"="+strings.ReplaceAll(name, "%zz", "%25zz")))
			}
			if r.method == remove || r.path == "/v1/backup" {
				paths = slices.DeleteFunc(paths, func(p string) bool { return strings.Contains(p, "?") && !strings.Contains(r.path, "{") })
			}
			for _, path := range paths {
				text, ok := w.raw(t, r.method, path, e)
				if !ok {
					continue
				}
				if status := strings.SplitN(text, " ", 3)[1]; status >= "500" {
					t.Errorf("%s %.200s: %.300s", r.method, path, text)
				}
				if strings.Contains(text, "secret-b") || strings.Contains(text, "root:") || strings.Contains(text, "\nX-Evil") {
					t.Errorf("%s %.200s leads where it should not:\n%.300s", r.method, path, text)
				}
			}
		}
	}
	if after := w.state(t, "b"); after != before {
		t.Errorf("what is b's has changed:\n%s\nwas\n%s", after, before)
	}
}

// raw sends a path as it is, which net/http would not.
func (w *town) raw(t *testing.T, method, path string, c call) (string, bool) {
	t.Helper()
	client := &w.client
	if c.admin {
		client = &w.admins
	}
	conn, err := client.Transport.(*http.Transport).DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", method, path, c.token, len(c.body), c.body)
	var text strings.Builder
	buf := make([]byte, 32<<10)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		n, err := conn.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if !strings.HasPrefix(text.String(), "HTTP/1.1 ") {
		t.Errorf("%s %.100s: no answer: %q", method, path, text.String())
		return "", false
	}
	return text.String(), true
}
