package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"cairn/bench/workload"
)

// The history that queries read, and the day after it, whose events come in meanwhile.
const historyDays = 30

var (
	historyDay = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	liveDay    = historyDay.AddDate(0, 0, historyDays)
)

// questions are asked beside ingestion: all but the last read the events that are coming in too.
var questions = []struct{ name, text string }{
	{"count by day", "* | stats count() by bin(1d)"},
	{"one event with two filters by day", `view_item{os = "ios", region = "Guangdong"} | stats count() by bin(1d)`},
	{"unique users of one event by channel", "pay_success | stats users() by channel"},
	{"count by event and region", "* | stats count() by event, region"},
	{"ordered funnel of 4 steps", "* | funnel app_open -> search -> view_item -> pay_success within 1d"},
	{"the funnel over one week of the past", "* from 2025-06-08 to 2025-06-15 | funnel app_open -> search -> view_item -> pay_success within 1d"},
}

// queryRates returns at which rates of requests queries are asked beside ingestion: half of what the target asks or,
// if that is less, of what was held, and then half of what was held.
func queryRates(size int, half float64) []float64 {
	if target := eventsTarget / 2 / float64(size); target < half {
		return []float64{target, half}
	}
	return []float64{half}
}

// queries measures questions on a history while nothing else happens, before and after, and while events come in at
// some rates of requests a second.
func (o *Options) queries(ctx context.Context, size int, rates []float64) (reports []QueryReport, err error) {
	p, err := o.start(ctx, "history")
	if err != nil {
		return nil, err
	}
	dir := p.dir
	defer func() {
		if p != nil {
			err = errors.Join(err, p.stop())
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	o.Progress("sending %d events of history", o.History)
	if err := o.sendHistory(ctx, p); err != nil {
		return nil, err
	}
	stopped := p.stop()
	p = nil
	if stopped != nil {
		return nil, stopped
	}
	command := o.Server(dir+"/data", "queries", true)
	if p, err = launch(ctx, command); err != nil {
		return nil, err
	}
	p.dir = dir
	requests := makeSupply(o.Events, size)
	// Some of the day is there already, and both measurements find the same state: warm.
	if _, err := o.drive(ctx, p, requests, rates[0], o.Seconds/2); err != nil {
		return nil, err
	}
	o.Progress("queries, idle")
	idle, err := o.ask(ctx, p)
	if err != nil {
		return nil, err
	}
	busy := make([]besides, len(rates))
	for i, rate := range rates {
		o.Progress("queries beside %.0f events/s", rate*float64(size))
		if busy[i], err = o.beside(ctx, p, requests, rate); err != nil {
			return nil, err
		}
	}
	// The events that have come in meanwhile make queries slower too, which is not what is asked.
	o.Progress("queries, idle again")
	if err := sleep(ctx, time.Second); err != nil {
		return nil, err
	}
	after, err := o.ask(ctx, p)
	if err != nil {
		return nil, err
	}
	mean := func(i int, q float64) float64 { return (quantile(idle[i], q) + quantile(after[i], q)) / 2 }
	for k, b := range busy {
		for i, q := range questions {
			reports = append(reports, QueryReport{
				Name: q.name, Text: q.text, Asked: rates[k] * float64(size), Rate: perSecond(b.load.Events, b.load),
				IdleP50: mean(i, 0.5), IdleP95: mean(i, 0.95),
				BusyP50: quantile(b.times[i], 0.5), BusyP95: quantile(b.times[i], 0.95),
			})
		}
	}
	return reports, nil
}

// besides are the times of questions beside a load.
type besides struct {
	times [][]time.Duration
	load  Phase
}

// beside asks all questions while events come in at rate requests a second.
func (o *Options) beside(ctx context.Context, p *process, requests *supply, rate float64) (b besides, err error) {
	loading, stop := context.WithCancel(ctx)
	defer stop()
	loaded := make(chan error, 1)
	go func() {
		var err error
		b.load, err = o.drive(loading, p, requests, rate, 1e6)
		loaded <- err
	}()
	if err = sleep(ctx, 200*time.Millisecond); err == nil {
		b.times, err = o.ask(ctx, p)
	}
	stop()
	if loadErr := <-loaded; !errors.Is(loadErr, context.Canceled) {
		err = errors.Join(err, loadErr)
	}
	return b, err
}

// sendHistory sends the events of the past on some connections.
func (o *Options) sendHistory(ctx context.Context, p *process) error {
	const size, senders = 5000, 4
	g := workload.New(workload.Options{Events: o.History, Days: historyDays, Start: historyDay})
	requests := make(chan request)
	failed := make(chan error, senders)
	var wait sync.WaitGroup
	for range senders {
		c, err := dial(p.address)
		if err != nil {
			return err
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			defer c.conn.Close()
			var buffer []byte
			for r := range requests {
				buffer = r.write(buffer, 0, 0)
				a, err := c.send(buffer)
				if err == nil {
					var shed bool
					if shed, err = a.stored(r.events); shed {
						err = errors.New("the history was refused")
					}
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	var err error
	for left := o.History; left > 0 && err == nil; left -= size {
		select {
		case requests <- makeRequest(g, min(size, left)):
		case err = <-failed:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	close(requests)
	wait.Wait()
	select {
	case last := <-failed:
		err = errors.Join(err, last)
	default:
	}
	return err
}

// ask asks all questions in turn, again and again, and returns their times in ascending order.
func (o *Options) ask(ctx context.Context, p *process) ([][]time.Duration, error) {
	c, err := dial(p.address)
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	times := make([][]time.Duration, len(questions))
	for start, warm := time.Now(), false; time.Since(start).Seconds() < 2*o.Seconds || len(times[0]) < 3; warm = true {
		for i, q := range questions {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			begin := time.Now()
			if _, err := c.query(q.text); err != nil {
				return nil, fmt.Errorf("%s: %w", q.name, err)
			}
			if warm {
				times[i] = append(times[i], time.Since(begin))
			}
		}
	}
	for _, t := range times {
		slices.Sort(t)
	}
	return times, nil
}

func quantile(sorted []time.Duration, q float64) float64 {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Seconds()
}
