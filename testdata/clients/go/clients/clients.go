// Package clients is what the programs of this module share: the properties that they send, and how they
// report.
package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// Rich returns properties of every kind, names that Cairn reserves, and names with odd letters.
func Rich() map[string]any {
	return map[string]any{
		"text": "plain", "unicode": "naïve 漢字 😀 \u2028 \"quoted\" \\ \t", "empty": "",
		"int": 42, "negative": -7, "big": int64(9223372036854775807), "float": 12.5, "tiny": 1e-7, "huge": 1.5e300,
		"yes": true, "no": false, "nothing": nil,
		"list":      []any{1, "two", map[string]any{"three": 3}, []any{4.5, nil}, true},
		"emptyList": []any{}, "emptyObject": map[string]any{},
		"nested": map[string]any{"a": map[string]any{"b": map[string]any{"c": "deep"}}, "dotted.key": 1},
		"time":   "a property called time", "event": "and event", "user": map[string]any{"name": "and user"}, "id": 7,
		"odd name: é/漢": "ok", "html": "<b>&</b>", "long": strings.Repeat("x", 5000),
	}
}

// With returns the properties of all the maps.
func With(maps ...map[string]any) map[string]any {
	all := map[string]any{}
	for _, m := range maps {
		for name, value := range m {
			all[name] = value
		}
	}
	return all
}

var start = time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond)

// At is the instant of the n-th event: a fixed distance before now, so that no limit on age applies.
func At(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

// Expected is an event as it should be found: its name, user, insert id (nil: whatever it is), time (nil:
// about now), and the fields that it has among others.
type Expected struct {
	Name   string         `json:"name"`
	User   string         `json:"user"`
	ID     *string        `json:"id"`
	Time   *time.Time     `json:"time"`
	Fields map[string]any `json:"fields"`
}

// Link is a link as it should be found.
type Link struct {
	User string `json:"user"`
	ID   string `json:"id"`
}

var outcome struct {
	sync.Mutex
	Sent   []Expected `json:"sent"`
	Errors []string   `json:"errors"`
	Links  []Link     `json:"links"`
}

// Expect notes an event. An empty id and a zero time are whatever they are.
func Expect(name, user, id string, at time.Time, fields map[string]any) {
	e := Expected{Name: name, User: user, Fields: fields}
	if id != "" {
		e.ID = &id
	}
	if !at.IsZero() {
		e.Time = &at
	}
	outcome.Sent = append(outcome.Sent, e)
}

// ExpectLink notes a link.
func ExpectLink(user, id string) { outcome.Links = append(outcome.Links, Link{user, id}) }

// Failed notes an error that the library reported. It may be called from any goroutine.
func Failed(err error) {
	outcome.Lock()
	defer outcome.Unlock()
	outcome.Errors = append(outcome.Errors, err.Error())
}

// Report prints what was sent and what failed.
func Report() {
	outcome.Lock()
	defer outcome.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(&outcome); err != nil {
		panic(err)
	}
}

// Args are the base address of the server, the key, and a mode: "", "errors" or "rejects".
func Args() (base, key, mode string) {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: PROGRAM BASE-ADDRESS KEY [MODE]")
		os.Exit(2)
	}
	if len(os.Args) > 3 {
		mode = os.Args[3]
	}
	return os.Args[1], os.Args[2], mode
}
