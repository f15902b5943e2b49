package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// vendorClient is a program of testdata/clients.
type vendorClient struct {
	name    string
	command []string // its first word is "node" and a script, or "go" and a package
	env     []string
	mode    string // for all but errors and rejects
	gzip    bool   // the library packs bodies
	blind   bool   // some of its events have no insert id, so they come twice when an answer is lost
	// told: the library hears of an event that the server refuses among others; else it is among the rejects only.
	rejects, told bool
}

var vendorClients = []vendorClient{
	{name: "segment-node", command: []string{"node", "segment.mjs"}, rejects: true},
	{name: "segment-go", command: []string{"go", "segment"}, rejects: true},
	{name: "posthog-node", command: []string{"node", "posthog.mjs"}, gzip: true, rejects: true},
	{name: "posthog-node-v1", command: []string{"node", "posthog.mjs"}, env: []string{"POSTHOG_CAPTURE_MODE=v1"}, gzip: true, rejects: true, told: true},
	{name: "posthog-go", command: []string{"go", "posthog"}, blind: true, rejects: true},
	{name: "mixpanel-node", command: []string{"node", "mixpanel.mjs"}},
	{name: "mixpanel-go", command: []string{"go", "mixpanel"}, gzip: true},
	{name: "amplitude-node", command: []string{"node", "amplitude.mjs"}},
	{name: "amplitude-node-batch", command: []string{"node", "amplitude.mjs"}, mode: "batch"},
	{name: "amplitude-go", command: []string{"go", "amplitude"}},
	{name: "amplitude-go-batch", command: []string{"go", "amplitude"}, mode: "batch"},
}

// sentEvent is an event as a program says that it should be found.
type sentEvent struct {
	Name   string
	User   string
	ID     *string // nil: whatever it is
	Time   *time.Time
	Fields map[string]any
}

// clientReport is what a program prints.
type clientReport struct {
	Sent   []sentEvent
	Errors []string
	Links  []struct{ User, ID string }
}

// TestVendorClients runs the vendors' own client libraries against the real server and looks for every
// event by query, field for field: sent straight, with answers that say "later" or get lost on the way, and
// with a key that is not known.
func TestVendorClients(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: the vendors' clients were not run")
	}
	programs := installClients(t)
	dir := t.TempDir()
	keys := map[string]string{} // of a tenant for each run
	for _, c := range vendorClients {
		for _, way := range []string{"straight", "retries", "errors", "rejects"} {
			keys[c.name+"-"+way] = createToken(t, dir, c.name+"-"+way, "ingest,query")
		}
	}
	srv, err := startServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	for _, c := range vendorClients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			t.Run("straight", func(t *testing.T) {
				key := keys[c.name+"-straight"]
				proxy := newFaultyProxy(t, srv.url, nil)
				report := programs.run(t, c, proxy.url, key, c.mode)
				if len(report.Errors) > 0 {
					t.Errorf("the library reports %q", report.Errors)
				}
				checkSent(t, srv.url, key, report, false)
				if c.gzip && proxy.packed == 0 {
					t.Error("no body was packed: the test shows less than it should")
				}
			})
			t.Run("retries", func(t *testing.T) {
				key := keys[c.name+"-retries"]
				proxy := newFaultyProxy(t, srv.url, []fault{refuse503, loseAnswer, refuse429})
				report := programs.run(t, c, proxy.url, key, c.mode)
				if len(report.Errors) > 0 {
					t.Errorf("the library reports %q", report.Errors)
				}
				if len(proxy.faults) > 0 {
					t.Errorf("the library gave up with %d faults to come", len(proxy.faults))
				}
				checkSent(t, srv.url, key, report, c.blind)
			})
			t.Run("errors", func(t *testing.T) {
				key := keys[c.name+"-errors"]
				report := programs.run(t, c, srv.url, "ck_nobody-knows-this-key", "errors")
				if len(report.Errors) == 0 {
					t.Error("the library reports no error for a key that is not known")
				}
				if events := storedEvents(t, srv.url, key, "raw"); len(events) > 0 {
					t.Errorf("stored %v", events)
				}
			})
			if !c.rejects {
				return
			}
			t.Run("rejects", func(t *testing.T) {
				key := keys[c.name+"-rejects"]
				report := programs.run(t, c, srv.url, key, "rejects")
				if (len(report.Errors) > 0) != c.told {
					t.Errorf("the library reports %q", report.Errors)
				}
				checkStored(t, srv.url, key, report, false)
				status, text := getJSON(t, srv.url+"/v1/rejects", key)
				if status != http.StatusOK || strings.Count(text, `"reason":"bad_event"`) != 1 || !strings.Contains(text, strings.Repeat("e", 300)) {
					t.Errorf("rejects: %d %s", status, text)
				}
			})
		})
	}
}

// createToken makes a token in a data directory that no server has open.
func createToken(t *testing.T, dir, tenant, scope string) string {
	t.Helper()
	out, err := exec.Command("cairn", "token", "create", "--data", dir, "--tenant", tenant, "--scope", scope).Output()
	if err != nil {
		t.Fatalf("token create: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// checkSent holds what is stored, and who is whom, to what was sent.
func checkSent(t *testing.T, server, token string, report *clientReport, blind bool) {
	t.Helper()
	if len(report.Sent) < 10 {
		t.Fatalf("only %d events were sent", len(report.Sent))
	}
	checkStored(t, server, token, report, blind)
	checkLinks(t, server, token, report)
	checkProfiles(t, server, token, report)
}

// plainName is a name that needs no backticks in a query.
var plainName = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)*$`)

// checkProfiles asks for the profiles of users of whom one event sets properties.
func checkProfiles(t *testing.T, server, token string, report *clientReport) {
	t.Helper()
	changes := map[string]int{}
	for _, e := range report.Sent {
		if e.Name == "$profile" {
			changes[e.User]++
		}
	}
	for _, e := range report.Sent {
		set, _ := e.Fields["$set"].(map[string]any)
		if e.Name != "$profile" || changes[e.User] != 1 {
			continue
		}
		for name, value := range flatten(set) {
			if _, list := value.([]any); list || value == nil || !plainName.MatchString(name) {
				continue
			}
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			query := fmt.Sprintf("set identity = raw; * | where user = %q and user.%s = %s | stats count()", e.User, name, text)
			if _, answer := getJSON(t, server+"/v1/query?"+url.Values{"q": {query}, "format": {"csv"}}.Encode(), token); strings.TrimSpace(answer) == "count\n0" || !strings.HasPrefix(answer, "count\n") {
				t.Errorf("%s: %s", query, answer)
			}
		}
	}
}

// checkStored holds what is stored to what was sent: every event once, with its fields. If blind, events
// without an id may be there several times.
func checkStored(t *testing.T, server, token string, report *clientReport, blind bool) {
	t.Helper()
	stored := storedEvents(t, server, token, "raw")
	taken := make([]bool, len(stored))
	for _, want := range report.Sent {
		found, why := false, "there is none of this name"
		for i, got := range stored {
			if got["event"] != want.Name || want.ID != nil && got["id"] != *want.ID || taken[i] {
				continue
			}
			if why = differs(got, want); why == "" {
				found, taken[i] = true, true
				break
			}
		}
		if !found {
			id := ""
			if want.ID != nil {
				id = *want.ID
			}
			t.Errorf("event %q %q of %q is not stored as it was sent: %s", want.Name, id, want.User, why)
		}
	}
	for i, got := range stored {
		if !taken[i] && !(blind && got["id"] == nil) {
			t.Errorf("event %v %v of %v is stored and was not sent, or twice", got["event"], got["id"], got["user"])
		}
	}
}

// checkLinks asks whose events are those of ids that were linked.
func checkLinks(t *testing.T, server, token string, report *clientReport) {
	t.Helper()
	if len(report.Links) == 0 {
		t.Error("the program makes no links")
	}
	canonical := map[string]string{} // by insert id
	for _, e := range storedEvents(t, server, token, "linked") {
		if id, ok := e["id"].(string); ok {
			canonical[id], _ = e["user"].(string)
		}
	}
	for _, link := range report.Links {
		before := 0
		for _, want := range report.Sent {
			if want.User == link.ID && want.ID != nil {
				before++
				if got := canonical[*want.ID]; got != link.User {
					t.Errorf("event %q of %q is %q's, want %q's, to whom it is linked", want.Name, link.ID, got, link.User)
				}
			}
		}
		if before == 0 {
			t.Errorf("no event of %q shows that it is linked", link.ID)
		}
	}
}

// differs says in what a stored event differs from the one sent; "" if in nothing.
func differs(got map[string]any, want sentEvent) string {
	if user, _ := got["user"].(string); user != want.User {
		return fmt.Sprintf("its user is %q", user)
	}
	at, err := time.Parse(time.RFC3339Nano, got["time"].(string))
	switch {
	case err != nil:
		return err.Error()
	case want.Time != nil && !at.Equal(*want.Time):
		return fmt.Sprintf("its time is %s, want %s", at, want.Time)
	case want.Time == nil && time.Since(at).Abs() > 5*time.Minute:
		return fmt.Sprintf("its time is %s", at)
	}
	for name, value := range flatten(want.Fields) {
		if stored, ok := got[name]; !ok {
			return fmt.Sprintf("it has no field %q", name)
		} else if !sameJSON(stored, value) {
			return fmt.Sprintf("its field %q is %.200v, want %.200v", name, stored, value)
		}
	}
	return ""
}

// flatten is how objects become fields: dotted, but for lists and empty objects; names that mean something else
// to Cairn below "properties".
func flatten(object map[string]any) map[string]any {
	fields := map[string]any{}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		if inner, ok := v.(map[string]any); ok && len(inner) > 0 {
			for name, value := range inner {
				walk(prefix+"."+name, value)
			}
			return
		}
		fields[prefix] = v
	}
	for name, value := range object {
		switch name {
		case "time", "event", "user", "id", "received":
			name = "properties." + name
		}
		walk(name, value)
	}
	return fields
}

// sameJSON compares JSON values; numbers by value. Integers that a JSON reader may not hold exactly are
// answered as text.
func sameJSON(got, want any) bool {
	if number, ok := want.(json.Number); ok {
		if text, ok := got.(string); ok {
			return text == number.String() && len(text) > 15
		}
		other, ok := got.(json.Number)
		a, errA := number.Float64()
		b, errB := other.Float64()
		return ok && errA == nil && errB == nil && a == b
	}
	if list, ok := want.([]any); ok {
		other, ok := got.([]any)
		if !ok || len(other) != len(list) {
			return false
		}
		for i := range list {
			if !sameJSON(other[i], list[i]) {
				return false
			}
		}
		return true
	}
	if object, ok := want.(map[string]any); ok {
		other, ok := got.(map[string]any)
		if !ok || len(other) != len(object) {
			return false
		}
		for name := range object {
			if v, ok := other[name]; !ok || !sameJSON(v, object[name]) {
				return false
			}
		}
		return true
	}
	return got == want
}

// storedEvents asks for all events of a token's tenant; identity is "raw" or "linked".
func storedEvents(t *testing.T, server, token, identity string) []map[string]any {
	t.Helper()
	query := "* | events"
	if identity == "raw" {
		query = "set identity = raw; " + query
	}
	status, text := getJSON(t, server+"/v1/query?"+url.Values{"q": {query}, "format": {"ndjson"}, "limit": {"1000000"}}.Encode(), token)
	var events []map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	for {
		row := map[string]any{}
		if err := d.Decode(&row); err != nil { // the end, too: the last line is meta
			t.Fatalf("query: status %d: %v", status, err)
		}
		if row["error"] != nil {
			t.Fatalf("query: %v", row["error"])
		}
		if row["meta"] != nil && row["event"] == nil {
			return events
		}
		events = append(events, row)
	}
}

// getJSON asks with a token.
func getJSON(t *testing.T, address, token string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// fault is what a proxy does to a request in place of passing it on.
type fault int

const (
	refuse503  fault = iota // answers 503; the server never sees the request
	loseAnswer              // passes it on, and answers 503 after the server stored it
	refuse429               // answers 429 with Retry-After
)

// faultyProxy stands before a server. The first POSTs meet its faults, one each; the others pass.
type faultyProxy struct {
	url string

	sync.Mutex
	faults []fault // to come
	packed int     // bodies that came as gzip
}

func newFaultyProxy(t *testing.T, server string, faults []fault) *faultyProxy {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	p := &faultyProxy{faults: faults}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next := fault(-1)
		p.Lock()
		if r.Header.Get("Content-Encoding") == "gzip" {
			p.packed++
		}
		if r.Method == http.MethodPost && len(p.faults) > 0 {
			next, p.faults = p.faults[0], p.faults[1:]
		}
		p.Unlock()
		switch next {
		case refuse503:
			_, _ = io.Copy(io.Discard, r.Body)
			http.Error(w, "later", http.StatusServiceUnavailable)
		case loseAnswer:
			answer := httptest.NewRecorder()
			pass.ServeHTTP(answer, r)
			if answer.Code != http.StatusOK {
				t.Errorf("the server answers %d %s", answer.Code, answer.Body)
			}
			http.Error(w, "the answer is lost", http.StatusServiceUnavailable)
		case refuse429:
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Retry-After", "1")
			http.Error(w, "later", http.StatusTooManyRequests)
		default:
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.Close)
	p.url = h.URL
	return p
}

// clientPrograms are the programs of testdata/clients, ready to run.
type clientPrograms struct {
	node string // folder of the scripts
	bin  string // folder of the commands written in Go
}

// installClients installs the packages of the Node programs from their lock file, unless they are, and
// builds those written in Go.
func installClients(t *testing.T) clientPrograms {
	t.Helper()
	root, err := filepath.Abs("../../testdata/clients")
	if err != nil {
		t.Fatal(err)
	}
	p := clientPrograms{node: filepath.Join(root, "node"), bin: t.TempDir()}
	if !newer(filepath.Join(p.node, "node_modules/.package-lock.json"), filepath.Join(p.node, "package-lock.json")) {
		runTool(t, p.node, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	}
	runTool(t, filepath.Join(root, "go"), "go", "build", "-o", p.bin+string(filepath.Separator), "./...")
	return p
}

// newer reports whether file a is there and not older than b.
func newer(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && !infoA.ModTime().Before(infoB.ModTime())
}

func runTool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// run runs a program against a server and reads its report.
func (p *clientPrograms) run(t *testing.T, c vendorClient, args ...string) *clientReport {
	t.Helper()
	cmd := exec.Command(c.command[0], append(c.command[1:len(c.command):len(c.command)], args...)...)
	if c.command[0] == "go" {
		cmd = exec.Command(filepath.Join(p.bin, c.command[1]), args...)
	}
	cmd.Dir = p.node
	cmd.Env = append(os.Environ(), c.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	timer := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", c.name, err, stderr.String())
	}
	lines := bytes.Split(bytes.TrimSpace(stdout.Bytes()), []byte("\n"))
	var report clientReport
	d := json.NewDecoder(bytes.NewReader(lines[len(lines)-1]))
	d.UseNumber()
	if err := d.Decode(&report); err != nil {
		t.Fatalf("%s printed no report: %v\n%s%s", c.name, err, stdout.String(), stderr.String())
	}
	return &report
}
