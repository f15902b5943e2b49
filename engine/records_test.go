package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/event"
)

func TestRecords(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db, err := Open("data", Options{FS: fs, NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	a := RecordKey{"token", "a", "1"}
	write := func(records ...Record) {
		t.Helper()
		if err := db.WriteRecords(records...); err != nil {
			t.Fatal(err)
		}
	}
	list := func(records []Record, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var out string
		for _, r := range records {
			out += fmt.Sprintf("%s/%s/%s=%s ", r.Kind, r.Tenant, r.Name, r.Value)
		}
		return out
	}
	write(Record{a, []byte("x")}, Record{RecordKey{"token", "a", "\x00\xff"}, []byte("odd")}, Record{RecordKey{"token", "ab", "1"}, []byte("y")},
		Record{RecordKey{"token", "", "0"}, []byte("z")}, Record{RecordKey{"query", "a", "q"}, []byte{}})
	if got, want := list(db.Records("token", "a")), "token/a/\x00\xff=odd token/a/1=x "; got != want {
		t.Errorf("records of a: %q, want %q", got, want)
	}
	if got, want := list(db.AllRecords("token")), "token//0=z token/a/\x00\xff=odd token/a/1=x token/ab/1=y "; got != want {
		t.Errorf("all records: %q, want %q", got, want)
	}
	if value, err := db.Record(RecordKey{"query", "a", "q"}); err != nil || value == nil || len(value) != 0 {
		t.Errorf("an empty record: %v, %v", value, err)
	}
	write(Record{a, nil}, Record{RecordKey{"query", "a", "q2"}, []byte("2")})
	if value, err := db.Record(a); err != nil || value != nil {
		t.Errorf("a deleted record: %q, %v", value, err)
	}
	for _, bad := range []RecordKey{{}, {"k\x00", "", ""}, {"k", "a\x00b", ""}} {
		if err := db.WriteRecords(Record{bad, []byte("x")}); err == nil {
			t.Errorf("%q was written", bad)
		}
	}

	// They are on disk, and go with their tenant.
	clone := fs.CrashClone(vfs.CrashCloneCfg{})
	reopened, err := Open("data", Options{FS: clone, NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := reopened.Tenant("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.Append(context.Background(), []event.Event{{Time: time.Now().UnixNano(), Name: "e"}}); err != nil {
		t.Fatal(err)
	}
	if err := reopened.DropTenant("a"); err != nil {
		t.Fatal(err)
	}
	if got, want := list(reopened.AllRecords("token")), "token//0=z token/ab/1=y "; got != want {
		t.Errorf("after the drop: %q, want %q", got, want)
	}
	if got := list(reopened.AllRecords("query")); got != "" {
		t.Errorf("queries after the drop: %q", got)
	}
	if err := reopened.Close(); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
