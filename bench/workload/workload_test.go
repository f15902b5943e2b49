package workload

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"
)

func BenchmarkWrite(b *testing.B) {
	n, err := Write(io.Discard, Options{Events: b.N})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(n / int64(b.N))
}

func TestSameSeedSameBytes(t *testing.T) {
	var first, second, other bytes.Buffer
	for seed, buf := range map[uint64]*bytes.Buffer{5: &first, 6: &other} {
		if _, err := Write(buf, Options{Seed: seed, Events: 5000, IDs: 0.2}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Write(&second, Options{Seed: 5, Events: 5000, IDs: 0.2}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same options gave different bytes")
	}
	if bytes.Equal(first.Bytes(), other.Bytes()) {
		t.Error("another seed gave the same bytes")
	}
}

// TestShape holds the workload to what the benchmarks say of it.
func TestShape(t *testing.T) {
	const events = 60_000
	var buf bytes.Buffer
	n, err := Write(&buf, Options{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	if mean := float64(n) / events; mean < 330 || mean > 350 {
		t.Errorf("%.1f bytes an event, want about 340", mean)
	}
	names, fields, users, orders := map[string]int{}, map[string]int{}, map[string]int{}, map[string]string{}
	values, late, last := 0, 0, ""
	step := make(map[string]int) // by user: how far in the funnel
	reached := make([]int, len(Funnel))
	lines := bytes.Split(bytes.TrimSuffix(buf.Bytes(), []byte("\n")), []byte("\n"))
	if len(lines) != events {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		name, user, at := e["event"].(string), e["user"].(string), e["time"].(string)
		names[name]++
		users[user]++
		for field := range e {
			fields[field]++
		}
		values += len(e) - 3
		if at < last {
			late++
		} else {
			last = at
		}
		if order, ok := e["order_id"].(string); ok {
			if owner, ok := orders[order]; ok && owner != user {
				t.Fatalf("order %s of %s and %s", order, owner, user)
			}
			orders[order] = user
		}
		if i := step[user]; i < len(Funnel) && Funnel[i] == name {
			reached[i]++
			step[user]++
		}
	}
	if mean := float64(values) / events; mean < 10.5 || mean > 12 {
		t.Errorf("%.2f fields an event, want about 11", mean)
	}
	if len(names) != 70 {
		t.Errorf("%d names, want 70", len(names))
	}
	if share := float64(late) / events; share < 0.005 || share > 0.015 {
		t.Errorf("%.4f of the events come late, want 0.01", share)
	}
	start := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	if end, _ := time.Parse(time.RFC3339Nano, last); end.Sub(start) < 29*24*time.Hour || end.Sub(start) > 31*24*time.Hour {
		t.Errorf("the last event is of %s, want 30 days", last)
	}
	for _, name := range []string{"scene", "channel", "campaign", "page", "app_version", "os", "os_version", "device_model", "language", "region", "network", "item_id", "price", "amount", "latency_ms", "query", "result_count", "coupon_id", "order_id", "error_code"} {
		if fields[name] == 0 {
			t.Errorf("no event has %s", name)
		}
	}
	if len(fields) != 23 {
		t.Errorf("%d keys: %v", len(fields), fields)
	}
	for i := 1; i < len(reached); i++ {
		if reached[i] == 0 || reached[i] >= reached[i-1] {
			t.Errorf("the funnel does not narrow: %v", reached)
		}
	}
	t.Logf("%.1f bytes, %.2f fields an event, %d users, %d orders, funnel %v", float64(n)/events, float64(values)/events, len(users), len(orders), reached)
}
