package server

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cairn/server/api"
)

// sensorsForm writes messages as the mini program's client of Sensors Data sends them.
func sensorsForm(messages ...string) string {
	return "data_list=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("["+strings.Join(messages, ",")+"]")))
}

// TestSensorsMiniProgram sends what the mini program's client sends: a visit, a login, changes of the profile, an id
// bound and unbound; and again, as after a lost answer.
func TestSensorsMiniProgram(t *testing.T) {
	f := newFixture(t, Options{})
	now := time.Now().UnixMilli()
	message := func(n int, rest string) string {
		return fmt.Sprintf(`{"distinct_id":"A-1","anonymous_id":"A-1","identities":{"$identity_mp_id":"A-1"},"lib":{"$lib":"MiniProgram","$lib_version":"1.21.1"},"_track_id":%d,"time":%d,"_flush_time":%d,%s}`,
			1000+n, now-60_000+int64(n), now, rest)
	}
	known := func(n int, rest string) string {
		return strings.Replace(message(n, rest), `"distinct_id":"A-1"`, `"distinct_id":"L-1","login_id":"L-1"`, 1)
	}
	batch := sensorsForm(
		message(0, `"type":"track","event":"$MPLaunch","properties":{"$scene":"wx-1011","$title":"首页"}`),
		message(1, `"type":"track","event":"$MPViewScreen","properties":{"$url_path":"pages/index"}`),
		known(2, `"type":"track_signup","event":"$SignUp","original_id":"A-1","properties":{}`),
		known(3, `"type":"track","event":"pay","properties":{"amount":12.5}`),
		`{"type":"track","distinct_id":"nameless"}`,
	)
	for round := range 2 {
		for _, path := range []string{"/sensors/key/sa?project=default", "/sa?token=key"} {
			status, answer, _, err := f.post(path, batch)
			if err != nil || status != http.StatusOK || answer != "" {
				t.Fatalf("round %d: %d %q %v", round, status, answer, err)
			}
		}
	}
	f.expect(t, "/sensors/key/sa", sensorsForm(`{"type":"profile_set","distinct_id":"L-1","properties":{"city":"上海"}}`), http.StatusOK, "")
	for condition, want := range map[string]int{
		`true`: 5,
		`event = "$MPLaunch" and user = "A-1" and ` + "`$scene` = \"wx-1011\" and `$title` = \"首页\"":      1,
		`event = "$MPViewScreen" and ` + "`$url_path` = \"pages/index\" and `lib.$lib` = \"MiniProgram\"": 1,
		`event = "$SignUp" and user = "L-1" and original_id = "A-1"`:                                      1,
		`event = "pay" and user = "L-1" and amount = 12.5 and login_id = "L-1"`:                           1,
		`event = "$profile" and user = "L-1" and ` + "`$set.city` = \"上海\"":                               1,
	} {
		if got := f.count(t, "set identity = raw; * | where "+condition+" | stats count()"); got != want {
			t.Errorf("%s: %d, want %d", condition, got, want)
		}
	}
	tenant, err := f.tenants.get("default")
	if err != nil {
		t.Fatal(err)
	}
	if latest := tenant.rejects.latest(10); len(latest) != 4 || latest[0].Reason != "bad_event" || latest[0].Protocol != "sensors" {
		t.Errorf("rejects %+v", latest)
	}
}

// TestSensorsIsNotAnswered sends more than the tenant may: the client would take any answer for a success and forget
// its messages, so it gets none.
func TestSensorsIsNotAnswered(t *testing.T) {
	f := newFixture(t, Options{Limits: api.Limits{InFlightBytes: 1024}})
	long := strings.Repeat("x", 2000)
	body := sensorsForm(`{"type":"track","event":"e","distinct_id":"u","properties":{"text":"` + long + `"}}`)
	status, answer, _, err := f.post("/sensors/key/sa", body)
	if err == nil {
		t.Fatalf("answered %d %s", status, answer)
	}
	// Another vendor's client is told.
	if status, _, _, err = f.post("/amplitude/2/httpapi", `{"api_key":"key","events":[{"event_type":"e","user_id":"user1","text":"`+long+`"}]}`); err != nil || status != http.StatusTooManyRequests {
		t.Fatalf("%d %v", status, err)
	}
}
