package bench

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestSuitesParse(t *testing.T) {
	for _, name := range Names() {
		s, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Load.Events == 0 || len(s.Queries) == 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if _, err := Open("absent"); !errors.Is(err, ErrSuite) {
		t.Error(err)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"load events=x":                         `setting "events=x": expected a number`,
		"load days=1 colour=2":                  `unknown setting "colour=2"`,
		"jump":                                  `expected load, import, append or query, found "jump"`,
		"import\n  target speed 3":              `expected target, a figure (ratio, peak_mb, bytes_per_event, open_ms) and a number`,
		"import\n  * | stats count()":           `expected target, found "*"`,
		"query":                                 `the query has no name`,
		"query a\nquery b\n  * | stats count()": `query "a" has no text`,
		"append writers=0":                      `expected at least one writer, one event a batch and one batch`,
	} {
		if _, err := Parse("test", text); !errors.Is(err, ErrSuite) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestRun measures a small workload and looks at the report, not at the speed.
func TestRun(t *testing.T) {
	s, err := Open("shop")
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Appends {
		s.Appends[i].Events = 4000
	}
	report, err := Run(context.Background(), s, Options{Dir: t.TempDir(), Events: 20_000, Repeats: 2})
	if err != nil {
		t.Fatal(err)
	}
	if report.Import == nil || report.Import.BytesPerEvent <= 0 || report.Import.Ratio <= 0 || report.Import.Segments == 0 {
		t.Errorf("import: %+v", report.Import)
	}
	if len(report.Appends) != len(s.Appends) || len(report.Queries) != len(s.Queries) {
		t.Errorf("%d appends, %d queries", len(report.Appends), len(report.Queries))
	}
	for _, q := range report.Queries {
		if q.Rows == 0 || q.P50 <= 0 || q.P95 < q.P50 || strings.Contains(q.Text, "$") {
			t.Errorf("query: %+v", q)
		}
	}
	text := report.Text()
	for _, want := range []string{"ratio to the token walk", "bytes per event on disk", "postings", "count by day", "4 writers"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}

// TestRunBehaviour asks every question of the other suite once; bursts are too rare for a small workload.
func TestRunBehaviour(t *testing.T) {
	s, err := Open("behaviour")
	if err != nil {
		t.Fatal(err)
	}
	report, err := Run(context.Background(), s, Options{Dir: t.TempDir(), Events: 20_000, Repeats: 1})
	if err != nil {
		t.Fatal(err)
	}
	if report.Import != nil || len(report.Queries) != len(s.Queries) {
		t.Errorf("import %+v, %d queries", report.Import, len(report.Queries))
	}
	for _, q := range report.Queries {
		if q.Rows == 0 && !strings.HasPrefix(q.Name, "bursts") {
			t.Errorf("query: %+v", q)
		}
	}
}
