package query_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query"
	"cairn/query/exec"
	"cairn/query/querytest"
)

// cohortTexts draws queries with retention, lifecycle and stickiness.
type cohortTexts struct {
	t     *rapid.T
	plain bool // nothing but names are tested, so that bitmaps answer
}

func (g *cohortTexts) pick(list ...string) string {
	return rapid.SampledFrom(list).Draw(g.t, "choice")
}

// chance is true once in n.
func (g *cohortTexts) chance(n int) bool { return rapid.IntRange(1, n).Draw(g.t, "chance") == n }

// maybe is the text once in n, else nothing.
func (g *cohortTexts) maybe(n int, text string) string {
	if g.chance(n) {
		return text
	}
	return ""
}

func (g *cohortTexts) selector() string {
	if g.plain || g.chance(2) {
		return g.pick("a", "b", "c", "*", "(a or b)", `{event = "a"}`, `{event != "b"}`, "nope")
	}
	return g.pick("a{y > 0}", "{y >= 1}", "(a{s = \"a\"} or b)", "{l contains \"a\"}", "a{time < \"2025-03-31\"}", "{did(b)}", "b{y = x}")
}

func (g *cohortTexts) query() string {
	var b strings.Builder
	b.WriteString(g.maybe(4, g.pick("set tz = \"Europe/Berlin\"; ", "set tz = \"America/New_York\", week = sat; ", "set week = sun; ")))
	if !g.plain {
		b.WriteString(g.maybe(6, g.pick("set actor = s; ", "set actor = y; ")))
	}
	b.WriteString(g.pick("*", "*", "*", "a or b"))
	b.WriteString(g.pick("", " last 3d", " last 30h", " from 2025-03-29 to 2025-04-01", " from 2025-03-29T07:00 to 2025-03-31T15:30", " on 2025-03-30", " from 2025-03-30 to 2025-05-01", " last 1w"))
	if g.plain {
		b.WriteString(g.maybe(4, ` | where event != "b"`))
	} else {
		for range rapid.IntRange(0, 2).Draw(g.t, "stages") {
			b.WriteString(g.pick(
				" | where y > 0", ` | where s != "a"`, " | extend big = y > 1", " | extend s = y", " | sort y", " | limit 20",
				" | extend user = s", ` | where time >= "2025-03-29T05:00"`, " | session", " | gap", " | project event, time, user, x, y, s, l",
			))
		}
	}
	switch g.pick("retention", "retention", "retention", "lifecycle", "stickiness") {
	case "retention":
		g.retention(&b)
	case "lifecycle":
		b.WriteString(" | lifecycle " + g.selector() + g.every())
	default:
		b.WriteString(" | stickiness " + g.selector() + g.every() + g.maybe(3, " at least"))
		if !g.plain {
			b.WriteString(g.maybe(3, " min 2"))
		}
	}
	b.WriteString(g.maybe(3, " | users"))
	return b.String()
}

func (g *cohortTexts) every() string {
	return g.pick("", " every 1d", " every 2d", " every 1h", " every 6h", " every 1w", " every 1mo")
}

func (g *cohortTexts) retention(b *strings.Builder) {
	fmt.Fprintf(b, " | retention %s%s -> %s", g.maybe(2, "first "), g.selector(), g.selector())
	every := g.every()
	b.WriteString(every)
	b.WriteString(g.pick("", " for 1", " for 3", " for 30", " brackets 0, 1, 3, 7", " brackets 1, 2, 5", " brackets 0, 2"))
	b.WriteString(g.pick("", "", " on", " on or after", " on or before", " streak"))
	if g.plain {
		return
	}
	if !strings.HasSuffix(every, "mo") {
		b.WriteString(g.maybe(3, " rolling"))
	}
	b.WriteString(g.maybe(3, g.pick(" min 2", " min 3")))
	b.WriteString(g.maybe(3, g.pick(" sum(y)", " avg(y)", " sum(x)", " avg(if(y > 0, y, time - time(\"2025-03-29\")))", " sum(time - time(\"2025-03-30\"))")))
	b.WriteString(g.maybe(3, g.pick(" by s", " by x", " by y, s", " by event", " by user", " by bin(12h)", " by l")))
}

// checkCohorts compares a query with the reference, in two layouts, from bitmaps if they can answer it and
// from the events.
func checkCohorts(t *rapid.T, events []event.Event, text string) {
	env := querytest.RandomEnv()
	var reference querytest.Reference
	reference.Load(nil, events)
	want, wantErr := reference.Query(text, env)
	for _, general := range []bool{false, true} {
		layout := drawLayout(t)
		list := rapid.Permutation(slices.Clone(events)).Draw(t, "order")
		if rapid.Bool().Draw(t, "by time") {
			layout.Segments = rapid.IntRange(1, 8).Draw(t, "segments in the order of time")
			list = dealtByTime(list, layout.Segments)
		}
		source, err := query.MemoryWith(list, layout)
		if err != nil {
			t.Fatal(err)
		}
		opt := drawOptions(t)
		opt.Knobs.NoShortcut, opt.Knobs.NoDictEval = general, general && opt.Knobs.NoDictEval
		got, gotErr := query.Run(context.Background(), source, text, withEnv(opt, env))
		if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
			t.Fatalf("%s\n%+v %+v\n%s", text, layout, opt, diff)
		}
	}
}

// dealtByTime orders events so that each of n segments, to which they are dealt out in turn, gets a stretch
// of time.
func dealtByTime(events []event.Event, n int) []event.Event {
	slices.SortFunc(events, func(a, b event.Event) int { return cmp.Compare(a.Time, b.Time) })
	starts := make([]int, n+1) // the first len(events) mod n stretches have one event more
	for i := range n {
		starts[i+1] = starts[i] + len(events)/n
		if i < len(events)%n {
			starts[i+1]++
		}
	}
	var out []event.Event
	for i := range events {
		out = append(out, events[starts[i%n]+i/n])
	}
	return out
}

// Retention, lifecycle and stickiness have the answers of the reference.
func TestCohortsAgreeWithTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkCohorts(t, querytest.RandomEvents(t), (&cohortTexts{t: t}).query())
	})
}

// They do so too where bitmaps of users answer.
func TestCohortsFromBitmapsAgreeWithTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkCohorts(t, querytest.RandomEvents(t), (&cohortTexts{t: t, plain: true}).query())
	})
}

// Events far from the others do not count where the range has no bounds, unless they are STARTs.
func TestCohortsOfEventsFarApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := querytest.RandomEvents(t)
		for _, year := range []int{1700, 1970, 2150, 2261} {
			far := event.Event{Time: time.Date(year, 3, 1, 0, 0, 0, 0, time.UTC).UnixNano(), Name: "far", User: "u1"}
			if rapid.Bool().Draw(t, "far") {
				events = append(events, far)
			}
		}
		every := rapid.SampledFrom([]string{"1h", "30m", "6h", "1d"}).Draw(t, "every")
		text := rapid.SampledFrom([]string{
			"* | retention a -> b every %s", "* | retention first a -> far every %s on or after", "* | retention a{y > 0} -> b every %s rolling min 2",
			"* | retention first a{y > 0} -> * every %s streak", "* | lifecycle a every %s", "* | lifecycle a{y > 0} every %s | users",
			"* | stickiness a every %s", "* | stickiness a every %s min 2", "* | sort y | retention a -> b every %s", "* | sort y | stickiness a every %s",
		}).Draw(t, "query")
		checkCohorts(t, events, fmt.Sprintf(text, every))
	})
}

// A user with many events has the answers of the reference too.
func TestCohortsOfOneUser(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	var events []event.Event
	for range 3000 {
		at := start.Add(time.Duration(random.Int64N(int64(20 * 24 * time.Hour)))).Truncate(time.Minute).UnixNano()
		e := event.Event{Time: at, Received: at, Name: string(rune('a' + random.IntN(3))), User: "u1"}
		e.Fields = []event.Field{{Name: "y", Value: event.Float(random.NormFloat64())}}
		events = append(events, e)
	}
	env := querytest.RandomEnv()
	var reference querytest.Reference
	reference.Load(nil, events)
	source, err := query.MemoryWith(events, query.MemoryOptions{Segments: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"* | retention a -> b", "* | retention a -> b rolling sum(y)", "* | retention a -> b every 6h min 5 sum(y)", "* | retention a -> b on or after avg(y)",
		"* | retention a -> b rolling on or after sum(y) min 100", "* | retention a -> b on or before sum(y)", "* | retention a -> b streak min 30 every 1d for 19",
		"* from 2025-03-04T07:00 to 2025-03-07 | retention a -> b brackets 0, 2, 5 min 200 by bin(6h)", "* | stickiness a every 1h min 2", "* | lifecycle a every 1h",
	} {
		want, wantErr := reference.Query(text, env)
		for _, general := range []bool{false, true} {
			got, gotErr := query.Run(context.Background(), source, text, withEnv(query.Options{Knobs: exec.Knobs{NoShortcut: general}}, env))
			if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
				t.Errorf("%s\n%s", text, diff)
			}
		}
	}
}

// expiring is a Source that remembers who did events in days that have expired.
type expiring struct {
	query.Source
	users map[string][]string // by the event's name
}

func (s *expiring) ExpiredUsers(name string) (*roaring.Bitmap, error) {
	out := roaring.New()
	for _, user := range s.users[name] {
		id, ok, err := s.UserID(user)
		if err != nil || !ok {
			return nil, err
		}
		out.Add(id)
	}
	return out, nil
}

// Who did an event in days that have expired does not do it for the first time.
func TestFirstKnowsExpiredDays(t *testing.T) {
	at := func(hours int) int64 {
		return time.Date(2025, 3, 28, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours) * time.Hour).UnixNano()
	}
	memory, err := query.Memory([]event.Event{
		{Time: at(1), Name: "a", User: "new"},
		{Time: at(2), Name: "a", User: "old"},
		{Time: at(3), Name: "b", User: "new"},
		{Time: at(3), Name: "b", User: "old"},
		{Time: at(25), Name: "b", User: "new"},
		{Time: at(26), Name: "b", User: "old"},
	})
	if err != nil {
		t.Fatal(err)
	}
	source := &expiring{memory, map[string][]string{"a": {"old"}, "c": {"new"}}}
	for _, c := range []struct {
		text string
		want string // the values of the first row
	}{
		{"* on 2025-03-28 | retention first a -> b for 1 | project size, p1", "1 1"},
		{"* on 2025-03-28 | retention a -> b for 1 | project size, p1", "2 2"},
		{"* on 2025-03-28 | retention first b -> b for 1 | project size, p1", "2 2"},
		{"* on 2025-03-28 | retention first (a or c) -> b for 1 | project size, p1", "0 0"},
		{"* on 2025-03-28 | retention first * -> b for 1 | project size, p1", "1 1"},
		{"* on 2025-03-28 | sort event | retention first a -> b for 1 | project size", "1"},
		{"* on 2025-03-28 | retention first a{time > \"2025-01-01\"} -> b for 1 | project size, p1", "2 2"}, // nobody knows
		{"* on 2025-03-28 | lifecycle a | project new, resurrected", "1 1"},
		{"* on 2025-03-28 | lifecycle b | project new, resurrected", "2 0"},
		{"* on 2025-03-28 | lifecycle * | project new, resurrected", "1 1"},
		{"* on 2025-03-28 | funnel first a -> b | project count", "1"},
		{"* on 2025-03-28 | funnel first ever a{user != \"nobody\"} -> b | project count", "1"},
		{"* on 2025-03-28 | sort event | funnel first a -> b | project count", "1"},
		{"a | extend first = exists(first_time(a)) | sort user desc | project first", "false"},
	} {
		for _, general := range []bool{false, true} {
			got, err := query.Run(context.Background(), source, c.text, withEnv(query.Options{Knobs: exec.Knobs{NoShortcut: general}}, querytest.RandomEnv()))
			if err != nil {
				t.Errorf("%s\n%v", c.text, err)
				continue
			}
			var values []string
			for _, v := range got.Rows[0] {
				values = append(values, shown(v))
			}
			if line := strings.Join(values, " "); line != c.want {
				t.Errorf("%s (NoShortcut %t)\ngot %s, want %s", c.text, general, line, c.want)
			}
		}
	}
}

// shown is the text of an integer or a bool.
func shown(v event.Value) string {
	if v.Kind() == event.KindBool {
		return fmt.Sprint(v.AsBool())
	}
	return fmt.Sprint(v.AsInt())
}
