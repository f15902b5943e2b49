package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/keys"
)

// Settings are what a tenant may choose.
type Settings struct {
	// Zone is the IANA name of the time zone that cuts days; "" is UTC. A change applies from the
	// first day without data on; older days keep their bounds.
	Zone string
	// WeekStart is the first day of a week; a new tenant has Monday.
	WeekStart time.Weekday
	// RetentionDays is the number of whole days kept besides the running one; 0 keeps all.
	RetentionDays int
}

func (s Settings) validate() error {
	switch {
	case s.WeekStart < time.Sunday || s.WeekStart > time.Saturday:
		return fmt.Errorf("engine: week start %d is not a day of the week", s.WeekStart)
	case s.RetentionDays < 0 || s.RetentionDays > 100_000:
		return fmt.Errorf("engine: retention of %d days is not in 0 to 100000", s.RetentionDays)
	}
	_, err := loadLocation(s.Zone)
	return err
}

// tenantRecord is the value of a tenant's key.
type tenantRecord struct {
	ID            keys.Tenant  `json:"id"`
	Eras          []era        `json:"eras"`
	WeekStart     time.Weekday `json:"week_start"`
	RetentionDays int          `json:"retention_days"`
}

// settings are a tenant's record in use. Immutable.
type settings struct {
	record   tenantRecord
	calendar calendar
	retained atomic.Pointer[retained]
}

// retained says what retention keeps during a day.
type retained struct {
	day  spanKey
	from int64
}

func newSettings(record tenantRecord) (*settings, error) {
	calendar, err := newCalendar(record.Eras)
	if err != nil {
		return nil, err
	}
	record.Eras = calendar
	return &settings{record: record, calendar: calendar}, nil
}

func (s *settings) settings() Settings {
	return Settings{s.calendar[len(s.calendar)-1].Zone, s.record.WeekStart, s.record.RetentionDays}
}

// retainedFrom returns the first instant that retention keeps at the time now.
func (s *settings) retainedFrom(now int64) int64 {
	if s.record.RetentionDays == 0 {
		return math.MinInt64
	}
	known := s.retained.Load()
	if known == nil || now < known.day.from || now >= known.day.to {
		from, to := s.calendar.day(now)
		known = &retained{spanKey{from, to}, from}
		for range s.record.RetentionDays {
			known.from, _ = s.calendar.day(known.from - 1)
		}
		s.retained.Store(known)
	}
	return known.from
}

func checkTenantName(name string) error {
	if name == "" || len(name) > 256 || !utf8.ValidString(name) {
		return fmt.Errorf("%w: %q: 1 to 256 bytes of UTF-8 are wanted", ErrTenantName, name)
	}
	for _, r := range name {
		if r < 0x20 || r == 0x7f {
			return fmt.Errorf("%w: %q has a control character", ErrTenantName, name)
		}
	}
	return nil
}

func (s *store) writeTenant(name string, record tenantRecord) error {
	b := s.db.NewBatch()
	if err := setTenant(b, name, record); err != nil {
		return err
	}
	return s.commit(b, true)
}

func setTenant(b *pebble.Batch, name string, record tenantRecord) error {
	value, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return b.Set(keys.TenantName(name), value, nil)
}

// readTenants visits every tenant's record.
func (s *store) readTenants(visit func(name string, record tenantRecord)) error {
	return s.scan(keys.Space(keys.SpaceTenant), func(key, value []byte) error {
		name, err := keys.ParseTenantName(key)
		if err == nil {
			var record tenantRecord
			if err = json.Unmarshal(value, &record); err == nil && record.ID == 0 {
				err = fmt.Errorf("tenant without a number")
			}
			if err == nil {
				visit(name, record)
				return nil
			}
		}
		return &CorruptionError{Key: append([]byte(nil), key...), Err: err}
	})
}

// Settings returns the tenant's settings.
func (t *Tenant) Settings() Settings { return t.settings.Load().settings() }

// Configure changes the tenant's settings, creating the tenant if it is new.
func (t *Tenant) Configure(s Settings) error {
	if err := s.validate(); err != nil {
		return err
	}
	if err := t.ensure(); err != nil {
		return err
	}
	t.commitMu.Lock() // no append may use a day that the change moves
	defer t.commitMu.Unlock()
	if t.isDropped() {
		return errDropped(t.name)
	}
	old := t.settings.Load()
	dataEnd := int64(math.MinInt64)
	for _, span := range t.view.Load().spans {
		dataEnd = max(dataEnd, span.to)
	}
	calendar, err := old.calendar.change(s.Zone, dataEnd)
	if err != nil {
		return err
	}
	record := old.record
	record.Eras, record.WeekStart, record.RetentionDays = calendar, s.WeekStart, s.RetentionDays
	next, err := newSettings(record)
	if err != nil {
		return err
	}
	b := t.db.store.db.NewBatch()
	err = setTenant(b, t.name, record)
	renamed := uint64(0)
	if err == nil {
		renamed, err = t.rename(b)
	}
	if err == nil {
		err = setCounter(b, counterSequence, t.db.sequence.Load())
	}
	if err == nil {
		err = t.db.store.commit(b, true)
	}
	if err != nil {
		return fmt.Errorf("configure tenant %q: %w", t.name, err)
	}
	t.settings.Store(next)
	t.update(func(v *view) { v.settings, v.renamed = next, max(v.renamed, renamed) })
	return nil
}

// setCounter keeps a counter of the directory in the batch.
func setCounter(b *pebble.Batch, name string, value uint64) error {
	return b.Set(keys.Meta(name), fmt.Appendf(nil, "%d", value), nil)
}

func (s *store) counter(name string) (uint64, error) {
	value, err := s.get(keys.Meta(name))
	if err != nil || value == nil {
		return 0, err
	}
	var n uint64
	if _, err := fmt.Sscanf(string(value), "%d", &n); err != nil {
		return 0, &CorruptionError{Key: keys.Meta(name), Err: err}
	}
	return n, nil
}
