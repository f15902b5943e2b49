// Package workload makes the events of a mini-program shop, as NDJSON: sessions of users who wander
// through 70 events, search, look at items, fill a cart and sometimes pay. The same Options give the
// same bytes on every machine of one architecture.
//
//	{"time":"2025-06-01T08:12:43.218Z","event":"view_item","user":"o6_4fKq0aXb2Yt9w","page":"packageShop/pages/item/detail",
//	 "scene":1011,"channel":"natural","app_version":"8.3.0","os":"ios","os_version":"iOS 17.5.1",
//	 "device_model":"iPhone 14","language":"zh_CN","region":"Guangdong","network":"wifi",
//	 "item_id":104718,"price":39.9,"latency_ms":87}
//
// The lines are about 340 bytes long and carry 11 fields on average; they come roughly in time
// order, one in a hundred up to an hour late.
package workload

import (
	"bufio"
	"io"
	"time"
)

// Options describe a workload; the zero value of each field means its default.
type Options struct {
	Seed   uint64    // 1
	Events int       // 1,000,000
	Users  int       // 200,000, active by Zipf's law
	Days   int       // 30, over which the events are spread
	Start  time.Time // midnight of 2025-06-01, UTC
	Items  int       // 100,000
	// IDs is the share of sessions whose events carry an insert id, 0 to 1.
	IDs float64
	// Late is the share of events that come up to an hour late; 0 is 0.01, negative is none.
	Late float64
}

// EnsureDefaults fills what is zero.
func (o *Options) EnsureDefaults() {
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Events == 0 {
		o.Events = 1_000_000
	}
	if o.Users == 0 {
		o.Users = 200_000
	}
	if o.Days == 0 {
		o.Days = 30
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.Items == 0 {
		o.Items = 100_000
	}
	if o.Late == 0 {
		o.Late = 0.01
	}
}

// Demo is the workload of the bundled sample: small, ten days, some events with insert ids.
func Demo() Options {
	return Options{Seed: 7, Events: 40_000, Users: 3_000, Days: 10, Items: 800, IDs: 0.03}
}

// Write writes the events of the options, a line each, and returns the number of bytes.
func Write(w io.Writer, opt Options) (int64, error) {
	opt.EnsureDefaults()
	buffered := bufio.NewWriterSize(w, 1<<20)
	g := New(opt)
	total := int64(0)
	var line []byte
	for range opt.Events {
		line = g.Next(line[:0])
		total += int64(len(line))
		if _, err := buffered.Write(line); err != nil {
			return total, err
		}
	}
	return total, buffered.Flush()
}
