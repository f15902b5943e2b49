package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestVendorClientsRefused runs vendors' client libraries with events that Cairn refuses among good ones: the good
// ones are stored once, the library says what is refused if its protocol can, and the rejects can be read.
func TestVendorClientsRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: the vendors' clients were not run")
	}
	programs := installClients(t)
	tests := []struct {
		client  vendorClient
		errors  []string // beginnings of what the library reports, in any order
		rejects []string // reasons
	}{
		{
			vendorClient{name: "mixpanel-node", command: []string{"node", "mixpanel.mjs"}},
			[]string{"bad: Mixpanel Server Error: time_too_new: ", "bad, a digit: Mixpanel Server Error: 0"},
			[]string{"time_too_new", "time_too_new", "time_too_new"},
		},
		{
			vendorClient{name: "mixpanel-go", command: []string{"go", "mixpanel"}},
			[]string{"Import: 2 of 4 imported; 1 mg-bad-2 time", "Import: 2 of 4 imported; 3 mg-bad-4 text", "Track bad: time_too_new: "},
			[]string{"time_too_new", "time_too_new", "time_too_new", "value_too_long"},
		},
		{
			vendorClient{name: "amplitude-node", command: []string{"node", "amplitude.mjs"}},
			[]string{"refused an-bad-2: 400 ", "refused an-bad-4: 400 "},
			[]string{"time_too_new", "value_too_long"},
		},
		{
			vendorClient{name: "amplitude-go", command: []string{"go", "amplitude"}},
			[]string{strings.Repeat("n", 300) + " ag-bad-1: 400 ", "refused ag-bad-3: 400 "},
			[]string{"bad_event", "time_too_new"},
		},
	}
	dir := t.TempDir()
	keys := map[string]string{}
	for _, test := range tests {
		name := test.client.name
		keys[name] = createToken(t, dir, name, "ingest,query")
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
	for _, test := range tests {
		name := test.client.name
		t.Run(name, func(t *testing.T) {
			report := programs.run(t, test.client, srv.url, keys[name], "bad")
			if !eachBegins(report.Errors, test.errors) {
				t.Errorf("the library reports %q, want %q", report.Errors, test.errors)
			}
			stored := storedEvents(t, srv.url, keys[name], "raw")
			if len(stored) != len(report.Sent) || len(stored) == 0 {
				t.Errorf("%d events are stored, want %d", len(stored), len(report.Sent))
			}
			for _, want := range report.Sent {
				if !slices.ContainsFunc(stored, func(got map[string]any) bool { return got["id"] == *want.ID && differs(got, want) == "" }) {
					t.Errorf("event %q is not stored as it was sent", *want.ID)
				}
			}
			if reasons := rejectReasons(t, srv.url, keys[name]); !slices.Equal(reasons, test.rejects) {
				t.Errorf("rejects %q, want %q", reasons, test.rejects)
			}
		})
	}
}

// eachBegins reports whether every text begins with a prefix of its own, and no prefix is left.
func eachBegins(texts, prefixes []string) bool {
	if len(texts) != len(prefixes) {
		return false
	}
	left := slices.Clone(prefixes)
	for _, text := range texts {
		i := slices.IndexFunc(left, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

// rejectReasons asks for the rejected events of a token's tenant and returns their reasons in order.
func rejectReasons(t *testing.T, server, token string) (reasons []string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, server+"/v1/rejects", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Rejects []struct{ Reason string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("rejects: %d, %v", resp.StatusCode, err)
	}
	for _, r := range answer.Rejects {
		reasons = append(reasons, r.Reason)
	}
	slices.Sort(reasons)
	return reasons
}
