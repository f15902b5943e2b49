package load

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"cairn/bench/workload"
)

// request is one POST /v1/events. It is sent many times, each time with its events later in the day.
type request struct {
	head   []byte // all but what ends it
	body   []byte
	times  []clock
	events int
}

// clock is where the body has the time of day of an event, as 15:04:05.000.
type clock struct{ at, millis int32 }

const (
	clockPrefix = `{"time":"2006-01-02T` // of every line
	dayMillis   = 24 * 60 * 60 * 1000
	// lapMillis is how much later events are whenever all requests have been sent. The same user at the same time
	// again and again would be no load that exists; this way a user comes back some minutes later, and it takes
	// over a hundred laps until he is near a time that he was there before.
	lapMillis = 667_013
)

// supply hands out requests, again and again.
type supply struct {
	requests []request
	taken    atomic.Int64
}

// makeSupply makes requests with so many events a body, of about so many different events.
func makeSupply(events, size int) *supply {
	events = max(events, size)
	g := workload.New(workload.Options{Events: events, Days: 1, Start: liveDay})
	s := &supply{}
	for range events / size {
		s.requests = append(s.requests, makeRequest(g, size))
	}
	return s
}

// next writes the next request into buffer, with insert ids or without, and returns how many events it has.
func (s *supply) next(buffer []byte, ids bool) (wire []byte, events int) {
	n, size := s.taken.Add(1)-1, int64(len(s.requests))
	r := &s.requests[n%size]
	id := int64(0)
	if ids {
		id = batchID.Add(1)
	}
	return r.write(buffer, n/size, id), r.events
}

func makeRequest(g *workload.Generator, size int) request {
	r := request{events: size}
	for range size {
		at := len(r.body) + len(clockPrefix)
		r.body = g.Next(r.body)
		r.times = append(r.times, clock{int32(at), readClock(r.body[at:])})
	}
	r.head = fmt.Appendf(nil, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n", len(r.body))
	return r
}

// readClock reads 15:04:05.000.
func readClock(text []byte) int32 {
	two := func(i int) int32 { return int32(text[i]-'0')*10 + int32(text[i+1]-'0') }
	return ((two(0)*60+two(3))*60+two(6))*1000 + two(9)*10 + int32(text[11]-'0')
}

// writeClock writes what readClock reads.
func writeClock(text []byte, millis int32) {
	two := func(i int, v int32) { text[i], text[i+1] = byte('0'+v/10), byte('0'+v%10) }
	seconds := millis / 1000
	two(0, seconds/3600)
	two(3, seconds/60%60)
	two(6, seconds%60)
	two(9, millis%1000/10)
	text[11] = byte('0' + millis%10)
}

// write writes the request as it goes over the wire into buffer. id gives its events insert ids; 0 gives none.
func (r *request) write(buffer []byte, lap, id int64) []byte {
	buffer = append(buffer[:0], r.head...)
	if id > 0 {
		buffer = strconv.AppendInt(append(buffer, "Cairn-Batch-Id: "...), id, 10)
		buffer = append(buffer, "\r\n"...)
	}
	buffer = append(buffer, "\r\n"...)
	body := len(buffer)
	buffer = append(buffer, r.body...)
	if lap == 0 {
		return buffer
	}
	later := lap * lapMillis % dayMillis
	for _, c := range r.times {
		writeClock(buffer[body+int(c.at):], (c.millis+int32(later))%dayMillis)
	}
	return buffer
}

// batchID gives every request of this process another number.
var batchID atomic.Int64

// drive sends requests on all connections for so many seconds: rate a second by the clock or, if rate
// is 0, as fast as answers come. It ends with an error if an answer is not what it should be, or ctx ends; the phase
// then tells of what was before.
func (o *Options) drive(ctx context.Context, p *process, requests *supply, rate, seconds float64) (Phase, error) {
	return o.driveBy(ctx, (*driver).send, p, requests, rate, seconds)
}

// driveBy is drive with a way to send.
func (o *Options) driveBy(ctx context.Context, send sending, p *process, requests *supply, rate, seconds float64) (Phase, error) {
	conns := make([]net.Conn, o.Connections)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close() // or it is closed already
			}
		}
	}()
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("tcp", p.address); err != nil {
			return Phase{}, err
		}
	}
	d := &driver{requests: requests, rate: rate, ids: o.IDs, total: math.MaxInt64, patience: o.answerPatience}
	server, own := p.usage(), ownUsage()
	d.start = time.Now()
	d.end = d.start.Add(time.Duration(seconds * float64(time.Second)))
	if rate > 0 {
		d.total = int64(rate * seconds)
		// What cannot be held is not waited for.
		d.end = d.start.Add(time.Duration(1.5 * seconds * float64(time.Second)))
	}
	t, err := send(d, ctx, conns)
	if t == nil {
		return Phase{}, err
	}
	phase := Phase{Rate: rate, Seconds: time.Since(d.start).Seconds(), Requests: t.sent, Events: t.events, Shed: t.shed}
	used, ownUsed := p.usage().since(server), ownUsage().since(own)
	phase.ServerCPU, phase.ClientCPU, phase.DiskBytes = used.cpu.Seconds(), ownUsed.cpu.Seconds(), used.disk
	at := func(q float64) float64 { return float64(t.latency.ValueAtQuantile(q)) / 1e6 }
	phase.P50, phase.P99, phase.P999, phase.Max = at(50), at(99), at(99.9), float64(t.latency.Max())/1e6
	phase.Held = rate > 0 && phase.Shed == 0 && int64(phase.Requests) == d.total && phase.Seconds <= seconds+max(0.02*seconds, 0.1)
	return phase, cmp.Or(err, ctx.Err())
}

// driver says what is sent when.
type driver struct {
	requests *supply
	rate     float64 // 0: when the answer to the last has come
	ids      bool
	total    int64 // requests
	start    time.Time
	end      time.Time     // nothing is sent from then on
	patience time.Duration // for how long answers are waited for when the load has been called off
	next     atomic.Int64
}

// sending sends a driver's requests on connections, each of which has one on its way at a time. It has taken the
// answers to all that it has sent when it returns without error.
type sending func(d *driver, ctx context.Context, conns []net.Conn) (*tally, error)

// take returns when the next request is due; ok is false if there are no more.
func (d *driver) take(now time.Time) (due time.Time, ok bool) {
	n := d.next.Add(1) - 1
	if d.rate == 0 {
		return now, now.Before(d.end)
	}
	return d.start.Add(time.Duration(float64(n) / d.rate * float64(time.Second))), n < d.total && now.Before(d.end)
}

// tally is what became of requests.
type tally struct {
	latency            *hdrhistogram.Histogram // in µs
	sent, events, shed int
}

const (
	latencyMax    = time.Minute // longer ones count as this long
	latencyDigits = 3
)

func newTally() *tally {
	return &tally{latency: hdrhistogram.New(1, latencyMax.Microseconds(), latencyDigits)}
}

// add counts the answer to a request of so many events.
func (t *tally) add(a answer, events int, latency time.Duration) error {
	if err := t.latency.RecordValue(min(latency, latencyMax).Microseconds()); err != nil {
		return err
	}
	t.sent++
	shed, err := a.stored(events)
	switch {
	case err != nil:
		return err
	case shed:
		t.shed++
	default:
		t.events += events
	}
	return nil
}

// merge adds what another has counted.
func (t *tally) merge(other *tally) {
	t.latency.Merge(other.latency)
	t.sent, t.events, t.shed = t.sent+other.sent, t.events+other.events, t.shed+other.shed
}

// sendByGoroutines has a goroutine for every connection. It runs everywhere.
func (d *driver) sendByGoroutines(ctx context.Context, conns []net.Conn) (*tally, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	tallies := make([]*tally, len(conns))
	var wait sync.WaitGroup
	for i, conn := range conns {
		tallies[i] = newTally()
		defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now().Add(d.patience)) })()
		wait.Go(func() {
			if err := d.converse(ctx, &client{conn: conn}, tallies[i]); err != nil {
				stop(err)
			}
		})
	}
	wait.Wait()
	for _, t := range tallies[1:] {
		tallies[0].merge(t)
	}
	return tallies[0], context.Cause(ctx)
}

// converse sends what is due on one connection.
func (d *driver) converse(ctx context.Context, c *client, t *tally) error {
	var buffer []byte
	for ctx.Err() == nil {
		due, ok := d.take(time.Now())
		if !ok {
			return nil
		}
		if wait := time.Until(due); wait > 0 && sleep(ctx, wait) != nil || !time.Now().Before(d.end) {
			return nil
		}
		wire, events := d.requests.next(buffer, d.ids)
		buffer = wire
		a, err := c.send(wire)
		if err != nil {
			return err
		}
		if err := t.add(a, events, time.Since(due)); err != nil {
			return err
		}
	}
	return nil
}
