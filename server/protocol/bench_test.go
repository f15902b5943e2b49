package protocol

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDecode reads batches of 100 events of usual size.
func BenchmarkDecode(b *testing.B) {
	var segment, posthog, mixpanel, amplitude, sensors []string
	for i := range 100 {
		properties := fmt.Sprintf(`{"url":"https://shop.example/item/%d","price":%d.5,"currency":"CNY","cart":{"items":%d,"voucher":null},"tags":["a","b"],"first":true}`, i, i, i%5)
		segment = append(segment, fmt.Sprintf(`{"type":"track","event":"item_view","userId":"user-%d","anonymousId":"anon-%d","messageId":"m-%d","timestamp":"2025-06-01T07:00:00.000Z","properties":%s,"context":{"library":{"name":"analytics-go","version":"3.0.0"}}}`, i, i, i, properties))
		posthog = append(posthog, fmt.Sprintf(`{"event":"item_view","distinct_id":"user-%d","uuid":"0190e3a2-7c4d-7a00-8000-%012d","timestamp":"2025-06-01T07:00:00.000Z","properties":%s}`, i, i, properties))
		mixpanel = append(mixpanel, fmt.Sprintf(`{"event":"item_view","properties":{"token":"k","distinct_id":"user-%d","$insert_id":"m-%d","time":1748761200000,%s}`, i, i, properties[1:]))
		amplitude = append(amplitude, fmt.Sprintf(`{"event_type":"item_view","user_id":"user-%d","device_id":"device-%d","insert_id":"m-%d","time":1748761200000,"platform":"Web","event_properties":%s}`, i, i, i, properties))
		sensors = append(sensors, fmt.Sprintf(`{"type":"track","event":"item_view","distinct_id":"user-%d","_track_id":%d,"time":1748761200000,"identities":{"$identity_mp_id":"user-%d"},"lib":{"$lib":"MiniProgram"},"properties":%s}`, i, i, i, properties))
	}
	for _, c := range []struct{ name, target, body string }{
		{"segment", "/v1/batch", `{"batch":[` + strings.Join(segment, ",") + `],"writeKey":"k"}`},
		{"mixpanel", "/import", `[` + strings.Join(mixpanel, ",") + `]`},
		{"amplitude", "/2/httpapi", `{"api_key":"k","events":[` + strings.Join(amplitude, ",") + `]}`},
		{"sensors", "/sensors/k/sa", sensorsBody("data_list", `[`+strings.Join(sensors, ",")+`]`)},
		{"posthog", "/batch", `{"api_key":"k","batch":[` + strings.Join(posthog, ",") + `]}`},
	} {
		b.Run("protocol="+c.name, func(b *testing.B) {
			p, req := route(b, "POST", c.target, c.body)
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				d, err := p.Decode(req)
				if err != nil || len(d.Items) != 100 || d.Items[99].Reject != nil {
					b.Fatal(d, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
		})
	}
}
