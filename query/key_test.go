package query_test

import (
	"regexp"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/query"
)

func TestKeysOfAnswers(t *testing.T) {
	src := source(t, 10, query.MemoryOptions{})
	now := time.Date(2025, 6, 7, 12, 0, 0, 0, time.UTC)
	wednesday := time.Wednesday
	const text = "* | stats count() by event"
	key := func(text string, opt query.Options) string {
		t.Helper()
		if opt.Now.IsZero() {
			opt.Now = now
		}
		k, err := query.Key(src, text, opt)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !regexp.MustCompile(`^memory-[0-9a-f]{24}$`).MatchString(k) {
			t.Errorf("key %q", k)
		}
		return k
	}
	base := key(text, query.Options{})
	for _, same := range []string{
		key("*|stats  count() by event // how many", query.Options{}),
		key(text, query.Options{Workers: 3, MemoryBytes: 1 << 20, Timeout: time.Second}),
		key(text, query.Options{Now: now.Add(time.Hour)}),
		key(text, query.Options{Location: time.UTC}),
	} {
		if same != base {
			t.Errorf("%s is another key than %s", same, base)
		}
	}
	seen := map[string]bool{base: true}
	for _, other := range []string{
		key("* | stats count() by user", query.Options{}),
		key(text, query.Options{Limit: 10}),
		key(text, query.Options{WeekStart: &wednesday, Location: time.UTC}),
		key(text, query.Options{Location: time.FixedZone("UTC", 3600)}),
		key(text, query.Options{Range: &event.TimeRange{To: 5}}),
		key("set tz = \"Asia/Shanghai\"; "+text, query.Options{}),
	} {
		if seen[other] {
			t.Errorf("%s is the key of two", other)
		}
		seen[other] = true
	}
	for text, clock := range map[string]bool{
		"*": false,
		"* on 2025-06-01 | stats count() by bin(1h)":                     false,
		"* from 2025-06-01 to 2025-06-02 | limit 3":                      false,
		"* from 2025-06-01 to now":                                       true,
		"* last 7d":                                                      true,
		"let v = pay last 1d | users; {user in v} | stats count()":       true,
		"let v = pay | users; {user in v} | stats count()":               false,
		"* | funnel view -> pay within 1d":                               true,
		"* | retention view -> pay":                                      true,
		"* | paths max 3":                                                false,
		"{did(pay last 7d) > 1} | stats count()":                         true,
		"{did(pay) > 1} | stats count()":                                 false,
		"* | stats count() if (did(pay last 7d))":                        true,
		"* | match view -> pay{not (did(view last 1h))} within 1d":       true,
		"* | extend n = did(pay last 7d) | where n > 1 | stats users()":  true,
		"* | where time < time(\"2025-06-01\") | stats count() by event": false,
	} {
		if later := key(text, query.Options{Now: now.Add(time.Second)}); (later != key(text, query.Options{})) != clock {
			t.Errorf("%s: depends on the clock: want %v", text, clock)
		}
	}
	if _, err := query.Key(src, "* | stats", query.Options{}); err == nil {
		t.Error("a key of a text that is no query")
	}
}
