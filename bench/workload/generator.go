package workload

import (
	"fmt"
	"strconv"
	"time"
)

// Generator makes one workload event by event.
type Generator struct {
	opt     Options
	rnd     random
	nodes   []node
	start   int64 // Unix milliseconds
	days    []float64
	hours   [24]float64 // how much of a day has passed before the hour
	per     float64     // sessions a day
	users   alias
	items   alias
	terms   alias
	models  alias
	places  alias
	sources alias

	queryTexts []string
	deviceList []device

	sessions []session
	free     []int32
	active   queue // sessions by the time of their next event
	late     queue // late lines by the time at which they come
	lines    [][]byte
	begun    int
	nextAt   int64 // when the next session begins
	orders   int
	ids      int

	second int64 // whose text is in stamp
	stamp  []byte
}

// node is a state with its parts ready to be written.
type node struct {
	head  []byte // ","event":"NAME","user":"
	page  []byte // ","page":"PAGE"
	with  extra
	leads [1 << 7]int16 // drawn by seven bits; -1 ends the session
}

type session struct {
	at     int64 // of its next event
	state  int16
	user   []byte
	tail   []byte // the fields that stay the same
	withID bool
	item   int
	query  int
	coupon int
	order  int
	cart   int // cents
}

// New returns a generator. It goes on for ever; Options.Events sets the pace.
func New(opt Options) *Generator {
	opt.EnsureDefaults()
	g := &Generator{
		opt: opt, rnd: random(mix(opt.Seed)), start: opt.Start.UnixMilli(),
		users: zipf(opt.Users, 40, 0.9), items: zipf(opt.Items, 30, 1.0),
		queryTexts: queries(), deviceList: devices(), second: -1 << 62,
	}
	g.terms = zipf(len(g.queryTexts), 3, 1.1)
	g.models = zipf(len(g.deviceList), 12, 1.1)
	g.places = zipf(len(regions), 4, 1.2)
	g.sources = zipf(len(channels), 1.5, 1.1)
	g.link()
	g.pace()
	g.nextAt = g.when(0)
	return g
}

// link turns the table of states into nodes.
func (g *Generator) link() {
	number := make(map[string]int16, len(states))
	for i := range states {
		number[states[i].name] = int16(i)
	}
	g.nodes = make([]node, len(states))
	for i := range states {
		s := &states[i]
		n := &g.nodes[i]
		n.head = []byte(`","event":"` + s.name + `","user":"`)
		n.page = []byte(`","page":"` + s.page + `"`)
		n.with = s.with
		slot, weight := 0, 0
		for _, lead := range s.leads {
			to, ok := number[lead.to]
			if !ok {
				panic("workload: " + s.name + " leads to an unknown event " + lead.to)
			}
			weight += lead.weight
			for ; slot < weight*len(n.leads)/1000; slot++ {
				n.leads[slot] = to
			}
		}
		for ; slot < len(n.leads); slot++ {
			n.leads[slot] = -1
		}
	}
}

// pace finds out how many sessions a day give the events wanted, and how they spread over days and hours.
func (g *Generator) pace() {
	rnd := random(42)
	const trials = 20_000
	steps := 0
	for range trials {
		for state := int16(0); state >= 0; state = g.nodes[state].leads[rnd.next()>>57] {
			steps++
		}
	}
	g.per = float64(g.opt.Events) * trials / float64(steps) / float64(g.opt.Days)
	weights := [24]float64{18, 10, 6, 4, 4, 6, 14, 28, 42, 50, 54, 56, 64, 58, 50, 48, 50, 54, 58, 66, 80, 86, 70, 40}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	before := 0.0
	for h, w := range weights {
		g.hours[h] = before
		before += w / sum
	}
	for d := range g.opt.Days {
		busy := 1.0
		if weekday := g.opt.Start.AddDate(0, 0, d).Weekday(); weekday == time.Saturday || weekday == time.Sunday {
			busy = 1.25
		}
		g.days = append(g.days, busy)
	}
	sum = 0
	for _, busy := range g.days {
		sum += busy
	}
	for d := range g.days {
		g.days[d] *= g.per * float64(g.opt.Days) / sum
	}
}

// when returns the time at which session number n begins, in Unix milliseconds.
func (g *Generator) when(n int) int64 {
	rest := float64(n)
	day := 0
	for day < len(g.days)-1 && rest >= g.days[day] {
		rest -= g.days[day]
		day++
	}
	part := rest / g.days[day]
	over := 0
	for ; part >= 1; part-- { // past the last day
		over++
	}
	hour := 23
	for g.hours[hour] > part {
		hour--
	}
	end := 1.0
	if hour < 23 {
		end = g.hours[hour+1]
	}
	inHour := (part - g.hours[hour]) / (end - g.hours[hour])
	return g.start + int64(day+over)*86400_000 + int64(hour)*3600_000 + int64(inHour*3600_000)
}

// begin starts the next session.
func (g *Generator) begin() {
	var i int32
	if n := len(g.free); n > 0 {
		i = g.free[n-1]
		g.free = g.free[:n-1]
	} else {
		i = int32(len(g.sessions))
		g.sessions = append(g.sessions, session{})
	}
	s := &g.sessions[i]
	user := g.users.draw(&g.rnd)
	*s = session{at: g.nextAt, user: appendUser(s.user[:0], user), tail: s.tail[:0], query: -1, item: -1, coupon: -1}
	s.withID = g.opt.IDs > 0 && g.rnd.float() < g.opt.IDs
	g.describe(s, user)
	g.active.push(entry{s.at, i})
	g.begun++
	g.nextAt = g.when(g.begun)
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"

// appendUser appends an id in the manner of mini-program open ids.
func appendUser(dst []byte, user int) []byte {
	dst = append(dst, "o6_"...)
	x := mix(uint64(user) + 0x5eed)
	for range 14 {
		dst = append(dst, digits[x&63])
		x = x>>6 | x<<58
	}
	return dst
}

// describe writes the fields that a session keeps: some belong to the user, some to the visit.
func (g *Generator) describe(s *session, user int) {
	own := random(mix(uint64(user) * 77))
	model := g.deviceList[g.models.draw(&own)]
	region := regions[g.places.draw(&own)]
	tongue := tongues[min(own.below(40)/34*(1+own.below(5)), 5)]
	systems := androids
	switch model.os {
	case "ios":
		systems = iphones
	case "harmony":
		systems = harmonies
	}
	system := systems[own.below(len(systems))]
	habit := own.below(len(scenes))
	day := int((s.at - g.start) / 86400_000)
	// A user updates some days after a version came out; one comes out every six days.
	version := min(max((day+18-own.below(14))/6, 0), len(versions)-1)
	scene := scenes[habit]
	if g.rnd.below(3) == 0 {
		scene = scenes[g.rnd.below(len(scenes))]
	}
	source := g.sources.draw(&g.rnd)
	network := networks[min(g.rnd.below(100)/55+g.rnd.below(100)/80*g.rnd.below(4), 4)]

	dst := append(s.tail, `,"scene":`...)
	dst = strconv.AppendInt(dst, int64(scene), 10)
	text := func(name, value string) {
		dst = append(append(append(dst, name...), value...), '"')
	}
	text(`,"channel":"`, channels[source])
	if source != 1 && g.rnd.below(10) < 4 {
		text(`,"campaign":"`, seasons[g.rnd.below(len(seasons))])
		dst = append(dst[:len(dst)-1], "_0"...)
		dst = append(dst, byte('1'+g.rnd.below(5)), '"')
	}
	text(`,"app_version":"`, versions[version])
	text(`,"os":"`, model.os)
	text(`,"os_version":"`, system)
	text(`,"device_model":"`, model.model)
	text(`,"language":"`, tongue)
	text(`,"region":"`, region)
	text(`,"network":"`, network)
	s.tail = dst
}

// Next appends the next event as a line of JSON.
func (g *Generator) Next(dst []byte) []byte {
	for {
		if len(g.late.entries) > 0 && (len(g.active.entries) == 0 || g.late.entries[0].at <= g.active.entries[0].at) && g.late.entries[0].at <= g.nextAt {
			i := g.late.pop().index
			dst = append(dst, g.lines[i]...)
			g.lines[i] = g.lines[i][:0]
			return dst
		}
		if len(g.active.entries) == 0 || g.active.entries[0].at > g.nextAt {
			g.begin()
			continue
		}
		from := len(dst)
		at := g.active.entries[0].at
		dst = g.step(dst)
		if g.opt.Late <= 0 || g.rnd.float() >= g.opt.Late {
			return dst
		}
		i := int32(0)
		for int(i) < len(g.lines) && len(g.lines[i]) > 0 {
			i++
		}
		if int(i) == len(g.lines) {
			g.lines = append(g.lines, nil)
		}
		g.lines[i] = append(g.lines[i], dst[from:]...)
		dst = dst[:from]
		g.late.push(entry{at + 1000 + int64(g.rnd.below(3_599_000)), i})
	}
}

// step writes the next event of the session that is due, and moves it on.
func (g *Generator) step(dst []byte) []byte {
	due := &g.active.entries[0]
	s := &g.sessions[due.index]
	n := &g.nodes[s.state]
	dst = g.write(dst, s, n)
	if s.state = n.leads[g.rnd.next()>>57]; s.state < 0 {
		g.free = append(g.free, due.index)
		g.active.pop()
		return dst
	}
	s.at += 300 + int64(g.rnd.exponential()*9000)
	due.at = s.at
	g.active.down(0)
	return dst
}

func (g *Generator) write(dst []byte, s *session, n *node) []byte {
	dst = append(dst, `{"time":"`...)
	dst = g.appendTime(dst, s.at)
	dst = append(dst, n.head...)
	dst = append(dst, s.user...)
	if s.withID {
		g.ids++
		dst = fmt.Appendf(dst, `","id":"e%d-%08x`, g.opt.Seed, g.ids)
	}
	dst = append(dst, n.page...)
	dst = append(dst, s.tail...)
	if n.with != 0 {
		dst = g.extras(dst, s, n.with)
	}
	return append(dst, '}', '\n')
}

func (g *Generator) extras(dst []byte, s *session, with extra) []byte {
	if with&query != 0 {
		if s.query < 0 || with&latency != 0 {
			s.query = g.terms.draw(&g.rnd)
		}
		dst = append(append(append(dst, `,"query":"`...), g.queryTexts[s.query]...), `","result_count":`...)
		dst = strconv.AppendInt(dst, int64(mix(uint64(s.query))%900), 10)
		s.item = -1
	}
	if with&item != 0 {
		if s.item < 0 || g.rnd.below(4) == 0 {
			s.item = g.items.draw(&g.rnd)
		}
		cents := price(s.item)
		dst = strconv.AppendInt(append(dst, `,"item_id":`...), int64(100_000+s.item), 10)
		dst = appendCents(append(dst, `,"price":`...), cents)
		if with&latency != 0 && g.rnd.below(3) == 0 {
			s.cart += cents * (1 + g.rnd.below(3))
		}
	}
	if with&coupon != 0 {
		if s.coupon < 0 {
			s.coupon = min(int(g.rnd.exponential()*60), 499)
		}
		dst = fmt.Appendf(dst, `,"coupon_id":"CP%04d"`, s.coupon)
	}
	if with&order != 0 {
		if s.order == 0 {
			g.orders++
			s.order = g.orders
		}
		dst = append(dst, `,"order_id":"`...)
		dst = strconv.AppendUint(dst, 1_000_000_000_000_000+mix(uint64(s.order)^g.opt.Seed<<40)%9_000_000_000_000_000, 10)
		dst = append(dst, '"')
	}
	if with&amount != 0 {
		if s.cart == 0 {
			s.cart = 990 + g.rnd.below(20_000)
		}
		dst = appendCents(append(dst, `,"amount":`...), s.cart)
	}
	if with&latency != 0 {
		x := g.rnd.exponential()
		dst = strconv.AppendInt(append(dst, `,"latency_ms":`...), 15+int64(60*x*(1+x)), 10)
	}
	if with&failed != 0 {
		dst = append(append(append(dst, `,"error_code":"`...), errors[g.rnd.below(len(errors))]...), '"')
	}
	return dst
}

// price is the price of an item in cents.
func price(item int) int {
	x := mix(uint64(item) + 99)
	return []int{990, 1990, 2990, 3990, 4990, 5900, 7990, 9900, 12900, 15900, 19900, 29900, 39900, 69900, 129900}[x%15] + int(x>>32%10)*10
}

// appendCents appends an amount in yuan with one or two decimals.
func appendCents(dst []byte, cents int) []byte {
	dst = strconv.AppendInt(dst, int64(cents/100), 10)
	dst = append(dst, '.', byte('0'+cents/10%10))
	if cents%10 != 0 {
		dst = append(dst, byte('0'+cents%10))
	}
	return dst
}

func (g *Generator) appendTime(dst []byte, millis int64) []byte {
	if second := millis / 1000; second != g.second {
		g.second = second
		g.stamp = time.Unix(second, 0).UTC().AppendFormat(g.stamp[:0], "2006-01-02T15:04:05.")
	}
	part := millis % 1000
	return append(append(dst, g.stamp...), byte('0'+part/100), byte('0'+part/10%10), byte('0'+part%10), 'Z')
}

// queue is a heap of things by time, those of one time in the order of their index.
type queue struct{ entries []entry }

type entry struct {
	at    int64
	index int32
}

func (e entry) before(other entry) bool {
	return e.at < other.at || e.at == other.at && e.index < other.index
}

func (q *queue) push(e entry) {
	q.entries = append(q.entries, e)
	i := len(q.entries) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !q.entries[i].before(q.entries[parent]) {
			return
		}
		q.entries[i], q.entries[parent] = q.entries[parent], q.entries[i]
		i = parent
	}
}

func (q *queue) pop() entry {
	first := q.entries[0]
	last := len(q.entries) - 1
	q.entries[0] = q.entries[last]
	q.entries = q.entries[:last]
	q.down(0)
	return first
}

func (q *queue) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q.entries) {
			return
		}
		if child+1 < len(q.entries) && q.entries[child+1].before(q.entries[child]) {
			child++
		}
		if !q.entries[child].before(q.entries[i]) {
			return
		}
		q.entries[i], q.entries[child] = q.entries[child], q.entries[i]
		i = child
	}
}
