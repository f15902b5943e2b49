// Command mixpanel sends a fixed set of events with Mixpanel's own SDK and prints what it sent.
//
//	mixpanel http://127.0.0.1:7701/mixpanel KEY [bad]
//
// With "bad" it sends events that are refused among good ones, and a wrong key. Printed, as JSON:
// {"sent":[{path, …the event or update}],"errors":[{call, error}],"imported":N,"failed":[…]}, in "sent"
// only what is right.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/mixpanel/mixpanel-go"
)

type object = map[string]any

type report struct {
	Sent     []object `json:"sent"`
	Errors   []object `json:"errors"`
	Imported int      `json:"imported"` // as the answers to imports say
	Failed   []object `json:"failed"`
}

type program struct {
	client *mixpanel.ApiClient
	sent   report
	now    time.Time
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: mixpanel BASE_URL KEY [bad]")
		os.Exit(2)
	}
	base, key := strings.TrimSuffix(os.Args[1], "/"), os.Args[2]
	p := &program{
		client: mixpanel.NewApiClient(key, mixpanel.ProxyApiLocation(base), mixpanel.ApiSecret(key)),
		now:    time.Now(),
		sent:   report{Errors: []object{}},
	}
	if len(os.Args) > 3 && os.Args[3] == "bad" {
		p.bad(base)
	} else {
		p.good(key, base)
	}
	if err := json.NewEncoder(os.Stdout).Encode(p.sent); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (p *program) event(name, user, id string, before time.Duration, properties object) *mixpanel.Event {
	e := p.client.NewEvent(name, user, properties)
	e.AddTime(p.now.Add(-before))
	e.AddInsertID(id)
	return e
}

func (p *program) note(call string, err error) {
	if err != nil {
		p.sent.Errors = append(p.sent.Errors, object{"call": call, "error": err.Error()})
	}
}

func (p *program) wire(path string, events ...*mixpanel.Event) {
	for _, e := range events {
		p.sent.Sent = append(p.sent.Sent, object{"path": path, "event": e.Name, "properties": e.Properties})
	}
}

func (p *program) good(key, base string) {
	ctx := context.Background()
	launch := p.event("app_launch", "u-1", "mp-go-1", time.Minute, object{
		"scene": 1011, "price": 12.5, "first": true, "商品": "苹果 🍎", "list": []string{"a", "b"}, "nothing": nil,
		"nested": object{"page": object{"name": "home"}}, "empty": "",
	})
	launch.AddIP(net.ParseIP("203.0.113.9"))
	noTime := p.client.NewEvent("no_time", "u-2", object{"$insert_id": "mp-go-2"})
	device := p.event("sign_in", "u-1", "mp-go-3", 20*time.Second, object{"$device_id": "d-1", "$user_id": "u-1"})
	events := []*mixpanel.Event{launch, noTime, device}
	p.wire("/track", events...)
	p.note("Track", p.client.Track(ctx, events))

	for name, options := range map[string]mixpanel.ImportOptions{
		"plain": {Strict: true}, "gzip": {Strict: true, Compression: mixpanel.Gzip}, "loose": {},
	} {
		var imports []*mixpanel.Event
		for i := range 60 {
			imports = append(imports, p.event("imported", fmt.Sprintf("u-%d", i%5), fmt.Sprintf("mp-go-%s-%d", name, i), time.Duration(i+1)*time.Hour, object{"n": i, "how": name}))
		}
		p.wire("/import", imports...)
		answer, err := p.client.Import(ctx, imports, options)
		p.note("Import "+name, err)
		if answer != nil {
			p.sent.Imported += answer.NumRecordsImported
		}
	}

	// A service account's secret may be the key too.
	account := mixpanel.NewApiClient(key, mixpanel.ProxyApiLocation(base), mixpanel.ServiceAccount(17, "account", key))
	imports := []*mixpanel.Event{p.event("imported", "u-8", "mp-go-account-1", time.Hour, object{"how": "account"})}
	p.wire("/import", imports...)
	answer, err := account.Import(ctx, imports, mixpanel.ImportOptionsRecommend)
	p.note("Import account", err)
	if answer != nil {
		p.sent.Imported += answer.NumRecordsImported
	}

	p.people(ctx)
	p.groups(ctx)
	p.sent.Sent = append(p.sent.Sent, object{"path": "/track", "event": "$create_alias", "properties": object{"distinct_id": "u-1", "alias": "mail@example.com"}})
	p.note("Alias", p.client.Alias(ctx, "mail@example.com", "u-1"))
	p.sent.Sent = append(p.sent.Sent, object{"path": "/import", "event": "$merge", "properties": object{"$distinct_ids": []string{"u-4", "old-4"}}})
	p.note("Merge", p.client.Merge(ctx, "u-4", "old-4"))
}

func (p *program) people(ctx context.Context) {
	note := func(call, operation string, value any, err error) {
		p.sent.Sent = append(p.sent.Sent, object{"path": "/engage", "$distinct_id": "u-1", operation: value})
		p.note(call, err)
	}
	c := p.client
	set := object{"plan": "pro", "age": 33, "$first_name": "Ada"}
	note("PeopleSet", "$set", set, c.PeopleSet(ctx, []*mixpanel.PeopleProperties{mixpanel.NewPeopleProperties("u-1", set)}))
	once := object{"first_seen": "2025-06-01"}
	note("PeopleSetOnce", "$set_once", once, c.PeopleSetOnce(ctx, []*mixpanel.PeopleProperties{mixpanel.NewPeopleProperties("u-1", once)}))
	add := map[string]int{"visits": 1, "credits": -3}
	note("PeopleIncrement", "$add", add, c.PeopleIncrement(ctx, "u-1", add))
	union := object{"tags": []string{"a", "b"}}
	note("PeopleUnionProperty", "$union", union, c.PeopleUnionProperty(ctx, "u-1", union))
	pages := object{"pages": "home"}
	note("PeopleAppendListProperty", "$append", pages, c.PeopleAppendListProperty(ctx, "u-1", pages))
	remove := object{"tags": "a"}
	note("PeopleRemoveListProperty", "$remove", remove, c.PeopleRemoveListProperty(ctx, "u-1", remove))
	unset := []string{"age", "credits"}
	note("PeopleDeleteProperty", "$unset", unset, c.PeopleDeleteProperty(ctx, "u-1", unset))
	p.sent.Sent = append(p.sent.Sent, object{"path": "/engage", "$distinct_id": "u-9", "$delete": true})
	p.note("PeopleDeleteProfile", c.PeopleDeleteProfile(ctx, "u-9", true))
}

func (p *program) groups(ctx context.Context) {
	note := func(call, operation string, value any, err error) {
		p.sent.Sent = append(p.sent.Sent, object{"path": "/groups", "$group_key": "company", "$group_id": "Acme", operation: value})
		p.note(call, err)
	}
	c := p.client
	note("GroupSet", "$set", object{"industry": "widgets"}, c.GroupSet(ctx, "company", "Acme", object{"industry": "widgets"}))
	note("GroupSetOnce", "$set_once", object{"since": 2020}, c.GroupSetOnce(ctx, "company", "Acme", object{"since": 2020}))
	note("GroupUnionListProperty", "$union", object{"products": []string{"anvil"}}, c.GroupUnionListProperty(ctx, "company", "Acme", object{"products": []string{"anvil"}}))
	note("GroupRemoveListProperty", "$remove", object{"products": "anvil"}, c.GroupRemoveListProperty(ctx, "company", "Acme", object{"products": "anvil"}))
	note("GroupDeleteProperty", "$unset", []string{"since"}, c.GroupDeleteProperty(ctx, "company", "Acme", []string{"since"}))
	note("GroupDelete", "$delete", true, c.GroupDelete(ctx, "company", "Acme"))
}

func (p *program) bad(base string) {
	ctx := context.Background()
	mixed := []*mixpanel.Event{
		p.event("kept", "u-1", "mp-go-mixed-1", time.Minute, object{"n": 1}),
		p.event("too_early", "u-1", "mp-go-mixed-2", -72*time.Hour, nil),
		p.event("kept", "u-1", "mp-go-mixed-3", time.Minute, object{"n": 3}),
		p.event("too_long", "u-1", "mp-go-mixed-4", time.Minute, object{"text": strings.Repeat("x", 200_000)}),
	}
	p.wire("/import", mixed[0], mixed[2])
	_, err := p.client.Import(ctx, mixed, mixpanel.ImportOptionsRecommend)
	p.note("Import mixed", err)
	var refused mixpanel.ImportFailedValidationError
	if errors.As(err, &refused) {
		p.sent.Imported = refused.NumRecordsImported
		for _, r := range refused.FailedImportRecords {
			p.sent.Failed = append(p.sent.Failed, object{"index": r.Index, "insert_id": r.InsertID, "field": r.Field, "message": r.Message})
		}
	}
	p.note("Track all bad", p.client.Track(ctx, mixed[1:2]))
	p.note("Track mixed", p.client.Track(ctx, mixed[:2]))
	stranger := mixpanel.NewApiClient("no-such-key", mixpanel.ProxyApiLocation(base))
	p.note("Track wrong key", stranger.Track(ctx, []*mixpanel.Event{stranger.NewEvent("x", "u-1", nil)}))
	_, err = stranger.Import(ctx, []*mixpanel.Event{stranger.NewEvent("x", "u-1", nil)}, mixpanel.ImportOptionsRecommend)
	p.note("Import wrong key", err)
	p.note("PeopleSet wrong key", stranger.PeopleSet(ctx, []*mixpanel.PeopleProperties{mixpanel.NewPeopleProperties("u-1", nil)}))
	p.note("Merge wrong key", stranger.Merge(ctx, "a", "b"))
}
