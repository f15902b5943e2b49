// Command amplitude runs Amplitude's Go client against Cairn. Modes: "batch" uses the batch endpoint; "errors" sends one
// event; "bad" sends events that Cairn refuses among good ones.
package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/amplitude/analytics-go/amplitude"

	"clients/clients"
)

type object = map[string]any

var waiting sync.WaitGroup // for what the library says of each event

func main() {
	base, key, mode := clients.Args()
	config := amplitude.NewConfig(key)
	config.ServerURL, config.UseBatch = strings.TrimSuffix(base, "/")+"/2/httpapi", mode == "batch"
	if config.UseBatch {
		config.ServerURL = strings.TrimSuffix(base, "/") + "/batch"
	}
	config.FlushInterval, config.FlushQueueSize = 100*time.Millisecond, 40
	config.FlushMaxRetries, config.RetryThrottledInterval = 6, 200*time.Millisecond
	config.Logger = quiet{}
	config.ExecuteCallback = func(r amplitude.ExecuteResult) {
		defer waiting.Done()
		if r.Code != 200 {
			clients.Failed(fmt.Errorf("%s %s: %d %s", r.Event.EventType, r.Event.InsertID, r.Code, r.Message))
		}
	}
	client := amplitude.NewClient(config)
	switch mode {
	case "errors":
		track(client, "never stored", "", amplitude.EventOptions{UserID: "nobody"}, nil)
	case "bad":
		bad(client)
	default:
		p := "ag"
		if config.UseBatch {
			p = "agb"
		}
		events(client, p)
		identities(client, p)
	}
	waiting.Wait()
	client.Shutdown()
	clients.Report()
}

func track(client amplitude.Client, name, id string, options amplitude.EventOptions, properties object) {
	waiting.Add(1)
	options.InsertID = id
	client.Track(amplitude.Event{EventType: name, EventOptions: options, EventProperties: properties})
}

func ms(n int) int64 { return clients.At(n).UnixMilli() }

func at(n int) time.Time { return clients.At(n).Truncate(time.Millisecond) }

func events(client amplitude.Client, p string) {
	user, device := p+"-user", p+"-device"
	rich := clients.Rich()
	track(client, "Product Viewed", p+"-1", amplitude.EventOptions{
		UserID: user, DeviceID: device, Time: ms(0), SessionID: int(ms(0)), Platform: "iOS", OSName: "iOS", AppVersion: "3.2.1", IP: "$remote",
		Plan: &amplitude.Plan{Branch: "main", Version: "2"},
	}, rich)
	clients.Expect("Product Viewed", user, p+"-1", at(0), clients.With(rich, object{
		"user_id": user, "device_id": device, "session_id": ms(0), "platform": "iOS", "os_name": "iOS", "app_version": "3.2.1", "ip": "127.0.0.1",
		"plan": object{"branch": "main", "version": "2"}, "library": "amplitude-go/1.3.0",
	}))
	clients.ExpectLink(user, device)

	track(client, "before login", p+"-0", amplitude.EventOptions{DeviceID: device, Time: ms(0)}, nil)
	clients.Expect("before login", device, p+"-0", at(0), object{"device_id": device})
	track(client, "outside", p+"-2", amplitude.EventOptions{DeviceID: p + "-other", Time: ms(1), SessionID: -1}, nil)
	clients.Expect("outside", p+"-other", p+"-2", at(1), object{"device_id": p + "-other", "session_id": -1})

	waiting.Add(1)
	client.Revenue(amplitude.Revenue{ProductID: "sku-1", Price: 3.99, Quantity: 2, RevenueType: "purchase"}, amplitude.EventOptions{UserID: user, InsertID: p + "-3", Time: ms(2)})
	clients.Expect("revenue_amount", user, p+"-3", at(2), object{"$productId": "sku-1", "$price": 3.99, "$quantity": 2, "$revenueType": "purchase"})

	for i := range 90 {
		who, id := fmt.Sprintf("%s-many-%d", p, i%7), fmt.Sprintf("%s-many-%d", p, i)
		track(client, "many", id, amplitude.EventOptions{UserID: who, Time: ms(i)}, object{"i": i})
		clients.Expect("many", who, id, at(i), object{"i": i})
	}
}

func identities(client amplitude.Client, p string) {
	waiting.Add(4)
	user := p + "-user"
	var identify, clearing, group amplitude.Identify
	identify.Set("plan", "pro").SetOnce("first", "2025-06-01").Add("visits", 1).Append("pages", "home").
		PostInsert("tags", []string{"a", "b"}).Remove("colours", "red").Unset("age")
	client.Identify(identify, amplitude.EventOptions{UserID: user, InsertID: p + "-4", Time: ms(3)})
	clients.Expect("$identify", user, p+"-4", at(3), object{"user_id": user})
	clients.Expect("$profile", user, p+"-4/profile", at(3), object{
		"$set": object{"plan": "pro"}, "$set_once": object{"first": "2025-06-01"}, "$add": object{"visits": 1}, "$append": object{"pages": "home"},
		"$union": object{"tags": []string{"a", "b"}}, "$remove": object{"colours": "red"}, "$unset": []string{"age"},
	})
	clearing.ClearAll()
	client.Identify(clearing, amplitude.EventOptions{UserID: p + "-gone", InsertID: p + "-5", Time: ms(4)})
	clients.Expect("$identify", p+"-gone", p+"-5", at(4), nil)
	clients.Expect("$profile", p+"-gone", p+"-5/profile", at(4), object{"$delete": true})
	group.Set("industry", "widgets")
	client.GroupIdentify("company", "Acme", group, amplitude.EventOptions{UserID: user, InsertID: p + "-6", Time: ms(5)})
	clients.Expect("$groupidentify", user, p+"-6", at(5), object{"groups": object{"company": []string{"Acme"}}, "group_properties": object{"$set": object{"industry": "widgets"}}})
	client.SetGroup("company", []string{"Acme"}, amplitude.EventOptions{UserID: user, InsertID: p + "-7", Time: ms(6)})
	clients.Expect("$identify", user, p+"-7", at(6), nil)
	clients.Expect("$profile", user, p+"-7/profile", at(6), object{"$set": object{"company": []string{"Acme"}}})
}

// bad sends five events in one request; the name of the second is longer than Cairn takes by default, the fourth
// is of the future.
func bad(client amplitude.Client) {
	for i := range 5 {
		options, id := amplitude.EventOptions{UserID: "ag-bad", Time: ms(i)}, fmt.Sprintf("ag-bad-%d", i)
		name, properties := "kept", object{"n": i}
		switch i {
		case 1:
			name = strings.Repeat("n", 300)
		case 3:
			name, options.Time = "refused", time.Now().Add(72*time.Hour).UnixMilli()
		default:
			clients.Expect("kept", options.UserID, id, at(i), properties)
		}
		track(client, name, id, options, properties)
	}
}

type quiet struct{}

func (quiet) Debugf(string, ...any) {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
