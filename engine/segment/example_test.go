package segment_test

import (
	"fmt"

	"cairn/engine/column"
	"cairn/engine/event"
	"cairn/engine/segment"
)

func Example() {
	var b column.Builder
	for i, e := range []event.Event{
		{Name: "view", User: "bob", Fields: []event.Field{{Name: "city", Value: event.String("Oslo")}}},
		{Name: "view", User: "ann", Fields: []event.Field{{Name: "city", Value: event.String("Rome")}}},
		{Name: "pay", User: "ann", Fields: []event.Field{{Name: "city", Value: event.String("Rome")}, {Name: "amount", Value: event.Float(9.9)}}},
	} {
		e.Time = int64(i) * 1e9
		b.AppendEvent(&e)
	}
	// The engine gives every user a number: here bob is 4 and ann 1.
	encoded, err := segment.Build([]segment.Input{{Batch: b.Finish(), Users: []uint32{4, 1}}}, segment.BuildOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := encoded[0].Reader()
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, err := r.Rows(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range rows {
		fmt.Println(row.User, row.Event.Time/1e9, row.Event.Name, len(row.Event.Fields))
	}
	for _, c := range r.Fields() {
		info := c.Info()
		fmt.Println(info.Name, info.Kinds, "present", info.Present, "numeric", info.Numeric, info.Encoding)
	}
	// Output:
	// 1 1 view 1
	// 1 2 pay 2
	// 4 0 view 1
	// amount float present 1 numeric false const
	// city string present 3 numeric false packed
}
