package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"cairn/engine"
	"cairn/engine/event"
)

func Example() {
	dir, err := os.MkdirTemp("", "cairn")
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

	at := time.Date(2025, 6, 1, 8, 0, 0, 0, time.UTC).UnixNano()
	verdicts, err := shop.Append(context.Background(), []event.Event{
		{Time: at, Name: "app_open", User: "anna", ID: "1"},
		{Time: at + 1e9, Name: "pay", User: "anna", ID: "2", Fields: []event.Field{{Name: "amount", Value: event.Float(12.5)}}},
		{Time: at + 1e9, Name: "pay", User: "anna", ID: "2", Fields: []event.Field{{Name: "amount", Value: event.Float(12.5)}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for i, v := range verdicts {
		fmt.Println(i, v.Kind)
	}

	snap := shop.Snapshot()
	defer snap.Close()
	err = snap.Scan(context.Background(), engine.ScanOptions{Range: event.AllTime}, func(e *event.Event) error {
		fmt.Println(time.Unix(0, e.Time).UTC().Format(time.TimeOnly), e.User, e.Name, e.Get("amount").Exists())
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0 ok
	// 1 ok
	// 2 duplicate
	// 08:00:00 anna app_open false
	// 08:00:01 anna pay true
}
