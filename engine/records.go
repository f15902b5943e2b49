package engine

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/keys"
)

// recordBytesMax bounds the value of a record: one batch of the key-value store has to hold it.
const recordBytesMax = 64 << 20

// RecordKey names a record: a small document that a program keeps beside the events, such as a token
// or a saved query. The engine does not look into it. Records of a tenant go when it is dropped; those
// of the directory as a whole have no Tenant, and the tenant need not exist.
type RecordKey struct{ Kind, Tenant, Name string }

// Record is a record's key and value. A nil Value in WriteRecords deletes it.
type Record struct {
	RecordKey
	Value []byte
}

func (k RecordKey) validate() error {
	switch {
	case k.Kind == "" || strings.IndexByte(k.Kind, 0) >= 0 || len(k.Kind) > 64:
		return fmt.Errorf("engine: %q is not a kind of records", k.Kind)
	case strings.IndexByte(k.Tenant, 0) >= 0 || len(k.Tenant) > 256:
		return fmt.Errorf("%w: %q", ErrTenantName, k.Tenant)
	case len(k.Name) > 1024:
		return fmt.Errorf("engine: the name of a record has %d bytes, 1024 are allowed", len(k.Name))
	}
	return nil
}

// WriteRecords writes and deletes records: all of them or none, and on disk when it returns.
func (db *DB) WriteRecords(records ...Record) error {
	b := db.store.db.NewBatch()
	for _, r := range records {
		if err := r.validate(); err != nil {
			return err
		}
		if len(r.Value) > recordBytesMax {
			return fmt.Errorf("engine: a record of %d bytes, %d are allowed", len(r.Value), recordBytesMax)
		}
		key := keys.Record(r.Kind, r.Tenant, r.Name)
		err := error(nil)
		if r.Value == nil {
			err = b.Delete(key, nil)
		} else {
			err = b.Set(key, r.Value, nil)
		}
		if err != nil {
			return err
		}
	}
	if err := db.store.commit(b, true); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}

// Record returns the value of a record, nil if there is none. The bytes are the caller's.
func (db *DB) Record(key RecordKey) ([]byte, error) {
	if err := key.validate(); err != nil {
		return nil, err
	}
	return db.store.get(keys.Record(key.Kind, key.Tenant, key.Name))
}

// Records returns the records of a kind and a tenant, by name. The bytes are the caller's.
func (db *DB) Records(kind, tenant string) ([]Record, error) {
	key := RecordKey{Kind: kind, Tenant: tenant}
	if err := key.validate(); err != nil {
		return nil, err
	}
	return db.records(keys.RecordSpan(kind, tenant))
}

// AllRecords returns the records of a kind of all tenants, by tenant and name. The bytes are the caller's.
func (db *DB) AllRecords(kind string) ([]Record, error) {
	if err := (RecordKey{Kind: kind}).validate(); err != nil {
		return nil, err
	}
	return db.records(keys.RecordKindSpan(kind))
}

func (db *DB) records(span keys.Span) ([]Record, error) {
	var out []Record
	err := db.store.scan(span, func(key, value []byte) error {
		kind, tenant, name, err := keys.ParseRecord(key)
		if err != nil {
			return &CorruptionError{Key: bytes.Clone(key), Err: err}
		}
		out = append(out, Record{RecordKey{kind, tenant, name}, slices.Concat([]byte{}, value)})
		return nil
	})
	return out, err
}

// deleteRecords deletes the records of a tenant, whatever kinds of records there are.
func (s *store) deleteRecords(b *pebble.Batch, tenant string) error {
	all := keys.Space(keys.SpaceRecord)
	it, err := s.iterate(all)
	if err != nil {
		return fmt.Errorf("iterate records: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok; {
		kind, _, _, err := keys.ParseRecord(it.Key())
		if err != nil {
			return &CorruptionError{Key: bytes.Clone(it.Key()), Err: err}
		}
		span := keys.RecordSpan(kind, tenant)
		if err := b.DeleteRange(span.Start, span.End, nil); err != nil {
			return err
		}
		ok = it.SeekGE(keys.RecordKindSpan(kind).End)
	}
	return it.Error()
}
