package querytest

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query/reference"
	"cairn/query/scalar"
)

// RandomEnv is what RandomQuery's texts depend on: now lies among RandomEvents.
func RandomEnv() reference.Env {
	env := DefaultEnv()
	env.Now = time.Date(2025, 4, 1, 9, 30, 0, 0, time.UTC)
	return env
}

// randomStart is the first instant of RandomEvents: two days before a change of the clocks in Europe.
var randomStart = time.Date(2025, 3, 28, 0, 0, 0, 0, time.UTC).UnixNano()

// RandomEvents draws a small set of events: few users, names and fields, values of every kind, many
// events at the same instant, some alike in everything.
func RandomEvents(t *rapid.T) []event.Event {
	n := uniform(t, 64) / (1 + uniform(t, 3))
	events := make([]event.Event, n)
	for i := range events {
		events[i] = rapid.Custom(randomEvent).Draw(t, "event")
	}
	return append(events, RandomProfiles(t, 12)...)
}

// RandomProfiles draws fewer than n profile events: few instants, users and properties, operations of every
// kind with values that suit them and others.
func RandomProfiles(t *rapid.T, n int) []event.Event {
	ops := pickFrom(t, [][]string{
		{"$set.", "$set.", "$set.", "$set_once.", "$add.", "$append.", "$union.", "$remove.", "$unset.", "$unset", "$delete"},
		{"$set."},
		{"$set.", "$add."},
	})
	values := randomProperties
	if uniform(t, 2) == 0 {
		values = []event.Value{pickFrom(t, values), pickFrom(t, values), pickFrom(t, []event.Value{event.Null, event.Int(1), event.Float(1)})}
	}
	instants := 1 + uniform(t, 6)
	var events []event.Event
	for range uniform(t, n) {
		events = append(events, rapid.Custom(func(t *rapid.T) event.Event { return randomProfile(t, instants, ops, values) }).Draw(t, "profile"))
	}
	return events
}

func randomProfile(t *rapid.T, instants int, ops []string, values []event.Value) event.Event {
	at := randomStart + int64(uniform(t, instants))*int64(16*time.Hour)
	e := event.Event{Time: at, Received: at, Name: scalar.ProfileEvent, User: pickFrom(t, []string{"u1", "u1", "u2", "u3", "u5", ""})}
	for range 1 + uniform(t, 4) {
		op := pickFrom(t, ops)
		f := event.Field{Name: op}
		switch op {
		case "$delete":
			f.Value = pickFrom(t, []event.Value{event.Bool(true), event.Bool(true), event.Bool(false), event.String("true")})
		case "$unset":
			f.Value = pickFrom(t, []event.Value{event.String("p"), event.String("o"), event.List(`["q","o.a"]`), event.List(`[1,"p"]`), event.Null})
		default:
			f.Name += pickFrom(t, []string{"p", "p", "q", "q", "o.a", "o.b", "o"})
			f.Value = pickFrom(t, values)
		}
		if e.Get(f.Name).IsAbsent() {
			e.Fields = append(e.Fields, f)
		}
	}
	return e
}

// randomProperties are values of operations; the first ones suit where(), which asks for 1, "a" and the like.
var randomProperties = []event.Value{
	event.Int(1), event.Int(1), event.Float(1), event.Int(2), event.Float(0.5), event.String("a"), event.String("a"), event.String("b"),
	event.List(`["a","b"]`), event.List("[1,1.0,2]"), event.List("[]"), event.List(`["a"]`), event.Bool(true), event.Null,
	event.EmptyObject, event.Int(1<<63 - 1), event.String("2025-03-30"), event.List(`[[1],{"k":1},null]`),
}

// randomColumns are names that random texts may use: properties of profiles, p and q with values, o in objects.
var randomColumns = []string{"user.p", "user.p", "user.q", "user.o.a", "user.o", "user.none"}

func randomEvent(t *rapid.T) event.Event {
	at := randomStart + int64(uniform(t, 5*24))*int64(time.Hour)
	if uniform(t, 3) == 0 {
		at += pickFrom(t, []int64{1, 999_999_999, 30 * 60e9, -1})
	}
	return eventAt(t, at, []string{"u1", "u2", "u3", "u4", ""}, randomValues)
}

func eventAt(t *rapid.T, at int64, users []string, values map[string][]event.Value) event.Event {
	e := event.Event{Time: at, Received: at, Name: pickFrom(t, []string{"a", "a", "b", "c"}), User: pickFrom(t, users)}
	for _, name := range randomFields {
		if v := pickFrom(t, values[name]); !v.IsAbsent() {
			e.Fields = append(e.Fields, event.Field{Name: name, Value: v})
		}
	}
	return e
}

var randomFields = []string{"x", "y", "s", "l"}

// randomValues are the values of the fields: x of any kind, y a number, s a text, l a list.
var randomValues = map[string][]event.Value{
	"x": {
		{},
		event.Null, event.Int(1), event.Float(1), event.Int(2), event.Float(-0.5), event.String("a"), event.String(""),
		event.String("1"), event.Bool(true), event.Bool(false), event.List(`[1,"a"]`), event.List("[]"), event.EmptyObject,
		event.Int(1<<53 + 1), event.String("2025-03-30"), event.List("[true]"),
	},
	"y": {{}, event.Int(0), event.Int(1), event.Int(2), event.Int(7), event.Float(0.1), event.Float(0.2), event.Float(2.5), event.Int(-3)},
	"s": {{}, event.String("a"), event.String("ab"), event.String("B"), event.String("é"), event.Null},
	"l": {{}, {}, event.List(`["a","b"]`), event.List("[1,2.5,null]"), event.List(`[["a"],{"k":1}]`)},
}

// RandomQuery draws the text of a valid query of the stages on rows, for RandomEvents and RandomEnv.
func RandomQuery(t *rapid.T) string {
	g := &generator{t: t}
	var b strings.Builder
	if g.chance(4) {
		b.WriteString(g.pick("set tz = \"Europe/Berlin\"; ", "set week = sun; ", "set actor = s; ", "set tz = \"America/New_York\", week = sat; "))
	}
	if g.chance(3) {
		fmt.Fprintf(&b, "let v = %s%s | users; ", g.selector(), g.timeRange())
		g.lets = true
	}
	b.WriteString(g.selector() + g.timeRange())
	g.columns = append([]string{"x", "y", "s", "l", "nope", "time", "event", "user", "id", "fields.x"}, randomColumns[:uniform(t, len(randomColumns)+1)]...)
	g.events, g.open = true, true
	for range rapid.IntRange(0, 4).Draw(t, "stages") {
		b.WriteString(" | " + g.stage())
	}
	return b.String()
}

// RandomRawQuery is RandomQuery for queries whose answer is raw events, behind stages that look at each row
// by itself or count rows.
func RandomRawQuery(t *rapid.T) string {
	g := &generator{t: t, events: true, open: true}
	settings := g.pick("", "", "set tz = \"America/New_York\"; ", "set identity = raw; ", "set actor = s; ")
	text := settings + g.selector() + g.timeRange()
	g.columns = []string{"x", "y", "s", "l", "nope", "time", "event", "user", "id", "fields.x"}
	count := func() string { return fmt.Sprintf("%s %d", g.pick("limit", "offset"), uniform(t, 20)) }
	user := func() string { return "extend user = s" }
	for range rapid.IntRange(0, 4).Draw(t, "stages") {
		text += " | " + pickFrom(t, []func() string{g.where, g.extend, g.project, g.rename, g.drop, count, count, user, func() string { return "events" }})()
	}
	return text
}

// generator draws texts. It knows the columns of the rows, as the parser does.
type generator struct {
	t       *rapid.T
	columns []string
	events  bool   // rows are events
	open    bool   // with all their fields
	lets    bool   // there is a result v
	bucket  string // the column of the time buckets for fill, "" when there is none
	made    int    // names given so far
}

// uniform draws from [0, n), every number as often as another; the generators of rapid prefer the small.
func uniform(t *rapid.T, n int) int {
	return rapid.Custom(func(t *rapid.T) int {
		drawn := 0
		for range bits.Len(uint(n)) + 2 {
			drawn <<= 1
			if rapid.Bool().Draw(t, "bit") {
				drawn++
			}
		}
		return drawn % n
	}).Draw(t, "uniform")
}

func pickFrom[V any](t *rapid.T, list []V) V { return list[uniform(t, len(list))] }

func (g *generator) chance(n int) bool { return uniform(g.t, n) == n-1 }

func (g *generator) pick(list ...string) string { return pickFrom(g.t, list) }

func (g *generator) has(name string) bool {
	for _, c := range g.columns {
		if c == name {
			return true
		}
	}
	return false
}

func (g *generator) name() string {
	g.made++
	return fmt.Sprintf("c%d", g.made)
}

func (g *generator) column() string { return g.pick(g.columns...) }

func (g *generator) selector() string {
	inside := &generator{t: g.t, lets: g.lets, events: true, open: true, columns: []string{"x", "y", "s", "l", "time", "user", "user.p"}}
	term := func() string {
		name := g.pick("*", "*", "*", "a", "a", "b", "c", "")
		if name == "" || g.chance(5) {
			return strings.TrimPrefix(name, "*") + "{" + inside.condition(2) + "}"
		}
		return name
	}
	if g.chance(4) {
		return term() + " or " + term()
	}
	return term()
}

func (g *generator) timeRange() string {
	return g.pick("", "", "", " last 4d", " last 1w", " last 2d", " last 30h", " last 1w", " on 2025-03-30", " from 2025-03-29 to 2025-04-01",
		" from 2025-03-29T12:00 to now", " from 2025-03-30T23:00:00Z to 2025-03-31T11:59:59.5Z")
}

func (g *generator) stage() string {
	stages := []func() string{
		g.where, g.where, g.extend, g.extend, g.project, g.rename, g.drop, g.sort, g.limit, g.running, g.top, g.facets, g.stats, g.stats, g.stats,
	}
	if g.events || g.has("user") {
		stages = append(stages, g.users)
	}
	if g.events {
		stages = append(stages, func() string { return "events" })
	}
	if g.bucket != "" && g.has(g.bucket) {
		stages = append(stages, g.fill, g.fill, g.fill)
	}
	return pickFrom(g.t, stages)()
}

func (g *generator) where() string { return "where " + g.condition(3) }

func (g *generator) extend() string {
	e := g.expr(3)
	name := g.name()
	if g.chance(4) {
		name = g.pick("x", "y")
	}
	g.remove(name)
	g.columns = append(g.columns, name)
	return "extend " + name + " = " + e
}

func (g *generator) remove(name string) {
	var rest []string
	for _, c := range g.columns {
		if c != name {
			rest = append(rest, c)
		}
	}
	if name == "user" && !g.events {
		rest = slices.DeleteFunc(rest, func(c string) bool { return strings.HasPrefix(c, "user.") })
	}
	g.columns = rest
}

func (g *generator) project() string {
	var parts, names []string
	for range 1 + uniform(g.t, 3) {
		name := g.name()
		parts = append(parts, name+" = "+g.expr(2))
		names = append(names, name)
	}
	for _, c := range []string{"time", "user"} {
		if g.has(c) && g.chance(2) {
			parts, names = append(parts, c), append(names, c)
		}
	}
	if g.bucket != "" && g.has(g.bucket) && g.bucket != "time" {
		parts, names = append(parts, g.bucket), append(names, g.bucket)
	}
	g.columns, g.open = names, false
	if g.events {
		g.columns = append(g.columns, "fields.x")
	}
	return "project " + strings.Join(parts, ", ")
}

// plain draws a column that can be renamed, dropped or summed up.
func (g *generator) plain() string {
	for {
		if c := g.column(); !strings.Contains(c, ".") {
			return c
		}
	}
}

func (g *generator) plainCount() int {
	n := 0
	for _, c := range g.columns {
		if !strings.Contains(c, ".") {
			n++
		}
	}
	return n
}

func (g *generator) rename() string {
	old, name := g.plain(), g.name()
	g.remove(old)
	g.columns = append(g.columns, name)
	if g.bucket == old {
		g.bucket = name
	}
	return "rename " + name + " = " + old
}

func (g *generator) drop() string {
	if g.plainCount() < 2 {
		return g.where()
	}
	old := g.plain()
	g.remove(old)
	return "drop " + old
}

func (g *generator) sort() string {
	keys := g.expr(1) + g.pick("", " desc", " asc")
	if g.chance(2) {
		keys += ", " + g.column() + g.pick("", " desc")
	}
	return "sort " + keys
}

func (g *generator) limit() string {
	n := uniform(g.t, 9)
	if g.chance(4) {
		return fmt.Sprintf("offset %d", n)
	}
	if g.chance(2) {
		return fmt.Sprintf("limit %d by %s", n, g.expr(1))
	}
	return fmt.Sprintf("limit %d", n)
}

func (g *generator) running() string {
	old, name := g.plain(), g.name()
	by := ""
	if g.chance(2) {
		by = " by " + g.expr(1)
	}
	g.columns = append(g.columns, name)
	return "running " + old + " as " + name + by
}

func (g *generator) users() string {
	g.reset([]string{"user", "user.p"})
	return "users"
}

// reset begins rows that are no events.
func (g *generator) reset(columns []string) {
	g.columns, g.events, g.open, g.bucket = columns, false, false, ""
}

func (g *generator) facets() string {
	n := 1 + uniform(g.t, 4)
	g.reset([]string{"field", "value", "count"})
	return fmt.Sprintf("facets %d", n)
}

func (g *generator) fill() string {
	return g.pick("fill", "fill 0", "fill null", "fill previous", "fill none")
}

func (g *generator) top() string {
	n := 1 + uniform(g.t, 5)
	key, by := g.key(), g.aggregate(false)
	keyName, byName := g.name(), g.name()
	g.reset([]string{keyName, byName})
	return fmt.Sprintf("top %d %s as %s by %s as %s", n, key, keyName, by, byName)
}

func (g *generator) stats() string {
	var keys, names []string
	bucket := ""
	for range uniform(g.t, 3) {
		switch {
		case bucket == "" && g.has("time") && g.chance(2):
			bucket = g.pick("time", "day")
			keys = append(keys, fmt.Sprintf("bin(%s) as %s", g.pick("1h", "2h", "6h", "12h", "1d", "2d", "1w", "1mo"), bucket))
			names = append(names, bucket)
		case g.has("user") && g.chance(3):
			keys, names = append(keys, "user as u"+g.name()), append(names, fmt.Sprintf("uc%d", g.made))
		default:
			name := g.name()
			keys, names = append(keys, g.key()+" as "+name), append(names, name)
		}
	}
	var aggs []string
	for range 1 + uniform(g.t, 3) {
		name := g.name()
		aggs = append(aggs, g.aggregateExpr(bucket != "")+" as "+name)
		names = append(names, name)
	}
	g.reset(names)
	g.bucket = bucket
	text := "stats " + strings.Join(aggs, ", ")
	if len(keys) > 0 {
		text += " by " + strings.Join(keys, ", ")
	}
	return text
}

func (g *generator) aggregateExpr(over bool) string {
	if g.chance(4) {
		return fmt.Sprintf("%s %s %s", g.aggregate(over), g.pick("+", "-", "*", "/"), g.pick("2", "count()", g.aggregate(over)))
	}
	return g.aggregate(over)
}

func (g *generator) aggregate(over bool) string {
	options := []string{
		"count()", "distinct(%s)", "sum(%s)", "avg(%s)", "min(%s)", "max(%s)", "stddev(%s)", "median(%s)", "p90(%s)",
		"quantile(%s, 0.3)", "topk(%s, 2)", "hist(%s, 0, 1, 5)", "hist(%s, 1h, 1d)", "hist(%s)", "sum(%s)", "avg(%s)",
	}
	if g.events || g.has("user") {
		options = append(options, "users()", "users()")
	}
	if g.events || g.has("time") {
		options = append(options, "first(%s)", "last(%s)")
	}
	text := g.pick(options...)
	if strings.Contains(text, "%s") {
		text = fmt.Sprintf(text, g.expr(1))
	}
	if g.chance(4) {
		text += " if (" + g.condition(2) + ")"
	}
	if over && g.chance(3) {
		text += " over " + g.pick("3h", "1d", "36h", "1w")
	}
	return text
}

func (g *generator) literal() string {
	return g.pick("0", "1", "2", "-1", "2.5", "1.0", `"a"`, `""`, `"ab"`, `"B"`, `"2025-03-30"`, `"2025-03-30T10:00"`, "true", "false", "null", "1h", "1d", "90m", "9007199254740993")
}

func (g *generator) leaf() string {
	if g.has("y") && g.chance(3) {
		return "y"
	}
	if g.chance(4) {
		return g.literal()
	}
	return g.column()
}

// key draws what people group by.
func (g *generator) key() string {
	list := []string{g.expr(2), g.column()}
	for _, c := range []string{"x", "s", "event", "user", "l"} {
		if g.has(c) {
			list = append(list, c, "exists("+c+")")
		}
	}
	if g.has("time") {
		list = append(list, "hour()", "weekday()", "bin(time + 1h, 1d)")
	}
	return g.pick(list...)
}

func (g *generator) expr(depth int) string {
	if depth <= 0 || g.chance(3) {
		return g.leaf()
	}
	x := func() string { return g.expr(depth - 1) }
	switch uniform(g.t, 10) {
	case 0, 1, 2:
		return fmt.Sprintf("(%s %s %s)", x(), g.pick("+", "-", "*", "/", "%"), x())
	case 3:
		return g.pick("lower", "upper", "len", "num", "str", "round", "floor", "ceil", "abs", "sqrt", "time", "exists", "host", "path", "weekday", "hour") + "(" + x() + ")"
	case 4:
		return fmt.Sprintf(g.pick("coalesce(%s, %s)", "concat(%s, %s)", "substr(%s, %s)", "pow(%s, %s)", "round(%s, %s)"), x(), x())
	case 5:
		return fmt.Sprintf("if(%s, %s, %s)", g.condition(depth-1), x(), x())
	case 6:
		return fmt.Sprintf(g.pick("bucket(%s, 2)", "bucket(%s, 0, 1, 2.5)", "bucket(%s, 1d)", "bin(%s, 1d)", "bin(%s, 6h)", "substr(%s, 1, 1)"), x())
	case 7:
		if g.events || g.has("user") {
			return g.pick("did(a)", "did(b{y > 1} last 1d)", "first_time(a)", "first_time(*)")
		}
		return g.column()
	case 8:
		return "(" + g.condition(depth-1) + ")"
	}
	return "-(" + x() + ")"
}

func (g *generator) condition(depth int) string {
	x := func() string { return g.expr(depth - 1) }
	n := 20
	if depth <= 0 {
		n = 4
	}
	switch uniform(g.t, n) {
	case 0, 1, 2, 3:
		return fmt.Sprintf("%s %s %s", x(), g.pick("=", "!=", "<", "<=", ">", ">="), x())
	case 4:
		return fmt.Sprintf("%s %s (%s, %s)", x(), g.pick("in", "not in"), g.literal(), g.pick(g.literal(), g.column()))
	case 5:
		return fmt.Sprintf("(%s) and (%s)", g.condition(depth-1), g.condition(depth-1))
	case 6:
		return fmt.Sprintf("(%s) or (%s)", g.condition(depth-1), g.condition(depth-1))
	case 7:
		return fmt.Sprintf("not (%s)", g.condition(depth-1))
	case 8:
		return fmt.Sprintf("%s %s %s", x(), g.pick("~", "!~"), g.pick(`"a"`, `"^.$"`, `"(?i)b"`, `"[0-9]"`))
	case 9:
		return fmt.Sprintf("%s %s %s", x(), g.pick("contains", "starts with", "ends with", "contains~i", "not contains"), g.pick(`"a"`, `"b"`, `""`, g.column()))
	case 10:
		if g.events || g.has("user") {
			if g.lets && g.chance(2) {
				return g.pick("user in v", "user not in v")
			}
			return g.pick("did(b)", "did(a) >= 2", "not did(c last 1d)", `first_time(a) < "2025-03-30"`)
		}
	case 11:
		return g.column()
	}
	// what people ask
	c := g.column()
	return c + " " + g.pick("= 1", "!= 1", "> 0", "<= 2", `= "a"`, `!= "b"`, "= null", "!= null", "in (1, \"a\", true)", "not in (1, null)", `~ "a"`, `>= "2025-03-29"`, "< 1d")
}
