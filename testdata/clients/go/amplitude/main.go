// Command amplitude sends a fixed set of events with Amplitude's own SDK and prints what it sent.
//
//	amplitude http://127.0.0.1:7701/amplitude KEY [batch|bad|anonymous]
//
// With "batch" it uses the batch endpoint; with "bad" it sends bad events among good ones, with
// "anonymous" the same without insert ids. Printed, as JSON: {"sent":[…],"errors":[{event, insert_id, n, code,
// message}]}, in "sent" only what the SDK says has been taken.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/amplitude/analytics-go/amplitude"
)

type object = map[string]any

type result struct {
	Event    string `json:"event"`
	InsertID string `json:"insert_id"`
	N        any    `json:"n,omitempty"`
	Code     int    `json:"code"`
	Message  string `json:"message"`
}

type report struct {
	Sent   []*amplitude.Event `json:"sent"`
	Errors []result           `json:"errors"`
}

// program gathers what the SDK reports of its events. The report comes once an event is done with:
// taken by the server, refused, or given up.
type program struct {
	client  amplitude.Client
	now     time.Time
	waiting sync.WaitGroup
	mu      sync.Mutex
	sent    report
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: amplitude BASE_URL KEY [batch|bad|anonymous]")
		os.Exit(2)
	}
	base, key, mode := strings.TrimSuffix(os.Args[1], "/"), os.Args[2], ""
	if len(os.Args) > 3 {
		mode = os.Args[3]
	}
	p := &program{now: time.Now(), sent: report{Errors: []result{}}}
	config := amplitude.NewConfig(key)
	config.ServerURL = base + "/2/httpapi"
	if mode == "batch" {
		config.ServerURL, config.UseBatch = base+"/batch", true
	}
	config.FlushInterval, config.FlushQueueSize = 100*time.Millisecond, 40
	config.RetryThrottledInterval = 200 * time.Millisecond
	config.Logger = quiet{}
	config.ExecuteCallback = p.done
	p.client = amplitude.NewClient(config)
	switch mode {
	case "bad", "anonymous":
		p.bad(mode == "bad")
	default:
		p.good()
	}
	p.waiting.Wait()
	p.client.Shutdown()
	slices.SortStableFunc(p.sent.Errors, func(a, b result) int { return strings.Compare(a.InsertID, b.InsertID) })
	if err := json.NewEncoder(os.Stdout).Encode(&p.sent); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (p *program) done(r amplitude.ExecuteResult) {
	defer p.waiting.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Code == 200 {
		p.sent.Sent = append(p.sent.Sent, r.Event)
		return
	}
	p.sent.Errors = append(p.sent.Errors, result{
		Event: r.Event.EventType, InsertID: r.Event.InsertID, N: r.Event.EventProperties["n"], Code: r.Code, Message: r.Message,
	})
}

func (p *program) at(before time.Duration) int64 { return p.now.Add(-before).UnixMilli() }

func (p *program) track(e amplitude.Event) {
	p.waiting.Add(1)
	p.client.Track(e)
}

func (p *program) good() {
	who := func(id string, before time.Duration) amplitude.EventOptions {
		return amplitude.EventOptions{UserID: "user-1", DeviceID: "device-1", InsertID: id, Time: p.at(before)}
	}
	options := who("amp-go-1", time.Minute)
	options.SessionID, options.Platform, options.OSName, options.AppVersion = int(p.at(time.Hour)), "iOS", "iOS", "3.2.1"
	options.IP, options.Plan = "$remote", &amplitude.Plan{Branch: "main", Version: "2"}
	p.track(amplitude.Event{
		EventType: "app_launch", EventOptions: options, Groups: map[string][]string{"company": {"Acme"}},
		EventProperties: object{
			"scene": 1011, "price": 12.5, "first": true, "商品": "苹果 🍎", "list": []string{"a", "b"},
			"nested": object{"page": object{"name": "home"}}, "empty": "",
		},
	})
	p.track(amplitude.Event{EventType: "outside", EventOptions: amplitude.EventOptions{DeviceID: "device-2", InsertID: "amp-go-2", Time: p.at(time.Minute), SessionID: -1}})
	for i := range 90 {
		p.track(amplitude.Event{
			EventType:       "view",
			EventOptions:    amplitude.EventOptions{UserID: fmt.Sprintf("user-%dx", i%7), InsertID: fmt.Sprintf("amp-go-view-%d", i), Time: p.at(time.Minute) + int64(i)},
			EventProperties: object{"n": i},
		})
	}
	p.waiting.Add(5)
	p.client.Revenue(amplitude.Revenue{ProductID: "sku-1", Price: 3.99, Quantity: 2, RevenueType: "purchase"}, who("amp-go-3", 30*time.Second))
	identify := amplitude.Identify{}
	identify.Set("plan", "pro").SetOnce("first_seen", "2025-06-01").Add("visits", 1).Append("pages", "home").
		PostInsert("tags", []string{"a", "b"}).Remove("colours", "red").Unset("age")
	p.client.Identify(identify, who("amp-go-4", 20*time.Second))
	clear := amplitude.Identify{}
	clear.ClearAll()
	p.client.Identify(clear, amplitude.EventOptions{UserID: "user-9", InsertID: "amp-go-5", Time: p.at(time.Second)})
	group := amplitude.Identify{}
	group.Set("industry", "widgets")
	p.client.GroupIdentify("company", "Acme", group, who("amp-go-6", 10*time.Second))
	p.client.SetGroup("company", []string{"Acme"}, who("amp-go-7", 10*time.Second))
}

// bad sends six events in one request, two of them bad.
func (p *program) bad(ids bool) {
	for i, text := range []string{"a", strings.Repeat("x", 200_000), "c", "d", "e"} {
		e := amplitude.Event{
			EventType: "kept", EventOptions: amplitude.EventOptions{UserID: "user-1", Time: p.at(time.Minute)},
			EventProperties: object{"n": i, "text": text},
		}
		if i == 3 {
			e.Time = p.at(-72 * time.Hour)
		}
		if ids {
			e.InsertID = fmt.Sprintf("amp-go-bad-%d", i)
		}
		p.track(e)
	}
}

type quiet struct{}

func (quiet) Debugf(string, ...any) {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
