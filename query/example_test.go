package query_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query"
	"cairn/query/result"
)

// A program keeps its events beside itself and asks about them.
func Example() {
	dir, err := os.MkdirTemp("", "cairn-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := engine.Open(dir, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	shop, err := db.Tenant("shop")
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	paid := func(user, order string, amount float64) event.Event {
		return event.Event{
			Time:   time.Date(2025, 6, 1, 8, 0, 0, 0, time.UTC).UnixNano(),
			Name:   "pay_success",
			User:   user,
			ID:     order, // the same id again is a duplicate
			Fields: []event.Field{{Name: "amount", Value: event.Float(amount)}},
		}
	}
	verdicts, err := shop.Append(ctx, []event.Event{ // durable when it returns
		paid("u1", "order-1", 12.5), paid("u2", "order-2", 30), paid("u2", "order-2", 30),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range verdicts {
		fmt.Println(v.Kind)
	}

	snapshot := shop.Snapshot()
	defer snapshot.Close()
	table, err := query.Run(ctx, snapshot, `pay_success | stats users(), sum(amount) as revenue by bin(1d)`, query.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", result.AppendCSV(nil, table))

	// Output:
	// ok
	// ok
	// duplicate
	// time,users,revenue
	// 2025-06-01T00:00:00Z,2,42.5
}
