package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cairn/engine"
	"cairn/server/api"
)

// weekNames are the days as settings and parameters write them.
var weekNames = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func listTenants(r *request) error {
	list, err := r.s.Tenants()
	if err != nil {
		return err
	}
	return r.json(200, api.TenantsAnswer{Tenants: list})
}

// Tenants returns the stored tenants with their settings, by name.
func (s *Server) Tenants() ([]api.Tenant, error) {
	records, err := s.db.AllRecords(tenantKind)
	if err != nil {
		return nil, err
	}
	kept := make(map[string][]byte, len(records))
	for _, one := range records {
		kept[one.Tenant] = one.Value
	}
	list := []api.Tenant{}
	for _, name := range s.db.Tenants() {
		stored, err := s.db.Tenant(name)
		if err != nil {
			return nil, err
		}
		one := settingsOf(name, stored.Settings())
		if value := kept[name]; value != nil {
			record, own, err := decodeTenantRecord(name, value)
			if err != nil {
				return nil, err
			}
			one.Limits, one.Suspended = own, record.Suspended
		}
		list = append(list, one)
	}
	return list, nil
}

func settingsOf(name string, s engine.Settings) api.Tenant {
	return api.Tenant{Name: name, TZ: s.Zone, Week: weekNames[s.WeekStart], RetentionDays: s.RetentionDays}
}

// namedTenant returns the tenant in the path, which has to be stored.
func (r *request) namedTenant() (*tenant, error) {
	name := r.params[0]
	if !r.s.db.Exists(name) {
		return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("there is no tenant %q", name)}
	}
	t, err := r.s.tenants.get(name)
	r.owner = t
	return t, err
}

func getTenant(r *request) error {
	t, err := r.namedTenant()
	if err != nil {
		return err
	}
	stats, err := t.Stats()
	if err != nil {
		return err
	}
	answer := t.answer()
	answer.Size = api.TenantSize{
		Rows: stats.Rows, Users: stats.Users, Partitions: stats.Partitions, Segments: stats.Segments, Bytes: stats.SealedBytes,
		HotRows: stats.HotRows, HotBytes: stats.HotBytes,
	}
	if stats.Rows > 0 {
		first, last := time.Unix(0, stats.TimeMin).UTC(), time.Unix(0, stats.TimeMax).UTC()
		answer.Size.First, answer.Size.Last = &first, &last
	}
	return r.json(200, answer)
}

func (t *tenant) answer() *api.TenantAnswer {
	state := t.state.Load()
	one := settingsOf(t.name, t.Settings())
	one.Limits, one.Suspended = state.own, state.suspended
	return &api.TenantAnswer{Tenant: one, Effective: state.limits}
}

func postTenant(r *request) error {
	var body api.NewTenant
	if err := r.decode(&body); err != nil {
		return err
	}
	if body.Name == "" {
		return &api.Error{Code: api.CodeBadParameter, Message: "name: a tenant has a name"}
	}
	r.s.tenants.settings.Lock()
	defer r.s.tenants.settings.Unlock()
	if r.s.db.Exists(body.Name) {
		return &api.Error{Code: api.CodeExists, Message: fmt.Sprintf("there is a tenant %q already", body.Name)}
	}
	t, err := r.s.tenants.get(body.Name)
	if err != nil {
		return err
	}
	r.owner = t
	if err := r.s.changeTenant(t, &body.TenantChange); err != nil {
		return err
	}
	return r.json(201, t.answer().Tenant)
}

func patchTenant(r *request) error {
	var change api.TenantChange
	if err := r.decode(&change); err != nil {
		return err
	}
	r.s.tenants.settings.Lock()
	defer r.s.tenants.settings.Unlock()
	t, err := r.namedTenant()
	if err != nil {
		return err
	}
	if err := r.s.changeTenant(t, &change); err != nil {
		return err
	}
	return r.json(200, t.answer().Tenant)
}

// changeTenant changes what the engine and the server keep of a tenant, for the requests that come. All
// is looked at before anything is changed.
func (s *Server) changeTenant(t *tenant, c *api.TenantChange) error {
	settings := t.Settings()
	if c.TZ != nil {
		if _, err := time.LoadLocation(*c.TZ); err != nil || *c.TZ == "Local" {
			return badParameter("tz", *c.TZ, "an IANA zone, such as Asia/Shanghai")
		}
		settings.Zone = *c.TZ
	}
	if c.Week != nil {
		day := slices.Index(weekNames[:], strings.ToLower(*c.Week))
		if day < 0 {
			return badParameter("week", *c.Week, "mon, tue, wed, thu, fri, sat or sun")
		}
		settings.WeekStart = time.Weekday(day)
	}
	if c.RetentionDays != nil {
		if *c.RetentionDays < 0 || *c.RetentionDays > retentionDaysMax {
			return badParameter("retention_days", fmt.Sprint(*c.RetentionDays), fmt.Sprintf("0, which keeps all, to %d", retentionDaysMax))
		}
		settings.RetentionDays = *c.RetentionDays
	}
	state := t.state.Load()
	own, err := changeLimits(state.own, c.Limits)
	if err != nil {
		return err
	}
	suspended := state.suspended
	if c.Suspended != nil {
		suspended = *c.Suspended
	}
	if err := t.Configure(settings); err != nil {
		return err
	}
	return s.tenants.change(t, own, suspended)
}

// retentionDaysMax is the engine's.
const retentionDaysMax = 100_000

// changeLimits returns limits with some of them changed; null and 0 go back to the server's.
func changeLimits(own api.Limits, change map[string]*int64) (api.Limits, error) {
	table := limitsTable(&own)
	for name, value := range change {
		i := slices.IndexFunc(table, func(l limit) bool { return l.name == name })
		if i < 0 {
			return own, unknownLimit(fmt.Sprintf("limits: there is no limit %q", name))
		}
		*table[i].value = 0
		if value != nil {
			*table[i].value = *value
		}
	}
	return own, checkLimits(own)
}

// deleteTenant drops a tenant with its tokens and all else that it has. It is gone when the answer
// comes; the disk has its bytes back a little later.
func deleteTenant(r *request) error {
	r.s.tenants.settings.Lock()
	defer r.s.tenants.settings.Unlock()
	t, err := r.namedTenant()
	if err != nil {
		return err
	}
	if r.param("confirm") != t.name {
		return &api.Error{
			Code:    api.CodeBadParameter,
			Message: fmt.Sprintf("this deletes all events of %s for good, and wants confirm=%s", t.name, t.name),
		}
	}
	// Nobody else writes to it meanwhile. That is not on disk: what is dropped needs no settings.
	before := t.state.Load()
	closed := *before
	closed.suspended = true
	t.state.Store(&closed)
	if err := r.s.db.DropTenant(t.name); err != nil && r.s.db.Exists(t.name) {
		t.state.Store(before)
		return err
	} else if err != nil {
		r.s.opt.Logger.Error("a tenant was dropped, some of its bytes were not", "tenant", t.name, "error", err)
	}
	r.s.snapshots.Forget(t.name)
	r.s.tokens.Forget(t.name)
	r.s.tenants.forget(t.name)
	r.s.metrics.forget(t.name)
	r.s.opt.Logger.Info("tenant dropped", "tenant", t.name, "by", r.who())
	return r.none(202)
}

// decodeTenantRecord reads what the server keeps of a tenant.
func decodeTenantRecord(name string, value []byte) (record tenantRecord, own api.Limits, err error) {
	if err := json.Unmarshal(value, &record); err != nil {
		return record, own, errors.Join(engine.ErrCorrupt, fmt.Errorf("settings of tenant %q: %w", name, err))
	}
	if len(record.Limits) > 0 {
		if own, err = decodeLimits(record.Limits); err != nil {
			return record, own, errors.Join(engine.ErrCorrupt, fmt.Errorf("settings of tenant %q: %w", name, err))
		}
	}
	return record, own, nil
}

// ConfigureTenant changes what is kept of a tenant, which is stored if it is new, as PATCH /v1/tenants/{name}
// does: for programs that have the store open themselves.
func (s *Server) ConfigureTenant(name string, c *api.TenantChange) (*api.Tenant, error) {
	s.tenants.settings.Lock()
	defer s.tenants.settings.Unlock()
	t, err := s.tenants.get(name)
	if err != nil {
		return nil, err
	}
	if err := s.changeTenant(t, c); err != nil {
		return nil, err
	}
	return &t.answer().Tenant, nil
}
