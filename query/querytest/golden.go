// Package querytest runs the golden queries of testdata/query, and random ones, on any evaluator.
//
// A golden file loads events and asks queries:
//
//	load
//	2025-06-01T10:00:00Z pay ann {"amount":3,"tags":["a","b"]}
//	2025-06-01T10:05:00Z view - id=v1
//	----
//	2 events
//
//	query
//	* | stats count(), users() by event
//	----
//	event  count  users
//	pay    1      1
//	view   1      0
//
// An event is its time (RFC 3339), name, user (- for none), perhaps id=ID, and its fields as JSON. Names
// and users with blanks are in double quotes. `load FILE` reads a .ndjson or .ndjson.gz file below
// testdata instead. `link` adds identity links, each a kind, the user, the other id and a time. `env now=TIME tz=ZONE week=mon from=TIME to=TIME` sets what a query depends on
// beside its text, for the queries behind it; `env` alone goes back to the start.
//
// What stands in a cell tells its type: 3 and 3.0, "3" in quotes, words bare, times as RFC 3339,
// durations as 1m30s, lists as JSON; null, and - for an absent value, which only events have.
package querytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query/reference"
	"cairn/query/result"
	"cairn/query/syntax"
)

// Evaluator is what the golden and random queries run on.
type Evaluator interface {
	// Load makes these events all that is stored. They come in no order and are not to be changed.
	Load(t testing.TB, events []event.Event)
	// Link links users, beside those linked since Load.
	Link(t testing.TB, links []engine.Link)
	// Query answers a query text over the events loaded last.
	Query(text string, env reference.Env) (*result.Table, error)
}

// Reference is the Evaluator of package reference.
type Reference struct {
	store *reference.Store
	links []engine.Link
}

// Load keeps the events.
func (r *Reference) Load(_ testing.TB, events []event.Event) {
	r.store, r.links = reference.Load(events), nil
}

// Link keeps the links.
func (r *Reference) Link(_ testing.TB, links []engine.Link) {
	r.links = append(r.links, links...)
	r.store.Link(r.links)
}

// Query parses and evaluates.
func (r *Reference) Query(text string, env reference.Env) (*result.Table, error) {
	q, err := syntax.Parse(text)
	if err != nil {
		return nil, err
	}
	if q.Settings.Identity != syntax.IdentityRaw {
		if err := syntax.MapUsers(q, r.store.Canonical); err != nil {
			return nil, err
		}
	}
	return r.store.Run(q, env)
}

// DefaultEnv is the environment at the start of a golden file: UTC, weeks from Monday.
func DefaultEnv() reference.Env {
	return reference.Env{Now: time.Date(2025, 6, 30, 12, 0, 0, 0, time.UTC), Location: time.UTC, Week: time.Monday}
}

// Run runs every golden file on an evaluator made for it. The files hold the answers of the reference,
// which -rewrite writes; the evaluator has to give the same, see Difference.
func Run(t *testing.T, open func(t testing.TB) Evaluator) {
	datadriven.Walk(t, filepath.Join(root(t), "testdata", "query"), func(t *testing.T, path string) {
		g := &golden{evaluator: open(t), env: DefaultEnv()}
		datadriven.RunTest(t, path, g.command)
	})
}

// root is the folder of go.mod.
func root(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = up
	}
}

type golden struct {
	evaluator Evaluator
	reference Reference
	env       reference.Env
}

func (g *golden) command(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "load":
		events, err := g.load(t, d)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		g.reference.Load(t, events)
		g.evaluator.Load(t, events)
		if len(events) == 1 {
			return "1 event"
		}
		return fmt.Sprintf("%d events", len(events))
	case "link":
		links, err := ParseLinks(d.Input)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		g.reference.Link(t, links)
		g.evaluator.Link(t, links)
		if len(links) == 1 {
			return "1 link"
		}
		return fmt.Sprintf("%d links", len(links))
	case "env":
		if err := g.setEnv(d); err != nil {
			d.Fatalf(t, "%v", err)
		}
		return "ok"
	case "query":
		want, wantErr := g.reference.Query(d.Input, g.env)
		if _, same := g.evaluator.(*Reference); !same {
			got, gotErr := g.evaluator.Query(d.Input, g.env)
			if diff := Difference(want, wantErr, got, gotErr); diff != "" {
				t.Errorf("%s:\n%s\n%s", d.Pos, d.Input, diff)
			}
		}
		if wantErr != nil {
			return "error: " + wantErr.Error()
		}
		return Text(want)
	}
	d.Fatalf(t, "unknown command %s", d.Cmd)
	return ""
}

func (g *golden) load(t testing.TB, d *datadriven.TestData) ([]event.Event, error) {
	if len(d.CmdArgs) == 1 {
		return readFile(filepath.Join(root(t), "testdata", d.CmdArgs[0].Key))
	}
	return ParseEvents(d.Input)
}

func (g *golden) setEnv(d *datadriven.TestData) error {
	if len(d.CmdArgs) == 0 {
		g.env = DefaultEnv()
	}
	for _, arg := range d.CmdArgs {
		value := strings.Join(arg.Vals, "")
		var err error
		var at time.Time
		switch arg.Key {
		case "now":
			g.env.Now, err = time.Parse(time.RFC3339, value)
		case "tz":
			g.env.Location, err = time.LoadLocation(value)
		case "week":
			day := strings.Index("sunmontuewedthufrisat", value)
			if len(value) != 3 || day < 0 || day%3 != 0 {
				return fmt.Errorf("no day of the week: %s", value)
			}
			g.env.Week = time.Weekday(day / 3)
		case "from":
			at, err = time.Parse(time.RFC3339, value)
			g.env.Range.From = at.UnixNano()
		case "to":
			at, err = time.Parse(time.RFC3339, value)
			g.env.Range.To = at.UnixNano()
		default:
			return fmt.Errorf("unknown setting %s", arg.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ParseEvents reads events as golden files write them, one a line. Blank lines and lines that begin with
// # are passed over. An event is received at its own time.
func ParseEvents(text string) ([]event.Event, error) {
	var events []event.Event
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		e, err := parseEvent(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		events = append(events, e)
	}
	return events, nil
}

func parseEvent(line string) (event.Event, error) {
	var e event.Event
	var words [3]string
	for i := range words {
		var err error
		if words[i], line, err = word(line); err != nil {
			return e, err
		}
	}
	at, err := time.Parse(time.RFC3339, words[0])
	if err != nil {
		return e, err
	}
	e.Time, e.Received, e.Name, e.User = at.UnixNano(), at.UnixNano(), words[1], words[2]
	if e.User == "-" {
		e.User = ""
	}
	if rest, ok := strings.CutPrefix(line, "id="); ok {
		if e.ID, line, err = word(rest); err != nil {
			return e, err
		}
	}
	if line != "" {
		e.Fields, err = parseFields(nil, "", []byte(line))
	}
	return e, err
}

// ParseLinks reads links as golden files write them, one a line: kind, user, id and time.
func ParseLinks(text string) ([]engine.Link, error) {
	var links []engine.Link
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		l, err := parseLink(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		links = append(links, l)
	}
	return links, nil
}

func parseLink(line string) (engine.Link, error) {
	var l engine.Link
	var words [4]string
	var err error
	for i := range words {
		if words[i], line, err = word(line); err != nil {
			return l, fmt.Errorf("expected a kind, a user, an id and a time")
		}
	}
	at, err := time.Parse(time.RFC3339, words[3])
	if err != nil {
		return l, err
	}
	kind, err := engine.ParseLinkKind(words[0])
	return engine.Link{Kind: kind, User: words[1], ID: words[2], Time: at.UnixNano()}, err
}

// word cuts the first word off, which may be in double quotes.
func word(line string) (first, rest string, err error) {
	if line == "" {
		return "", "", fmt.Errorf("expected a time, a name and a user")
	}
	if line[0] == '"' {
		end := strings.IndexByte(line[1:], '"')
		if end < 0 {
			return "", "", fmt.Errorf("a quote is not closed")
		}
		return line[1 : end+1], strings.TrimSpace(line[end+2:]), nil
	}
	first, rest, _ = strings.Cut(line, " ")
	return first, strings.TrimSpace(rest), nil
}

// parseFields appends the members of a JSON object in their order; nested ones get dotted names.
func parseFields(fields []event.Field, prefix string, text []byte) ([]event.Field, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		path := prefix + name.(string)
		if raw[0] == '{' && string(raw) != "{}" {
			if fields, err = parseFields(fields, path+".", raw); err != nil {
				return nil, err
			}
			continue
		}
		v, err := parseValue(raw)
		if err != nil {
			return nil, err
		}
		fields = append(fields, event.Field{Name: path, Value: v})
	}
	_, err := d.Token()
	return fields, err
}

func parseValue(raw json.RawMessage) (event.Value, error) {
	switch raw[0] {
	case 'n':
		return event.Null, nil
	case 't', 'f':
		return event.Bool(raw[0] == 't'), nil
	case '{':
		return event.EmptyObject, nil
	case '[':
		var b bytes.Buffer
		err := json.Compact(&b, raw)
		return event.List(b.String()), err
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return event.String(s), err
	}
	var i int64
	if json.Unmarshal(raw, &i) == nil {
		return event.Int(i), nil
	}
	var f float64
	err := json.Unmarshal(raw, &f)
	return event.Float(f), err
}
