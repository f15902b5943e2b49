// Command segment runs Segment's Go client against Cairn.
package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/analytics-go/v3"

	"clients/clients"
)

type callback struct{}

func (callback) Success(analytics.Message)            {}
func (callback) Failure(_ analytics.Message, e error) { clients.Failed(e) }

type quiet struct{}

func (quiet) Logf(string, ...any)   {}
func (quiet) Errorf(string, ...any) {}

func main() {
	base, key, mode := clients.Args()
	client, err := analytics.NewWithConfig(key, analytics.Config{
		Endpoint: base, BatchSize: 15, Interval: 200 * time.Millisecond, Callback: callback{}, Logger: quiet{},
		RetryAfter:     func(int) time.Duration { return 100 * time.Millisecond },
		DefaultContext: &analytics.Context{Locale: "zh-CN", App: analytics.AppInfo{Name: "shop", Version: "2.1"}},
	})
	check(err)
	send := func(m analytics.Message) { check(client.Enqueue(m)) }
	if mode == "errors" {
		send(analytics.Track{UserId: "nobody", Event: "never stored", MessageId: "segment-go-error"})
		time.Sleep(3 * time.Second) // ten attempts
		check(client.Close())
		clients.Report()
		return
	}
	if mode == "rejects" {
		send(analytics.Track{UserId: "sg-good", Event: "good", MessageId: "sg-good"})
		clients.Expect("good", "sg-good", "sg-good", time.Time{}, nil)
		send(analytics.Track{UserId: "sg-good", Event: strings.Repeat("e", 300), MessageId: "sg-bad"})
		check(client.Close())
		clients.Report()
		return
	}
	context := map[string]any{"context.locale": "zh-CN", "context.app.version": "2.1"}
	send(analytics.Track{AnonymousId: "sg-anon", Event: "Product Viewed", Properties: clients.Rich(), Timestamp: clients.At(0), MessageId: "sg-1"})
	clients.Expect("Product Viewed", "sg-anon", "sg-1", clients.At(0), clients.With(clients.Rich(), context, map[string]any{"anonymous_id": "sg-anon"}))

	traits := map[string]any{"plan": "pro", "address": map[string]any{"city": "上海"}, "seats": 5}
	send(analytics.Identify{UserId: "sg-user", AnonymousId: "sg-anon", Traits: traits, Timestamp: clients.At(1), MessageId: "sg-2"})
	clients.Expect("$identify", "sg-user", "sg-2", clients.At(1), map[string]any{"traits": traits, "user_id": "sg-user", "anonymous_id": "sg-anon"})
	clients.Expect("$profile", "sg-user", "sg-2/profile", clients.At(1), map[string]any{"$set": traits})
	clients.ExpectLink("sg-user", "sg-anon")

	own := &analytics.Context{Locale: "de-DE", Traits: analytics.Traits{"vip": true}}
	send(analytics.Page{UserId: "sg-user", Name: "Home", Properties: analytics.NewProperties().SetURL("https://example.com/?a=1"), Context: own, Timestamp: clients.At(2), MessageId: "sg-3"})
	clients.Expect("$page", "sg-user", "sg-3", clients.At(2), map[string]any{
		"name": "Home", "url": "https://example.com/?a=1", "context.locale": "de-DE", "context.traits.vip": true, "context.app.version": "2.1",
	})

	send(analytics.Screen{UserId: "sg-user", Name: "Cart", Properties: analytics.Properties{"items": 3}, Timestamp: clients.At(3), MessageId: "sg-4"})
	clients.Expect("$screen", "sg-user", "sg-4", clients.At(3), map[string]any{"name": "Cart", "items": 3})

	send(analytics.Group{UserId: "sg-user", GroupId: "g-1", Traits: analytics.Traits{"name": "Acme"}, Timestamp: clients.At(4), MessageId: "sg-5"})
	clients.Expect("$group", "sg-user", "sg-5", clients.At(4), map[string]any{"group_id": "g-1", "traits": map[string]any{"name": "Acme"}})

	// Before the alias, by the old name.
	send(analytics.Track{UserId: "sg-old", Event: "before", Timestamp: clients.At(4), MessageId: "sg-before"})
	clients.Expect("before", "sg-old", "sg-before", clients.At(4), nil)
	send(analytics.Alias{UserId: "sg-user", PreviousId: "sg-old", Timestamp: clients.At(5), MessageId: "sg-6"})
	clients.Expect("$alias", "sg-user", "sg-6", clients.At(5), map[string]any{"previous_id": "sg-old"})
	clients.ExpectLink("sg-user", "sg-old")

	for i := range 60 {
		user, id := fmt.Sprintf("sg-many-%d", i%7), fmt.Sprintf("sg-many-%d", i)
		send(analytics.Track{UserId: user, Event: "many", Properties: analytics.Properties{"i": i}, MessageId: id})
		clients.Expect("many", user, id, time.Time{}, map[string]any{"i": i})
	}
	for range 2 {
		send(analytics.Track{UserId: "sg-user", Event: "twice", MessageId: "sg-twice"})
	}
	clients.Expect("twice", "sg-user", "sg-twice", time.Time{}, nil)
	time.Sleep(2 * time.Second) // Close gives up what has to be sent again
	check(client.Close())
	clients.Report()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
