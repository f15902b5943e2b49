package server

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine"
	"cairn/server/api"
)

// defaultTenant takes what names no tenant, as long as there are no tokens.
const defaultTenant = "default"

// tenantKind is the kind of the records that hold what the server knows of tenants beside the engine.
const tenantKind = "tenant"

// tenantRecord is the value of such a record.
type tenantRecord struct {
	Limits    json.RawMessage `json:"limits,omitempty"`
	Suspended bool            `json:"suspended,omitempty"`
}

// tenants are the tenants in use, with what the server keeps of each in memory.
type tenants struct {
	db    *engine.DB
	base  api.Limits // of a tenant that sets none
	pace  func()     // called while bodies are scanned, every so many events
	mu    sync.RWMutex
	byKey map[string]*tenant
	// settings is held while those of a tenant are changed, or it is made or dropped. It is taken first.
	settings sync.Mutex
}

// tenant is a tenant in use.
type tenant struct {
	*engine.Tenant
	name     string
	inFlight budget
	rejects  rejects
	rate     rate
	state    atomic.Pointer[tenantState]
	erasures atomic.Uint64 // of users, since the start
}

// tenantState is what the settings of a tenant amount to. It is immutable.
type tenantState struct {
	limits    api.Limits // effective
	own       api.Limits // those that the tenant sets
	suspended bool
	intake    *intake // of events
	restoring *intake // the same, taking the arrival of an event from the body
}

func newTenants(db *engine.DB, base api.Limits, pace func()) *tenants {
	return &tenants{db: db, base: base, pace: pace, byKey: make(map[string]*tenant)}
}

// get returns the tenant of that name, whether or not it is stored yet.
func (ts *tenants) get(name string) (*tenant, error) {
	ts.mu.RLock()
	t := ts.byKey[name]
	ts.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t := ts.byKey[name]; t != nil {
		return t, nil
	}
	stored, err := ts.db.Tenant(name)
	if err != nil {
		return nil, err
	}
	t = &tenant{Tenant: stored, name: name}
	value, err := ts.db.Record(engine.RecordKey{Kind: tenantKind, Name: name, Tenant: name})
	if err != nil {
		return nil, err
	}
	var record tenantRecord
	var own api.Limits
	if value != nil {
		if record, own, err = decodeTenantRecord(name, value); err != nil {
			return nil, err
		}
	}
	state, err := ts.newState(own, record.Suspended)
	if err != nil {
		return nil, fmt.Errorf("settings of tenant %q: %w", name, err)
	}
	t.state.Store(state)
	ts.byKey[name] = t
	return t, nil
}

func (ts *tenants) newState(own api.Limits, suspended bool) (*tenantState, error) {
	state := &tenantState{limits: over(ts.base, own), own: own, suspended: suspended}
	var err error
	opt := scanLimits(&state.limits)
	opt.Pace = ts.pace
	if state.intake, err = newIntake(opt); err != nil {
		return nil, err
	}
	opt.AllowReceived = true
	state.restoring, err = newIntake(opt)
	return state, err
}

// change writes what the server keeps of a tenant, and puts it to use for the requests that come.
func (ts *tenants) change(t *tenant, own api.Limits, suspended bool) error {
	limits, err := json.Marshal(own)
	if err != nil {
		return err
	}
	record := tenantRecord{Limits: limits, Suspended: suspended}
	state, err := ts.newState(own, suspended)
	if err != nil {
		return err
	}
	value, err := json.Marshal(&record)
	if err != nil {
		return err
	}
	key := engine.RecordKey{Kind: tenantKind, Name: t.name, Tenant: t.name}
	if err := ts.db.WriteRecords(engine.Record{RecordKey: key, Value: value}); err != nil {
		return err
	}
	t.state.Store(state)
	return nil
}

// forget drops what is in memory of a tenant that has been dropped.
func (ts *tenants) forget(name string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.byKey, name)
}

func (t *tenant) limits() *api.Limits { return &t.state.Load().limits }

// rate bounds events per second by a bucket that holds a few seconds' worth.
type rate struct {
	sync.Mutex
	tokens float64
	last   time.Time
}

// rateSeconds is how many seconds' worth of events may come at once.
const rateSeconds = 5

// take takes n events from the bucket; else it returns after how long they could be had.
func (r *rate) take(n int, perSecond int64, now time.Time) (time.Duration, bool) {
	if perSecond <= 0 {
		return 0, true
	}
	r.Lock()
	defer r.Unlock()
	full := float64(perSecond) * rateSeconds
	if r.last.IsZero() {
		r.tokens = full
	} else if passed := now.Sub(r.last).Seconds(); passed > 0 { // the clock may have been put back
		r.tokens = min(full, r.tokens+passed*float64(perSecond))
	}
	r.last = now
	// A request of more events than the bucket holds passes when it is full, and is paid off later.
	need := min(float64(n), full)
	if r.tokens < need {
		return time.Duration((need - r.tokens) / float64(perSecond) * float64(time.Second)), false
	}
	r.tokens -= float64(n)
	return 0, true
}
