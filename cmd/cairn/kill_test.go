package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/server/api"
)

// TestKilledServerLosesNothing kills the server while clients write, in Cairn's own protocol and in
// another vendor's, starts it again, and does so twenty times. Afterwards every event that was acknowledged is there exactly once, and every other
// batch is wholly there or wholly absent. What was acknowledged and sent again is a duplicate.
func TestKilledServerLosesNothing(t *testing.T) {
	const writers, batchEvents = 4, 50
	kills := 20
	if testing.Short() {
		kills = 3
	}
	dir := t.TempDir()
	var mu sync.Mutex
	acknowledged := map[string]bool{} // by batch
	attempted := map[string]bool{}

	for round := range kills {
		srv, err := startServer(dir)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				for n := 0; ; n++ {
					batch := fmt.Sprintf("r%d-w%d-n%d", round, w, n)
					mu.Lock()
					attempted[batch] = true
					mu.Unlock()
					write := postBatch
					if w%2 == 1 {
						write = postSegment
					}
					ok, err := write(srv.url, batch, batchEvents)
					if err != nil {
						return // killed
					}
					if ok != batchEvents {
						t.Errorf("batch %s: %d of %d stored", batch, ok, batchEvents)
					}
					mu.Lock()
					acknowledged[batch] = true
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(50+rand.IntN(300)) * time.Millisecond)
		srv.kill()
		group.Wait()
	}

	srv, err := startServer(dir)
	if err != nil {
		t.Fatalf("the server does not start after %d kills: %v", kills, err)
	}
	counts := batchCounts(t, srv.url)
	absent := 0
	for batch := range attempted {
		c, ok := counts[batch]
		switch {
		case !ok && acknowledged[batch]:
			t.Errorf("batch %s was acknowledged and is lost", batch)
		case !ok:
			absent++
		case c != [2]int{batchEvents, batchEvents}:
			t.Errorf("batch %s: %d events, %d ids; want %d of each", batch, c[0], c[1], batchEvents)
		}
	}
	if len(acknowledged) < kills {
		t.Errorf("only %d batches were acknowledged: the test shows nothing", len(acknowledged))
	}
	t.Logf("%d kills: %d batches attempted, %d acknowledged, %d unanswered and absent", kills, len(attempted), len(acknowledged), absent)

	for batch := range acknowledged {
		// Whichever protocol it came by: the ids are the same.
		if ok, err := postBatch(srv.url, batch, batchEvents); err != nil || ok != 0 {
			t.Errorf("batch %s sent again: %d stored, %v; want none", batch, ok, err)
		}
		break
	}
	if err := srv.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// postBatch sends events with ids and returns how many were new.
func postBatch(url, batch string, n int) (int, error) {
	var body bytes.Buffer
	for i := range n {
		fmt.Fprintf(&body, `{"time":"2025-06-%02dT08:00:00Z","event":"e","user":"u%d","id":"%s-%d","batch":%q}`+"\n", 1+i%28, i, batch, i, batch)
	}
	resp, err := http.Post(url+"/v1/events", "application/x-ndjson", &body)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	var answer api.EventsAnswer
	err = json.Unmarshal(text, &answer)
	return answer.OK, err
}

// postSegment sends events as Segment's clients do. The answer does not tell new ones from repeats.
func postSegment(url, batch string, n int) (int, error) {
	var body bytes.Buffer
	for i := range n {
		separator := `,`
		if i == 0 {
			separator = `{"writeKey":"k","batch":[`
		}
		fmt.Fprintf(&body, `%s{"type":"track","messageId":"%s-%d","userId":"u%d","event":"e","timestamp":"2025-06-%02dT08:00:00Z","properties":{"batch":%q}}`,
			separator, batch, i, i, 1+i%28, batch)
	}
	body.WriteString("]}")
	resp, err := http.Post(url+"/v1/batch", "application/json", &body)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	return n, err
}

// batchCounts returns the number of events and of distinct ids of each batch.
func batchCounts(t *testing.T, url string) map[string][2]int {
	t.Helper()
	resp, err := http.Post(url+"/v1/query?limit=1000000", "text/plain", strings.NewReader("* | stats count() as n, distinct(id) as ids by batch"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Rows  [][]any
		Error api.Error
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("query: status %d, %v, %v", resp.StatusCode, answer.Error, err)
	}
	counts := map[string][2]int{}
	for _, row := range answer.Rows {
		counts[row[0].(string)] = [2]int{int(row[1].(float64)), int(row[2].(float64))}
	}
	return counts
}
