package ingest

import (
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cairn/engine/event"
)

// openData opens one of the shared sample files, or skips the test where they are not.
func openData(t *testing.T, name string) *gzip.Reader {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", name))
	if err != nil {
		t.Skipf("SKIPPED, the sample data is not here: %v", err)
	}
	t.Cleanup(func() { file.Close() })
	packed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// TestSampleData holds the mappings of foreign shapes to facts that were counted from the files
// without this code.
func TestSampleData(t *testing.T) {
	leads := []string{"mql_id", "first_contact_date", "landing_page_id", "origin"}
	for _, test := range []struct {
		file   string
		opt    Options
		events int
		users  int
		names  map[string]int
		fields string // names that occur, not all
		counts func(event.Event) map[string]float64
		sums   map[string]float64
	}{
		{
			file: "wiki-edits/wikiticker-2015-09-12-sampled.json.gz", opt: Options{EventName: "edit"},
			events: 39_244, users: 10_531, names: map[string]int{"edit": 39_244}, fields: "channel page added countryName",
			counts: func(e event.Event) map[string]float64 {
				return map[string]float64{"added": e.Get("added").AsFloat(), "robots": float64(e.Get("isRobot").Bits()), "countries": count(e.Get("countryName").Exists())}
			},
			sums: map[string]float64{"added": 9_385_573, "robots": 15_420, "countries": 3_799},
		},
		{
			file:   "github-events/2021-07-21-few-hours.json.gz",
			opt:    Options{TimeField: "created_at", EventField: "type", UserField: "actor.login", IDField: "id"},
			events: 800, users: 573, names: map[string]int{"PushEvent": 425, "PullRequestEvent": 64, "GollumEvent": 2},
			fields: "type actor.login repo.name payload.commits payload.action",
			counts: func(e event.Event) map[string]float64 {
				size := 0.0
				if e.Name == "PushEvent" {
					size = e.Get("payload.size").AsFloat()
				}
				return map[string]float64{"ids": count(e.ID != ""), "size": size, "org": count(e.Get("org.id").Exists())}
			},
			sums: map[string]float64{"ids": 800, "size": 1630, "org": 226},
		},
		{
			file:   "it-incidents/incident_event_log.csv.gz",
			opt:    Options{Format: FormatCSV, TimeField: "sys_updated_at", TimeFormat: "2/1/2006 15:04", UserField: "number", EventField: "incident_state"},
			events: 119_998, users: 20_769, names: map[string]int{"Active": 33_582, "New": 30_229, "-100": 2}, fields: "number incident_state assignment_group",
			counts: func(e event.Event) map[string]float64 {
				return map[string]float64{"no group": count(e.Get("assignment_group") == event.String("?")), "group 70": count(e.Get("assignment_group") == event.String("Group 70"))}
			},
			sums: map[string]float64{"no group": 14_213, "group 70": 35_023},
		},
		{
			file:   "cookie-cats/cookie_cats.csv.gz",
			opt:    Options{Format: FormatCSV, Received: arrival, UserField: "userid", EventName: "install"},
			events: 90_189, users: 90_189, names: map[string]int{"install": 90_189}, fields: "version retention_1",
			counts: func(e event.Event) map[string]float64 {
				if e.Get("version") != event.String("gate_30") {
					return nil
				}
				return map[string]float64{"gate_30": 1, "day 1": float64(e.Get("retention_1").Bits()), "rounds": e.Get("sum_gamerounds").AsFloat()}
			},
			sums: map[string]float64{"gate_30": 44_700, "day 1": 20_034, "rounds": 2_344_795},
		},
		{
			file:   "cdnow/cdnowElog.csv.gz",
			opt:    Options{Format: FormatCSV, TimeField: "date", TimeFormat: "20060102", UserField: "masterid", EventName: "purchase"},
			events: 6_919, users: 2_357, names: map[string]int{"purchase": 6_919}, fields: "cds sales",
			counts: func(e event.Event) map[string]float64 {
				return map[string]float64{"cds": e.Get("cds").AsFloat(), "cents": float64(int(e.Get("sales").AsFloat()*100 + 0.5))}
			},
			sums: map[string]float64{"cds": 16_479, "cents": 24_409_194},
		},
		{
			file:   "olist-leads/olist_marketing_qualified_leads_dataset.csv.gz",
			opt:    Options{Format: FormatCSV, Header: leads, TimeField: "first_contact_date", TimeFormat: "auto", UserField: "mql_id", EventName: "lead", NullValues: []string{"NaN"}},
			events: 8_000, users: 8_000, names: map[string]int{"lead": 8_000}, fields: "origin",
			counts: func(e event.Event) map[string]float64 {
				return map[string]float64{"organic": count(e.Get("origin") == event.String("organic_search")), "none": count(e.Get("origin").IsAbsent())}
			},
			sums: map[string]float64{"organic": 2296, "none": 60},
		},
		{
			file:   "olist-leads/olist_closed_deals_cleaned.csv.gz",
			opt:    Options{Format: FormatCSV, TimeField: "won_date", TimeFormat: "auto", UserField: "mql_id", EventName: "deal_won"},
			events: 842, users: 842, names: map[string]int{"deal_won": 842}, fields: "business_segment",
			counts: func(e event.Event) map[string]float64 {
				return map[string]float64{"home_decor": count(e.Get("business_segment") == event.String("home_decor"))}
			},
			sums: map[string]float64{"home_decor": 105},
		},
	} {
		t.Run(strings.Split(test.file, "/")[0], func(t *testing.T) {
			users, names, fields, sums := map[string]bool{}, map[string]int{}, map[string]bool{}, map[string]float64{}
			events, chunks := 0, 0
			again := newTestScanner(t, Options{})
			var text []byte
			err := Stream(context.Background(), openData(t, test.file), test.opt, 2, func(r *Result) error {
				for _, reject := range r.Rejects[:min(3, len(r.Rejects))] {
					t.Error(reject)
				}
				list := r.Batch.Events()
				text = text[:0]
				for i := range list {
					e := list[i]
					events++
					users[e.User] = true
					names[e.Name]++
					for _, f := range e.Fields {
						fields[f.Name] = true
					}
					for name, n := range test.counts(e) {
						sums[name] += n
					}
					text = append(event.AppendJSON(text, &e), '\n')
				}
				if chunks++; chunks > 2 {
					return nil
				}
				back := again.NDJSON(text)
				for i, e := range back.Batch.Events() {
					if !sameEvent(e, list[i]) {
						t.Fatalf("%+v was written and read as %+v", list[i], e)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if events != test.events || len(users) != test.users {
				t.Errorf("%d events of %d users, want %d of %d", events, len(users), test.events, test.users)
			}
			for name, want := range test.names {
				if names[name] != want {
					t.Errorf("%d events are called %s, want %d", names[name], name, want)
				}
			}
			for _, name := range strings.Fields(test.fields) {
				if !fields[name] {
					t.Errorf("no event has %s", name)
				}
			}
			for name, want := range test.sums {
				if sums[name] != want {
					t.Errorf("%s: %v, want %v", name, sums[name], want)
				}
			}
		})
	}
}

func count(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
