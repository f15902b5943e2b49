// Command posthog runs PostHog's Go client against Cairn.
package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/posthog/posthog-go"

	"clients/clients"
)

type callback struct{}

func (callback) Success(posthog.APIMessage)            {}
func (callback) Failure(_ posthog.APIMessage, e error) { clients.Failed(e) }

type quiet struct{}

func (quiet) Debugf(string, ...any) {}
func (quiet) Logf(string, ...any)   {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

func main() {
	base, key, mode := clients.Args()
	client, err := posthog.NewWithConfig(key, posthog.Config{
		Endpoint: base, BatchSize: 15, Interval: 200 * time.Millisecond, Callback: callback{}, Logger: quiet{},
		RetryAfter: func(int) time.Duration { return 100 * time.Millisecond },
	})
	check(err)
	send := func(m posthog.Message) { check(client.Enqueue(m)) }
	if mode == "errors" {
		send(posthog.Capture{DistinctId: "nobody", Event: "never stored"})
		time.Sleep(3 * time.Second) // ten attempts
		check(client.Close())
		clients.Report()
		return
	}
	uuid := func(n int) string { return fmt.Sprintf("0190e3a2-7c4d-7c00-8000-%012d", n) }
	if mode == "rejects" {
		send(posthog.Capture{DistinctId: "pg-good", Event: "good", Uuid: uuid(1)})
		clients.Expect("good", "pg-good", uuid(1), time.Time{}, nil)
		send(posthog.Capture{DistinctId: "pg-good", Event: strings.Repeat("e", 300), Uuid: uuid(2)})
		check(client.Close())
		clients.Report()
		return
	}
	library := map[string]any{"$lib": "posthog-go", "library": "posthog-go"}

	send(posthog.Capture{DistinctId: "pg-anon", Event: "Product Viewed", Uuid: uuid(1), Timestamp: clients.At(0), Properties: clients.Rich(), Groups: posthog.NewGroups().Set("company", "acme")})
	clients.Expect("Product Viewed", "pg-anon", uuid(1), clients.At(0), clients.With(clients.Rich(), library, map[string]any{"$groups": map[string]any{"company": "acme"}}))

	set := map[string]any{"plan": "pro", "seats": 5}
	send(posthog.Identify{DistinctId: "pg-user", Timestamp: clients.At(1), Properties: set})
	clients.Expect("$identify", "pg-user", "", clients.At(1), map[string]any{"$set": set})
	clients.Expect("$profile", "pg-user", "", clients.At(1), map[string]any{"$set": set})

	// Before the alias, by the old name.
	send(posthog.Capture{DistinctId: "pg-old", Event: "before", Uuid: uuid(3), Timestamp: clients.At(1)})
	clients.Expect("before", "pg-old", uuid(3), clients.At(1), nil)
	send(posthog.Alias{DistinctId: "pg-user", Alias: "pg-old", Timestamp: clients.At(2)})
	clients.Expect("$create_alias", "pg-user", "", clients.At(2), map[string]any{"alias": "pg-old"})
	clients.ExpectLink("pg-user", "pg-old")

	send(posthog.GroupIdentify{Type: "company", Key: "acme", Timestamp: clients.At(3), Properties: posthog.Properties{"name": "Acme"}})
	clients.Expect("$groupidentify", "$company_acme", "", clients.At(3), map[string]any{"$group_type": "company", "$group_key": "acme", "$group_set": map[string]any{"name": "Acme"}})

	for i := range 60 {
		user := fmt.Sprintf("pg-many-%d", i%7)
		send(posthog.Capture{DistinctId: user, Event: "many", Uuid: uuid(100 + i), Properties: posthog.Properties{"i": i}})
		clients.Expect("many", user, uuid(100+i), time.Time{}, map[string]any{"i": i})
	}
	for range 2 {
		send(posthog.Capture{DistinctId: "pg-user", Event: "twice", Uuid: uuid(2), Timestamp: clients.At(4)})
	}
	clients.Expect("twice", "pg-user", uuid(2), clients.At(4), nil)
	time.Sleep(2 * time.Second) // Close gives up what has to be sent again
	check(client.Close())
	clients.Report()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
