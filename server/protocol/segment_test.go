package protocol

import "testing"

func TestSegmentBatch(t *testing.T) {
	d := decode(t, "POST", "/v1/batch", `{"batch":[{"type":"track","event":"pay","userId":"u","anonymousId":"a","messageId":"m1","timestamp":"2025-06-01T07:00:00.000Z",
"properties":{"a":{"b":[1, 2.50,"x"]},"time":5,"big":9007199254740993},"context":{"ip":"1.2.3.4"}},
{"type":"identify","userId":"u","anonymousId":"a","traits":{"plan":"pro"},"messageId":"m2"}],"writeKey":"k","sentAt":"2025-06-01T07:59:00.000Z","context":{"ip":"9","library":{"name":"x"}}}`)
	for _, item := range d.Items {
		for _, e := range item.Events {
			t.Log(text(e))
		}
		t.Log(item.Links, item.Reject)
	}
}
