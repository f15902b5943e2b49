package querytest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query/reference"
	"cairn/query/syntax"
)

// Kind is a behavioural stage that RandomBehaviour may draw.
type Kind uint8

// The behavioural stages. Session and Gap also stand before others, when they are among the kinds.
const (
	Funnel Kind = iota
	Match
	Retention
	Lifecycle
	Stickiness
	Paths
	Session
	Gap
	kinds
)

// RandomJourneys draws a small set of events like RandomEvents, but with fewer values, and often with
// fewer users, closer together or at the same instants.
func RandomJourneys(t *rapid.T) []event.Event {
	values := map[string][]event.Value{}
	for _, name := range randomFields {
		for range 1 + uniform(t, 4) {
			values[name] = append(values[name], pickFrom(t, randomValues[name]))
		}
	}
	users := pickFrom(t, [][]string{{"u1"}, {"u1", "u2", "u1", "u2", ""}, {"u1", "u2", "u3", "u4", ""}})
	start := randomStart + int64(uniform(t, 4*24))*int64(time.Hour)
	at := pickFrom(t, []func(*rapid.T) int64{
		func(t *rapid.T) int64 { return randomStart + int64(uniform(t, 5*24))*int64(time.Hour) },
		func(t *rapid.T) int64 { return start + int64(uniform(t, 36))*int64(10*time.Minute) },
		func(t *rapid.T) int64 { return start + int64(uniform(t, 12))*int64(time.Hour) },
		func(t *rapid.T) int64 { return randomStart + int64(uniform(t, 10))*int64(12*time.Hour) },
		func(t *rapid.T) int64 { return start + int64(uniform(t, 4))*int64(40*time.Minute) },
	})
	off := uniform(t, 2) == 0
	n := (5 + uniform(t, 9)) * (1 + len(users)/2) // not too many for one user at few instants
	if uniform(t, 5) == 0 {
		n = uniform(t, n)
	}
	events := make([]event.Event, n)
	for i := range events {
		events[i] = rapid.Custom(func(t *rapid.T) event.Event {
			nanos := at(t)
			if off && uniform(t, 4) == 0 {
				nanos += pickFrom(t, []int64{1, 999_999_999, 30 * 60e9, -1})
			}
			return eventAt(t, nanos, users, values)
		}).Draw(t, "event")
	}
	return events
}

// RandomBehaviour draws the text of a valid query with a behavioural stage of one of the kinds, of any
// when none is named, for RandomJourneys or RandomEvents and RandomEnv.
func RandomBehaviour(t *rapid.T, kinds ...Kind) string {
	b := &behaviours{generator: &generator{t: t}, kinds: kinds}
	if len(kinds) == 0 {
		b.kinds = AllKinds()
	}
	return b.query()
}

// RandomStage draws a behavioural stage of a kind, without a view behind it, for the events of RandomJourneys
// as they are. Its conditions and keys are simple: they look at x, y, s, user and the time of day.
func RandomStage(t *rapid.T, kind Kind) string {
	b := &behaviours{generator: &generator{t: t, columns: []string{"x", "y", "s", "user", "time"}}, kinds: []Kind{kind}, simple: true}
	return b.stage()
}

// RandomBehaviourEnv draws what a query depends on beside its text: RandomEnv, at times with a range from outside.
func RandomBehaviourEnv(t *rapid.T) reference.Env {
	env := RandomEnv()
	if uniform(t, 4) == 0 {
		at := func() int64 { return randomStart + int64(uniform(t, 20))*int64(6*time.Hour) }
		env.Range.From = at()
		env.Range.To = env.Range.From + 1 + at() - randomStart
	}
	return env
}

// AllKinds returns every Kind.
func AllKinds() []Kind {
	var list []Kind
	for k := range kinds {
		list = append(list, k)
	}
	return list
}

// behaviours draws texts with behavioural stages.
type behaviours struct {
	*generator
	kinds   []Kind
	members []string // columns of users right behind the stage drawn last, or nil where it is not allowed
	simple  bool     // see RandomStage
}

func (b *behaviours) query() string {
	var text strings.Builder
	if b.chance(6) {
		text.WriteString(b.pick("set tz = \"Asia/Kathmandu\"; ", "set tz = \"Europe/Berlin\"; ", "set week = sun; ", "set actor = s; ", "set actor = y, tz = \"America/New_York\"; ", "set identity = raw; "))
	}
	if b.chance(4) {
		fmt.Fprintf(&text, "let v = %s; ", b.named())
		b.lets = true
	}
	text.WriteString(b.pipeline())
	for range uniform(b.t, 5) / 3 {
		text.WriteString(" | " + b.behind())
	}
	return text.String()
}

// pipeline draws a source, stages that leave events, and a behavioural stage with its view.
func (b *behaviours) pipeline() string {
	b.columns = append([]string{"x", "y", "s", "l", "nope", "time", "event", "user", "id", "fields.x"}, randomColumns[:uniform(b.t, len(randomColumns)+1)]...)
	b.events, b.open = true, true
	text := "*"
	if b.chance(6) {
		text = b.selector()
	}
	if b.chance(3) {
		text += b.timeRange()
	}
	if b.chance(2) {
		for range 1 + uniform(b.t, 3)/2 {
			text += " | " + b.before()
		}
	}
	return text + " | " + b.stage()
}

// named draws a pipeline whose rows have users.
func (b *behaviours) named() string {
	if b.chance(2) {
		return b.selector() + b.timeRange() + " | users"
	}
	text := b.pipeline()
	switch {
	case b.events, b.members != nil:
		return text + " | users"
	case b.has("user"):
		return text
	}
	return "* | users"
}

func (b *behaviours) may(k Kind) bool { return slices.Contains(b.kinds, k) }

// before draws a stage that leaves events.
func (b *behaviours) before() string {
	stages := []func() string{
		b.where, b.most, b.most, b.extend, b.extend, b.project, b.rename, b.drop, b.sort, b.limit, b.madeUser, b.running,
	}
	if b.may(Session) {
		stages = append(stages, b.session, b.session, b.session)
	}
	if b.may(Gap) {
		stages = append(stages, b.gap)
	}
	return pickFrom(b.t, stages)()
}

// behind draws a stage on whatever rows there are.
func (b *behaviours) behind() string {
	stages := []func() string{b.where, b.where, b.extend, b.project, b.sort, b.limit, b.top, b.stats, b.stats, b.facets}
	if b.plainCount() > 1 {
		stages = append(stages, b.rename, b.drop, b.running)
	}
	if !b.events && b.members == nil && b.has("user") {
		stages = append(stages, b.users)
	}
	if b.events {
		stages = append(stages, func() string { return "events" })
	}
	b.members = nil
	return pickFrom(b.t, stages)()
}

// most draws a filter that lets most events through.
func (b *behaviours) most() string {
	if !b.has("y") || !b.has("event") {
		return b.where()
	}
	return "where " + b.pick("y != 2", "y >= 0", "not (y = 1)", "event != \"c\"", "exists(event)")
}

// madeUser draws a stage that makes a column user.
func (b *behaviours) madeUser() string {
	e := b.leaf()
	if b.has("user") && b.chance(2) {
		e = fmt.Sprintf("if(%s, user, %s)", b.condition(1), e)
	}
	if !b.has("user") {
		b.columns = append(b.columns, "user")
	}
	return "extend user = " + e
}

// stage draws a behavioural stage, with its view.
func (b *behaviours) stage() string {
	return map[Kind]func() string{
		Funnel: b.funnel, Match: b.match, Retention: b.retention, Lifecycle: b.lifecycle, Stickiness: b.stickiness,
		Paths: b.paths, Session: b.session, Gap: b.gap,
	}[pickFrom(b.t, b.kinds)]()
}

// result begins the rows of a stage; members are what users right behind it has, if it may stand there.
func (b *behaviours) result(members []string, columns ...[]string) {
	b.reset(slices.Concat(columns...))
	b.members = members
}

// term draws a selector of one event as it stands in a stage.
func (b *behaviours) term() string {
	name := b.pick("a", "a", "a", "b", "b", "b", "c", "c", "*")
	if !b.chance(5) {
		return name
	}
	if b.chance(3) {
		name = ""
	}
	return name + "{" + b.test() + "}"
}

// test draws a short condition on the row.
func (b *behaviours) test() string {
	if b.has("y") && (b.simple || b.chance(2)) {
		return b.pick("y > 0", "y <= 1", "y != 2")
	}
	return b.condition(1)
}

// oneSelector draws what stands for one event where several need parentheses.
func (b *behaviours) oneSelector() string {
	if b.chance(6) {
		return "(" + b.term() + " or " + b.term() + ")"
	}
	return b.term()
}

// optionSelector draws what stands where several events need no parentheses.
func (b *behaviours) optionSelector() string {
	if b.chance(5) {
		return b.term() + " or " + b.term()
	}
	return b.term()
}

func (b *behaviours) span() string {
	return b.pick("20m", "30m", "1h", "1h", "2h", "2h", "3h", "3h", "6h", "6h", "1d", "1d", "36h", "3d", "90000d")
}

// patternSteps is what a drawn pattern is made of.
type patternSteps struct {
	text   string
	n      int      // steps
	goal   int      // the number, from 1, of the last that is required
	names  []string // of steps that are named
	counts []string // of those that have a quantifier
}

func (b *behaviours) pattern() patternSteps {
	p := patternSteps{n: 1 + uniform(b.t, 4), goal: 1}
	optional := map[int]bool{}
	for i := 1; i <= p.n; i++ {
		if i > 1 {
			p.text += " " + b.arrow() + " "
		}
		if b.chance(8) {
			p.text += b.group()
			p.goal = i
			continue
		}
		first := ""
		if b.chance(15) {
			first = b.pick("first ", "first ever ")
		}
		p.text += first + b.oneSelector()
		quantifier := ""
		if b.chance(4) {
			quantifier = b.pick("?", "?", "?", "{0,2}", "+", "+", "{2}", "{2,}", "{1,2}", "{2,3}")
			if optional[i] = quantifier == "?" || quantifier == "{0,2}"; optional[i] && i == 1 {
				optional[i], quantifier = false, "+"
			}
		}
		p.text += quantifier
		if !optional[i] {
			p.goal = i
		}
		if b.chance(3) {
			name := fmt.Sprintf("m%d", i)
			p.text += " as " + name
			p.names = append(p.names, name)
			if quantifier != "" {
				p.counts = append(p.counts, name)
			}
		}
	}
	return p
}

func (b *behaviours) group() string {
	members := []string{b.oneSelector(), b.oneSelector()}
	if b.chance(4) {
		members = append(members, b.oneSelector())
	}
	return "(" + strings.Join(members, " & ") + ")"
}

func (b *behaviours) arrow() string {
	arrow := b.pick("->", "->", "->", "=>")
	if !b.chance(5) {
		return arrow
	}
	return arrow + b.pick("[1h]", "[2h]", "[1d]", "[<= 30m]", "[< 3h]", "[> 1h]", "[> 0s]", "[>= 1h]", "[>= 30m and < 6h]", "[> 0s and <= 1d]")
}

// groupKeys draws a breakdown, and returns the names of its columns.
func (b *behaviours) groupKeys() (text string, names []string) {
	var keys []string
	for range 1 + uniform(b.t, 3)/2 {
		key, name := b.breakdownKey(), b.name()
		keys, names = append(keys, key+" as "+name), append(names, name)
	}
	return "by " + strings.Join(keys, ", "), names
}

func (b *behaviours) breakdownKey() string {
	if !b.simple && b.chance(4) {
		return b.key()
	}
	var list []string
	if !b.simple {
		list = append(list, b.column())
	}
	for _, c := range []string{"x", "s", "y", "user"} {
		if b.has(c) {
			list = append(list, c)
		}
	}
	if b.has("time") {
		list = append(list, "hour()", "bin(6h)")
	}
	return b.pick(list...)
}

// summand draws what can be added up.
func (b *behaviours) summand() string {
	if b.simple {
		return "y"
	}
	return b.leaf()
}

// shuffled joins the options that are not empty, in any order.
func (b *behaviours) shuffled(options []string) string {
	text := ""
	for len(options) > 0 {
		i := uniform(b.t, len(options))
		if options[i] != "" {
			text += " " + options[i]
		}
		options = slices.Delete(options, i, i+1)
	}
	return text
}

// option draws a text or nothing.
func (b *behaviours) option(n int, text func() string) string {
	if b.chance(n) {
		return text()
	}
	return ""
}

func (b *behaviours) funnel() string {
	p := b.pattern()
	var keys, sums []string
	options := []string{
		b.option(2, func() string { return "within " + b.span() }),
		b.option(5, func() string {
			return b.pick("hold ", "hold ", "hold "+b.breakdownKey()+", ") + b.breakdownKey()
		}),
		b.option(3, func() string { return b.pick("count users", "count totals", "count totals", "count sessions") }),
		b.option(4, func() string { return b.pick("entry latest", "entry latest", "entry first") }),
		b.option(6, func() string { return "increasing" }),
		b.option(6, func() string { return "open" }),
		b.option(5, func() string {
			sums = []string{b.name()}
			return "sum(" + b.summand() + ") as " + sums[0]
		}),
	}
	if p.n > 1 {
		for range 2 {
			options = append(options, b.option(5, func() string { return b.except(p.n) }))
		}
	}
	if b.chance(3) {
		var text string
		text, keys = b.groupKeys()
		options = append(options, text,
			b.option(2, func() string {
				return b.pick("at first", "at last", "at all", fmt.Sprintf("at step %d", 1+uniform(b.t, p.n)))
			}),
			b.option(3, func() string { return fmt.Sprintf("top %d", 1+uniform(b.t, 3)) }))
	}
	text := "funnel " + p.text + b.shuffled(options)
	b.result(slices.Concat([]string{"user", "time", "step"}, keys), keys, syntax.FunnelColumns[:], sums)
	if !b.simple && b.chance(2) {
		text += " | " + b.view(p, keys)
	}
	return text
}

func (b *behaviours) except(steps int) string {
	text := "except " + b.optionSelector()
	if b.chance(2) {
		from := 1 + uniform(b.t, steps-1)
		text += fmt.Sprintf(" between %d and %d", from, from+1+uniform(b.t, steps-from))
	}
	if b.chance(3) {
		text += " remove"
	}
	return text
}

// view draws a stage that stands right behind a funnel.
func (b *behaviours) view(p patternSteps, keys []string) string {
	n := 1 + uniform(b.t, p.n)
	users := func(text string) string {
		b.result([]string{"user", "time"}, keys, []string{"user", "time"})
		return text
	}
	switch uniform(b.t, 8) {
	case 0:
		b.result(nil, keys, syntax.TrendColumns[:])
		return "trend " + b.pick("6h", "1d", "1d", "1h", "2d", "1w")
	case 1:
		return users(b.pick("converted", fmt.Sprintf("converted %d", n)))
	case 2:
		return users(b.pick("dropped", fmt.Sprintf("dropped after %d", n)))
	case 3:
		return users("pending")
	case 4:
		b.reset(b.members)
		b.members = nil
		return "users"
	}
	if p.n == 1 {
		return users("converted")
	}
	text := "times"
	if p.goal == 1 || b.chance(2) {
		from := 1 + uniform(b.t, p.n-1)
		text += fmt.Sprintf(" %d to %d", from, from+1+uniform(b.t, p.n-from))
	}
	columns := syntax.TimesColumns[:]
	if b.chance(3) {
		columns = append(slices.Clone(columns), "hist")
		text += " hist " + b.pick("0s, 1h, 6h, 1d", "1h", "0s, 30m, 2h")
	}
	b.result(nil, keys, columns)
	return text
}

func (b *behaviours) match() string {
	p := b.pattern()
	keys, members := []string{"user"}, []string{"user"}
	options := []string{
		b.option(2, func() string { return "within " + b.span() }),
		b.option(3, func() string { return b.pick("skip next", "skip next", "skip past") }),
		b.option(4, func() string {
			members = nil
			var text string
			text, keys = b.groupKeys()
			return text
		}),
	}
	text := "match " + p.text + b.shuffled(options)
	columns := slices.Concat(keys, syntax.MatchColumns[:])
	for _, name := range p.names {
		columns = append(columns, name+".time", name+".event", name+".x", name+".s", name+".last.x", name+".last.time", name+".count")
	}
	b.result(members, columns)
	return text
}

func (b *behaviours) period() string {
	return b.pick("6h", "12h", "1d", "1d", "1d", "2d", "1w", "1mo")
}

func (b *behaviours) retention() string {
	var keys []string
	every := b.period()
	periods := []string{"0", "1", "2", "3", "4", "5", "6", "7"}
	length := ""
	switch uniform(b.t, 3) {
	case 0:
		n := 1 + uniform(b.t, 4)
		length, periods = fmt.Sprintf("for %d", n), periods[:n+1]
	case 1:
		length = b.pick("brackets 0, 1, 3, 5", "brackets 1, 2", "brackets 0, 2, 4", "brackets 3")
		periods = strings.Split(strings.TrimPrefix(length, "brackets "), ", ")
	}
	options := []string{
		length,
		b.option(2, func() string { return b.pick("on", "on or after", "on or before", "streak") }),
		b.option(4, func() string { return "min 2" }),
		b.option(4, func() string { return b.pick("sum(", "avg(") + b.summand() + ")" }),
		b.option(3, func() string {
			var text string
			text, keys = b.groupKeys()
			return text
		}),
	}
	if every != "1mo" && b.chance(3) {
		options = append(options, "rolling")
	}
	if every != "1d" || b.chance(2) {
		options = append(options, "every "+every)
	}
	columns := []string{"cohort", "size"}
	for _, p := range periods {
		columns = append(columns, "p"+p)
	}
	text := "retention " + b.pick("", "", "first ") + b.oneSelector() + " -> " + b.oneSelector() + b.shuffled(options)
	b.result(slices.Concat([]string{"user"}, keys, []string{"cohort", "period"}), keys, columns)
	return text
}

func (b *behaviours) lifecycle() string {
	text := "lifecycle " + b.optionSelector() + b.pick("", " every "+b.period())
	b.result([]string{"user", "time", "state"}, syntax.LifecycleColumns[:])
	return text
}

func (b *behaviours) stickiness() string {
	options := []string{
		b.option(2, func() string { return "every " + b.period() }),
		b.option(3, func() string { return "min 2" }),
		b.option(2, func() string { return "at least" }),
	}
	text := "stickiness " + b.optionSelector() + b.shuffled(options)
	b.result([]string{"user", "periods"}, syntax.StickinessColumns[:])
	return text
}

func (b *behaviours) paths() string {
	var keys []string
	view := pickFrom(b.t, []syntax.PathView{
		syntax.PathEdges, syntax.PathEdges, syntax.PathEdges, syntax.PathShortest, syntax.PathLoops, syntax.PathDeadEnds,
	})
	selector := func(word string, n int) string {
		if view == syntax.PathShortest {
			n = 1
		}
		return b.option(n, func() string { return word + " " + b.optionSelector() })
	}
	options := []string{
		selector("from", 3), selector("to", 3),
		b.option(3, func() string { return "of " + b.breakdownKey() }),
		b.option(3, func() string {
			var text string
			text, keys = b.groupKeys()
			return text
		}),
		b.option(2, func() string { return b.pick("gap ", "gap ", "within ") + b.span() }),
		b.option(4, func() string { return "collapse off" }),
		b.option(5, func() string { return "except " + b.optionSelector() }),
		b.option(8, func() string { return "except " + b.optionSelector() }),
	}
	members := []string{"node"}
	switch view {
	case syntax.PathEdges:
		members = []string{"step", "source", "target"}
		options = append(options, b.option(3, func() string { return fmt.Sprintf("max %d", 1+uniform(b.t, 4)) }))
	case syntax.PathShortest:
		members = []string{"path"}
		options = append(options, fmt.Sprintf("shortest %d", 1+uniform(b.t, 4)))
	default:
		options = append(options, view.String())
	}
	if view != syntax.PathShortest {
		options = append(options, b.option(4, func() string { return fmt.Sprintf("top %d", 1+uniform(b.t, 5)) }))
	}
	text := "paths" + b.shuffled(options)
	b.result(slices.Concat([]string{"user"}, keys, members), keys, syntax.PathColumns[view])
	return text
}

func (b *behaviours) session() string {
	text := "session" + b.shuffled([]string{
		b.option(2, func() string { return "gap " + b.span() }),
		b.option(3, func() string { return "max " + b.span() }),
	})
	for _, c := range append([]string{"session.entry.x", "session.exit.s", "session.entry.time"}, syntax.SessionColumns[:]...) {
		b.remove(c)
		b.columns = append(b.columns, c)
	}
	return text
}

func (b *behaviours) gap() string {
	b.remove("gap")
	b.columns = append(b.columns, "gap")
	return "gap"
}
