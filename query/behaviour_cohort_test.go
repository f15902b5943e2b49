package query_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query"
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
				` | where time >= "2025-03-29T05:00"`, " | project event, time, user, x, y, s, l",
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
