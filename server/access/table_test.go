package access_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/server/access"
)

// store is a data directory that can be opened again.
type store struct {
	fs  vfs.FS
	db  *engine.DB
	now time.Time
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{fs: vfs.NewMem(), now: time.Date(2025, 6, 1, 8, 0, 0, 0, time.UTC)}
	t.Cleanup(func() {
		if s.db != nil {
			_ = s.db.Close()
		}
	})
	return s
}

// open opens the directory, again if it is open.
func (s *store) open(t *testing.T) (*access.Table, error) {
	t.Helper()
	if s.db != nil {
		if err := s.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.db, err = engine.Open("data", engine.Options{FS: s.fs, NoBackground: true}); err != nil {
		t.Fatal(err)
	}
	return access.Open(s.db, func() time.Time { return s.now })
}

func (s *store) table(t *testing.T) *access.Table {
	t.Helper()
	table, err := s.open(t)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func create(t *testing.T, table *access.Table, want access.Token, imported string) (*access.Token, string) {
	t.Helper()
	made, text, err := table.Create(want, imported)
	if err != nil {
		t.Fatal(err)
	}
	return made, text
}

func TestTokensSurviveARestart(t *testing.T) {
	s := newStore(t)
	table := s.table(t)
	made, text := create(t, table, access.Token{
		Tenant: "shop", Scopes: access.Ingest | access.Query, Origins: []string{"https://shop.example"}, Protocols: []string{"segment"}, HashIDs: true, UserMember: "uid",
	}, "")
	if !strings.HasPrefix(text, "ck_") || len(text) != 35 || strings.Contains(made.Prefix, text[8:]) || len(made.Prefix) != 6 {
		t.Errorf("text %q, prefix %q", text, made.Prefix)
	}
	for range 2 {
		found := table.Find(text)
		if found == nil || found.ID != made.ID || found.Tenant != "shop" || !found.HashIDs || found.UserMember != "uid" || found.Scopes.String() != "ingest, query" {
			t.Fatalf("found %+v, want %+v", found, made)
		}
		if !found.AllowsOrigin("https://shop.example") || !found.AllowsOrigin("") || found.AllowsOrigin("https://other.example") {
			t.Error("origins")
		}
		if !found.AllowsProtocol("segment") || found.AllowsProtocol("cairn") {
			t.Error("protocols")
		}
		for _, wrong := range []string{"", text[:len(text)-1], text + "x", strings.ToUpper(text), made.Hash} {
			if table.Find(wrong) != nil {
				t.Errorf("%q is taken for the token", wrong)
			}
		}
		if err := table.Flush(); err != nil {
			t.Fatal(err)
		}
		table = s.table(t)
		if list := table.List("shop"); len(list) != 1 || !list[0].LastUsed.Equal(s.now) {
			t.Errorf("last use is not known after a restart: %+v", list)
		}
	}
	if records, err := s.db.AllRecords("token"); err != nil || len(records) != 1 || strings.Contains(string(records[0].Value), text) {
		t.Errorf("the record has the text: %s, %v", records, err)
	}
	if ok, err := table.Revoke("other", made.ID); ok || err != nil {
		t.Errorf("revoked for another tenant: %v, %v", ok, err)
	}
	if ok, err := table.Revoke("shop", made.ID); !ok || err != nil {
		t.Errorf("revoke: %v, %v", ok, err)
	}
	if table.Find(text) != nil || s.table(t).Find(text) != nil {
		t.Error("a revoked token is good")
	}
}

func TestTokensExpire(t *testing.T) {
	s := newStore(t)
	table := s.table(t)
	_, text := create(t, table, access.Token{Tenant: "shop", Scopes: access.Query, Expires: s.now.Add(time.Hour)}, "")
	for _, c := range []struct {
		after time.Duration
		good  bool
	}{{0, true}, {time.Hour - 1, true}, {time.Hour, false}, {2 * time.Hour, false}} {
		start := s.now
		s.now = start.Add(c.after)
		if got := table.Find(text) != nil; got != c.good {
			t.Errorf("after %v: good %v", c.after, got)
		}
		s.now = start
	}
}

// The first token of a tenant closes the directory, and nothing opens it again.
func TestClosedForGood(t *testing.T) {
	s := newStore(t)
	table := s.table(t)
	create(t, table, access.Token{Scopes: access.Admin}, "")
	if table.Closed() {
		t.Fatal("the operator's token has closed it")
	}
	made, _ := create(t, table, access.Token{Tenant: "shop", Scopes: access.Query}, "")
	other, _ := create(t, table, access.Token{Tenant: "gone", Scopes: access.Query, Expires: s.now.Add(time.Minute)}, "")
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"a token was made", func() {}},
		{"one was revoked", func() { _, _ = table.Revoke("*", made.ID) }},
		{"the last one has expired", func() { s.now = s.now.Add(time.Hour) }},
		{"the last one was revoked", func() { _, _ = table.Revoke("*", other.ID) }},
		{"a restart", func() { table = s.table(t) }},
		{"a tenant was forgotten", func() { table.Forget("shop") }},
	} {
		if step.do(); !table.Closed() {
			t.Errorf("%s: it is open", step.name)
		}
	}
	if table.Len() != 0 {
		t.Errorf("%d tokens are left", table.Len())
	}
}

func TestTokensThatCannotBe(t *testing.T) {
	table := newStore(t).table(t)
	for _, c := range []struct {
		name     string
		want     access.Token
		imported string
	}{
		{"no scope", access.Token{Tenant: "shop"}, ""},
		{"unknown scope", access.Token{Tenant: "shop", Scopes: 64}, ""},
		{"operator's with other scopes", access.Token{Scopes: access.All}, ""},
		{"short key", access.Token{Tenant: "shop", Scopes: access.Ingest}, "abc"},
		{"long key", access.Token{Tenant: "shop", Scopes: access.Ingest}, strings.Repeat("x", 257)},
		{"key with blanks", access.Token{Tenant: "shop", Scopes: access.Ingest}, "a key"},
		{"key for administration", access.Token{Tenant: "shop", Scopes: access.All}, "vendors-key"},
	} {
		if _, _, err := table.Create(c.want, c.imported); !errors.Is(err, access.ErrInvalid) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	create(t, table, access.Token{Tenant: "shop", Scopes: access.Ingest}, "vendors-key")
	if _, _, err := table.Create(access.Token{Tenant: "other", Scopes: access.Ingest}, "vendors-key"); !errors.Is(err, access.ErrExists) {
		t.Errorf("one key for two tenants: %v", err)
	}
	if found := table.Find("vendors-key"); found == nil || found.Tenant != "shop" || !found.Imported {
		t.Errorf("found %+v", found)
	}
}

// A record that cannot be read is an error that names the token, not a token less.
func TestCorruptRecordsAreErrors(t *testing.T) {
	for _, value := range []string{
		"", "{", "null", `{"id":"t1"}`, `{"id":"t1","tenant":"shop","hash":"zz"}`, `{"id":"t2","tenant":"shop","hash":"` + strings.Repeat("0", 64) + `"}`,
		`{"id":"t1","tenant":"other","hash":"` + strings.Repeat("0", 64) + `"}`,
	} {
		s := newStore(t)
		s.table(t)
		key := engine.RecordKey{Kind: "token", Tenant: "shop", Name: "t1"}
		if err := s.db.WriteRecords(engine.Record{RecordKey: key, Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.open(t); err == nil || !strings.Contains(err.Error(), "t1") {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestScopes(t *testing.T) {
	scopes, _, ok := access.ParseScopes([]string{"query", "ingest"})
	if !ok || scopes != access.Ingest|access.Query || !scopes.Has(access.Query) || scopes.Has(access.Admin) || scopes.Has(access.All) {
		t.Errorf("%v, %v", scopes, ok)
	}
	if _, bad, ok := access.ParseScopes([]string{"query", "root"}); ok || bad != "root" {
		t.Errorf("%q, %v", bad, ok)
	}
}
