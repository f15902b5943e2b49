package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSensorsIdentities follows a person of a mini program: a visit, an open id bound before the login, the login, a
// union id bound after it, and unbound again. What they did is one user's, as far as it still belongs to them.
func TestSensorsIdentities(t *testing.T) {
	f := newFixture(t, Options{})
	start, n := time.Now().Add(-time.Minute).UnixMilli(), int64(0)
	send := func(message string) {
		t.Helper()
		n++
		message = strings.TrimSuffix(message, "}") + fmt.Sprintf(`,"time":%d,"_track_id":%d,"properties":{"n":%d}}`, start+n, n, n)
		f.expect(t, "/sensors/key/sa", sensorsForm(message), http.StatusOK, "")
	}
	users := func() string {
		t.Helper()
		status, text, _, err := f.post("/v1/query?format=csv", "* | where event = \"e\" | events | project user, n | sort n")
		if err != nil || status != http.StatusOK {
			t.Fatalf("%d %s %v", status, text, err)
		}
		return strings.Join(strings.Fields(text)[1:], " ")
	}
	const track = `{"type":"track","event":"e",`
	send(track + `"distinct_id":"A"}`)
	send(track + `"distinct_id":"O"}`)
	send(track + `"distinct_id":"U"}`)
	send(`{"type":"track_id_bind","distinct_id":"A","anonymous_id":"A","identities":{"$identity_mp_id":"A","$identity_mp_openid":"O"}}`)
	send(`{"type":"track_signup","distinct_id":"L","login_id":"L","original_id":"A","anonymous_id":"A"}`)
	if got := users(); got != "L,1 L,2 U,3" {
		t.Fatalf("after the login: %s", got)
	}
	send(`{"type":"track_id_bind","distinct_id":"L","login_id":"L","anonymous_id":"A","identities":{"$identity_login_id":"L","$identity_mp_id":"A","$identity_mp_unionid":"U"}}`)
	if got := users(); got != "L,1 L,2 L,3" {
		t.Fatalf("after the union id was bound: %s", got)
	}
	send(`{"type":"track_id_unbind","distinct_id":"L","identities":{"$identity_mp_unionid":"U"}}`)
	if got := users(); got != "L,1 L,2 U,3" {
		t.Fatalf("after it was unbound: %s", got)
	}
}
