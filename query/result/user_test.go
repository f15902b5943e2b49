package result

import (
	"encoding/json"
	"testing"
	"time"

	"cairn/engine/event"
)

func TestAppendUser(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2025, 6, 1, 8, 0, 0, 5, time.UTC).UnixNano()
	u := &User{
		Name: `o6"bm`, First: at, Last: at + 1e9, Events: 3,
		Profile: []event.Field{
			{Name: "address.city", Value: event.String("Rome")},
			{Name: "n", Value: event.Int(1<<53 + 1)},
			{Name: "tags", Value: event.List(`["a",9007199254740993]`)},
			{Name: "x", Value: event.Null},
		},
		Links: []UserLink{{ID: "d1", Kind: "identify", Time: at, Source: "segment"}, {ID: "d2", Kind: "unlink", Time: at}},
	}
	for _, c := range []struct{ got, want string }{
		{string(AppendUser(nil, u, zone)), `{"user":"o6\"bm","first":"2025-06-01T16:00:00.000000005+08:00","last":"2025-06-01T16:00:01.000000005+08:00","events":3,` +
			`"profile":{"address.city":"Rome","n":"9007199254740993","tags":["a","9007199254740993"],"x":null},` +
			`"links":[{"id":"d1","kind":"identify","time":"2025-06-01T16:00:00.000000005+08:00","source":"segment"},{"id":"d2","kind":"unlink","time":"2025-06-01T16:00:00.000000005+08:00","source":""}]}`},
		{string(AppendUser(nil, &User{Name: "a"}, time.UTC)), `{"user":"a","first":"1970-01-01T00:00:00Z","last":"1970-01-01T00:00:00Z","events":0,"profile":{},"links":[]}`},
		{string(AppendUserEvents(nil, &UserEvents{}, time.UTC)), "{\"events\":[],\n\"cursor\":null}"},
		{
			string(AppendUserEvents(nil, &UserEvents{Cursor: "c", Events: []event.Event{
				{Time: 1e9, Name: "a"},
				{Time: 2e9, Name: "b", User: "u", ID: "i", Received: 3e9, Fields: []event.Field{
					{Name: "\x00dots", Value: event.String("x")}, {Name: "a.b", Value: event.Float(1)}, {Name: "id", Value: event.Null}, {Name: "none"},
				}},
			}}, time.UTC)),
			"{\"events\":[\n{\"time\":\"1970-01-01T00:00:01Z\",\"event\":\"a\"},\n" +
				`{"time":"1970-01-01T00:00:02Z","event":"b","user":"u","id":"i","received":"1970-01-01T00:00:03Z","a.b":1.0,"fields.id":null}` +
				"],\n\"cursor\":\"c\"}",
		},
	} {
		if c.got != c.want {
			t.Errorf("got  %s\nwant %s", c.got, c.want)
		}
		if !json.Valid([]byte(c.got)) {
			t.Errorf("%s is no JSON", c.got)
		}
	}
}
