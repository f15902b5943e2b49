package plan

import (
	"fmt"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// How the stages behind session and gap are streamed: how many, of what unit, with which leaves.
func TestStreamed(t *testing.T) {
	for text, want := range map[string]string{
		"* | session":                                                                         "rows",
		"* | session | sort dwell":                                                            "rows",
		"* | session | limit 3 | stats count()":                                               "rows",
		"* | session | stats users() over 7d by bin(1d)":                                      "rows",
		"* | session | extend user = s | stats count()":                                       "rows",
		"* | session | stats count() by event":                                                "1 events",
		"* | session | where y > 1 | extend d = dwell | stats avg(d) by event":                "3 events",
		"* | session | top 5 session.entry.page":                                              "1 events",
		"* | session | where not exists(dwell) | stats avg(session.duration) by session.exit": "2 last",
		"* | session | where not exists(dwell) | stats avg(y)":                                "2 events",
		"* | session | where not exists(dwell) or y = 1 | stats count()":                      "2 events",
		"* | session | stats count(), users(), min(time), max(session.number) by session.id":  "1 sessions",
		"* | session | stats first(page), sum(y) / count() by session.id, user":               "1 sessions, first(fields.page), sum(fields.y)",
		"* | session | stats count() as n by session.id, event":                               "1 events",
		"* | session | where event = \"a\" | stats count() as n by session.id":                "2 sessions, count()",
		"* | session | stats count() as n by session.id | where n > 1 | stats avg(n)":         "3 sessions, then 2",
		"* | session | stats count() as n by session.id, user | top 3 user by avg(n)":         "2 sessions, then 1",
		"* | session | stats max(time) as time by session.id | stats count() by bin(1d)":      "1 sessions",
		"* | session | stats max(time) as time, max(y) as y by session.id | stats first(y)":   "1 sessions, max(fields.y)",
		"* | gap | where exists(gap) | stats median(gap)":                                     "2 events",
		"* | gap | stats count() by session.id":                                               "1 events",
	} {
		q, err := syntax.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Build(&q.Pipeline, scalar.NewCalendar(time.UTC, time.Monday), 0, event.AllTime)
		if err != nil {
			t.Fatal(err)
		}
		var s *Streamed
		switch op := p.First.(type) {
		case *Session:
			s = op.Streamed
		case *Gap:
			s = op.Streamed
		}
		got := "rows"
		if s != nil {
			got = fmt.Sprintf("%d %s", s.Stages, [...]string{"events", "last", "sessions"}[s.Unit])
			for _, a := range s.Leaves {
				got += ", " + AggColumn(a)
			}
			if s.Then != nil {
				got += fmt.Sprintf(", then %d", s.Then.Stages)
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
