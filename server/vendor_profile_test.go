package server

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// TestVendorProfiles changes profiles as the clients of several vendors do, and asks for what became of them.
func TestVendorProfiles(t *testing.T) {
	f := newFixture(t, Options{})
	now := time.Now().UnixMilli()
	mixpanel := func(update string) {
		t.Helper()
		f.expect(t, "/mixpanel/engage", "data="+url.QueryEscape(update), http.StatusOK, "")
	}
	mixpanel(`{"$token":"k","$distinct_id":"mixpanel","$set":{"plan":"free","age":30}}`)
	mixpanel(`{"$token":"k","$distinct_id":"mixpanel","$set":{"plan":"pro"}}`)
	mixpanel(`{"$token":"k","$distinct_id":"mixpanel","$set_once":{"plan":"never","first":"a"}}`)
	mixpanel(`[{"$token":"k","$distinct_id":"mixpanel","$add":{"visits":2}},{"$token":"k","$distinct_id":"mixpanel","$add":{"visits":-0.5}}]`)
	mixpanel(`{"$token":"k","$distinct_id":"mixpanel","$unset":["age"]}`)

	amplitude := func(n int64, properties string) {
		t.Helper()
		f.expect(t, "/2/httpapi", fmt.Sprintf(`{"api_key":"k","events":[{"event_type":"$identify","user_id":"amplitude","time":%d,"insert_id":"i%d","user_properties":%s}]}`, now-1000+n, n, properties), http.StatusOK, "")
	}
	amplitude(1, `{"$set":{"plan":"free","age":30}}`)
	amplitude(2, `{"plan":"pro"}`)
	amplitude(3, `{"$setOnce":{"plan":"never","first":"a"}}`)
	amplitude(4, `{"$add":{"visits":2}}`)
	amplitude(4, `{"$add":{"visits":2}}`) // sent again
	amplitude(5, `{"$add":{"visits":-0.5},"$unset":{"age":"-"}}`)

	sensors := func(n int64, kind, properties string) {
		t.Helper()
		f.expect(t, "/sensors/k/sa", sensorsForm(fmt.Sprintf(`{"type":%q,"distinct_id":"sensors","time":%d,"properties":%s}`, kind, now-1000+n, properties)), http.StatusOK, "")
	}
	sensors(1, "profile_set", `{"plan":"free","age":30}`)
	sensors(2, "profile_set", `{"plan":"pro"}`)
	sensors(3, "profile_set_once", `{"plan":"never","first":"a"}`)
	sensors(4, "profile_increment", `{"visits":2}`)
	sensors(5, "profile_increment", `{"visits":-0.5}`)
	sensors(6, "profile_unset", `{"age":true}`)

	for _, user := range []string{"mixpanel", "amplitude", "sensors"} {
		for _, condition := range []string{`user.plan = "pro"`, `user.first = "a"`, `user.visits = 1.5`, `user.age = null`} {
			query := fmt.Sprintf("`$profile`"+` | where user = %q and %s | stats count()`, user, condition)
			if f.count(t, query) == 0 {
				t.Errorf("%s: not %s", user, condition)
			}
		}
		for _, condition := range []string{`user.plan = "free"`, `user.plan = null`, `user.age != null`} {
			if f.count(t, fmt.Sprintf("`$profile`"+` | where user = %q and %s | stats count()`, user, condition)) != 0 {
				t.Errorf("%s: %s", user, condition)
			}
		}
	}
}
