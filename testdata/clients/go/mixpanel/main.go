// Command mixpanel runs Mixpanel's Go client against Cairn. Modes: "errors" makes one call of each kind; "bad" sends
// events that Cairn refuses among good ones.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/mixpanel/mixpanel-go"

	"clients/clients"
)

type object = map[string]any

func main() {
	base, key, mode := clients.Args()
	base = strings.TrimSuffix(base, "/")
	client := mixpanel.NewApiClient(key, mixpanel.ProxyApiLocation(base), mixpanel.ApiSecret(key))
	switch mode {
	case "errors":
		fail(client)
	case "bad":
		bad(client)
	default:
		events(client)
		// A service account's secret may be the key too.
		account := mixpanel.NewApiClient("", mixpanel.ProxyApiLocation(base), mixpanel.ServiceAccount(17, "account", key))
		imports(account, "account", mixpanel.ImportOptionsRecommend, 1)
		people(client)
		groups(client)
	}
	clients.Report()
}

// note reports the error of a call.
func note(call string, err error) {
	if err != nil {
		clients.Failed(fmt.Errorf("%s: %w", call, err))
	}
}

// again makes a call until it succeeds, five times at most: the library never tries again by itself.
func again(call func() error) (err error) {
	for range 5 {
		if err = call(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// event makes an event and says what is to be found of it. One of no user has its device's id.
func event(client *mixpanel.ApiClient, name, user, id string, at time.Time, properties object) *mixpanel.Event {
	expected := maps.Clone(properties)
	e := client.NewEvent(name, user, properties)
	e.AddTime(at)
	e.AddInsertID(id)
	if user == "" {
		user = "mg-device"
	}
	clients.Expect(name, user, id, at.Truncate(time.Millisecond), expected)
	return e
}

func events(client *mixpanel.ApiClient) {
	ctx := context.Background()
	rich := clients.Rich()
	delete(rich, "time") // the vendor's name for the event's own
	first := event(client, "Product Viewed", "mg-user", "mg-1", clients.At(0), rich)
	first.AddIP(net.ParseIP("203.0.113.9"))
	noTime := client.NewEvent("no time", "mg-user", object{"n": 1, "$insert_id": "mg-0"})
	clients.Expect("no time", "mg-user", "mg-0", time.Time{}, object{"n": 1, "mp_lib": "go"})
	device := event(client, "device", "", "mg-device-1", clients.At(0), object{"$device_id": "mg-device"})
	before := event(client, "before login", "$device:mg-device", "mg-2", clients.At(1), object{"$device_id": "mg-device"})
	login := event(client, "login", "mg-user", "mg-3", clients.At(2), object{"$device_id": "mg-device", "$user_id": "mg-user"})
	clients.ExpectLink("mg-user", "mg-device")
	clients.ExpectLink("mg-user", "$device:mg-device")
	mail := event(client, "before alias", "mg-mail@example.com", "mg-4", clients.At(2), object{})
	old := event(client, "before merge", "mg-old-four", "mg-5", clients.At(2), object{})
	list := []*mixpanel.Event{first, noTime, device, before, login, mail, old}
	note("Track", again(func() error { return client.Track(ctx, list) }))

	imports(client, "plain", mixpanel.ImportOptions{Strict: true}, 60)
	imports(client, "gzip", mixpanel.ImportOptionsRecommend, 200)
	imports(client, "loose", mixpanel.ImportOptions{}, 20)

	note("Alias", client.Alias(ctx, "mg-mail@example.com", "mg-user"))
	clients.Expect("$create_alias", "mg-user", "", time.Time{}, object{"distinct_id": "mg-user", "alias": "mg-mail@example.com"})
	clients.ExpectLink("mg-user", "mg-mail@example.com")
	note("Merge", client.Merge(ctx, "mg-four", "mg-old-four"))
	clients.Expect("$merge", "", "", time.Time{}, object{"$distinct_ids": []string{"mg-four", "mg-old-four"}})
	clients.ExpectLink("mg-four", "mg-old-four")
}

// imports imports n events, twice: the second time they are duplicates, which is success too.
func imports(client *mixpanel.ApiClient, how string, options mixpanel.ImportOptions, n int) {
	var list []*mixpanel.Event
	for i := range n {
		list = append(list, event(client, "imported", fmt.Sprintf("mg-many-%d", i%5), fmt.Sprintf("mg-%s-%d", how, i), clients.At(-i), object{"i": i, "how": how}))
	}
	for range 2 {
		answer, err := client.Import(context.Background(), list, options)
		note("Import "+how, err)
		if err == nil && answer.NumRecordsImported != n {
			note("Import "+how, fmt.Errorf("%d of %d imported", answer.NumRecordsImported, n))
		}
	}
}

func people(client *mixpanel.ApiClient) {
	ctx := context.Background()
	found := func(call, operation string, value any, err error) {
		note(call, err)
		clients.Expect("$profile", "mg-user", "", time.Time{}, object{operation: value, "$distinct_id": "mg-user"})
	}
	set := object{"plan": "pro", "age": 33, "$first_name": "Ada"}
	found("PeopleSet", "$set", set, client.PeopleSet(ctx, []*mixpanel.PeopleProperties{mixpanel.NewPeopleProperties("mg-user", set)}))
	once := object{"first": "2025-06-01"}
	found("PeopleSetOnce", "$set_once", once, client.PeopleSetOnce(ctx, []*mixpanel.PeopleProperties{mixpanel.NewPeopleProperties("mg-user", once)}))
	add := map[string]int{"visits": 1, "credits": -3}
	found("PeopleIncrement", "$add", add, client.PeopleIncrement(ctx, "mg-user", add))
	union := object{"tags": []string{"a", "b"}}
	found("PeopleUnionProperty", "$union", union, client.PeopleUnionProperty(ctx, "mg-user", union))
	pages := object{"pages": "home"}
	found("PeopleAppendListProperty", "$append", pages, client.PeopleAppendListProperty(ctx, "mg-user", pages))
	remove := object{"tags": "a"}
	found("PeopleRemoveListProperty", "$remove", remove, client.PeopleRemoveListProperty(ctx, "mg-user", remove))
	unset := []string{"age", "credits"}
	found("PeopleDeleteProperty", "$unset", unset, client.PeopleDeleteProperty(ctx, "mg-user", unset))
	note("PeopleDeleteProfile", client.PeopleDeleteProfile(ctx, "mg-gone", true))
	clients.Expect("$profile", "mg-gone", "", time.Time{}, object{"$delete": true})
}

func groups(client *mixpanel.ApiClient) {
	ctx := context.Background()
	found := func(call, operation string, value any, err error) {
		note(call, err)
		clients.Expect("$groupidentify", "", "", time.Time{}, object{operation: value, "$group_key": "company", "$group_id": "Acme"})
	}
	found("GroupSet", "$set", object{"industry": "widgets"}, client.GroupSet(ctx, "company", "Acme", object{"industry": "widgets"}))
	found("GroupSetOnce", "$set_once", object{"since": 2020}, client.GroupSetOnce(ctx, "company", "Acme", object{"since": 2020}))
	found("GroupUnionListProperty", "$union", object{"products": []string{"anvil"}}, client.GroupUnionListProperty(ctx, "company", "Acme", object{"products": []string{"anvil"}}))
	found("GroupRemoveListProperty", "$remove", object{"products": "anvil"}, client.GroupRemoveListProperty(ctx, "company", "Acme", object{"products": "anvil"}))
	found("GroupDeleteProperty", "$unset", []string{"since"}, client.GroupDeleteProperty(ctx, "company", "Acme", []string{"since"}))
	found("GroupDelete", "$delete", true, client.GroupDelete(ctx, "company", "Acme"))
}

// fail makes calls that are to fail.
func fail(client *mixpanel.ApiClient) {
	ctx := context.Background()
	list := []*mixpanel.Event{client.NewEvent("never stored", "nobody", nil)}
	note("Track", client.Track(ctx, list))
	_, err := client.Import(ctx, list, mixpanel.ImportOptionsRecommend)
	note("Import", err)
	note("PeopleSet", client.PeopleSet(ctx, []*mixpanel.PeopleProperties{mixpanel.NewPeopleProperties("nobody", nil)}))
	note("GroupSet", client.GroupSet(ctx, "company", "nobody", object{"a": 1}))
	note("Alias", client.Alias(ctx, "nobody-2", "nobody"))
	note("Merge", client.Merge(ctx, "nobody", "nobody-2"))
}

func bad(client *mixpanel.ApiClient) {
	ctx := context.Background()
	early := client.NewEvent("refused", "mg-bad", nil)
	early.AddTime(time.Now().Add(72 * time.Hour))
	early.AddInsertID("mg-bad-2")
	long := client.NewEvent("refused", "mg-bad", object{"text": strings.Repeat("x", 200_000)})
	long.AddInsertID("mg-bad-4")
	mixed := []*mixpanel.Event{
		event(client, "kept", "mg-bad", "mg-bad-1", clients.At(0), object{"n": 1}), early,
		event(client, "kept", "mg-bad", "mg-bad-3", clients.At(1), object{"n": 3}), long,
	}
	_, err := client.Import(ctx, mixed, mixpanel.ImportOptionsRecommend)
	var refused mixpanel.ImportFailedValidationError
	if errors.As(err, &refused) {
		for _, r := range refused.FailedImportRecords {
			note("Import", fmt.Errorf("%d of %d imported; %d %s %s", refused.NumRecordsImported, len(mixed), r.Index, r.InsertID, r.Field))
		}
	} else {
		note("Import", fmt.Errorf("%T %w", err, err))
	}
	note("Track mixed", client.Track(ctx, mixed[:2]))
	note("Track bad", client.Track(ctx, []*mixpanel.Event{early}))
}
