package server

import (
	"time"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
	"cairn/server/api"
)

// timeRange reads the parameters from, to and on, which stand in for a time range that the query does
// not have; nil says that none is given. They are written as in a query, and read in its zone.
func timeRange(r *api.QueryRequest, zone *time.Location, now time.Time) (*event.TimeRange, error) {
	if r.From == "" && r.To == "" && r.On == "" {
		return nil, nil
	}
	if r.On != "" && (r.From != "" || r.To != "") {
		return nil, &api.Error{Code: api.CodeBadParameter, Message: "give either on, or from and to"}
	}
	parsed, err := syntax.Parse(r.Query)
	if err != nil {
		return nil, err
	}
	if parsed.Pipeline.Range != nil {
		return nil, &api.Error{Code: api.CodeBadParameter, Message: "the query has a time range of its own: from, to and on are for queries without"}
	}
	if parsed.Settings.Location != nil {
		zone = parsed.Settings.Location
	}
	out := event.AllTime
	for _, p := range []struct {
		name, text string
		to         *int64
	}{{"on", r.On, &out.From}, {"from", r.From, &out.From}, {"to", r.To, &out.To}} {
		switch p.text {
		case "":
			continue
		case "now":
			*p.to = now.UnixNano()
			continue
		}
		nanos, ok := scalar.ParseTime(p.text, zone)
		if !ok {
			return nil, badParameter(p.name, p.text, "a time, such as 2025-06-01, 2025-06-01T08:00:00Z or now")
		}
		*p.to = nanos
	}
	if r.On != "" {
		calendar := scalar.NewCalendar(zone, time.Monday)
		day := calendar.Day(out.From)
		out.From, out.To = calendar.DayStart(day), calendar.DayStart(day+1)
	}
	if out.From > out.To {
		return nil, badParameter("to", r.To, "a time after from")
	}
	return &out, nil
}
