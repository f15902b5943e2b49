package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"cairn/engine"
)

// store is the flag of commands that work on a data directory only.
type store struct {
	Data   string `help:"Data directory (default: $$CAIRN_DATA)." placeholder:"DIR"`
	Tenant string `help:"Tenant: a separate set of events and users (default: $$CAIRN_TENANT, or \"default\")." placeholder:"NAME"`
}

// target is the pair of flags of commands that work on a data directory or through a server.
type target struct {
	store
	Server string `help:"Address of a running server, such as http://127.0.0.1:8080 (default: $$CAIRN_SERVER)." placeholder:"URL"`
	Token  string `help:"Token that the server asks for (default: $$CAIRN_TOKEN)." placeholder:"TEXT"`
}

// resolve fills what was not given from the environment and refuses what is missing or double.
func (s *store) resolve() error {
	s.tenantDefault()
	if s.Data == "" {
		s.Data = os.Getenv("CAIRN_DATA")
	}
	if s.Data == "" {
		return usagef("which store? Give --data DIR, or set CAIRN_DATA")
	}
	return nil
}

func (s *store) tenantDefault() {
	if s.Tenant == "" {
		s.Tenant = os.Getenv("CAIRN_TENANT")
	}
	if s.Tenant == "" {
		s.Tenant = "default"
	}
}

func (t *target) resolve() error {
	named := t.Tenant != "" || os.Getenv("CAIRN_TENANT") != ""
	t.tenantDefault()
	if t.Data != "" && t.Server != "" {
		return usagef("give either --data or --server, not both")
	}
	if t.Data == "" && t.Server == "" {
		t.Data, t.Server = os.Getenv("CAIRN_DATA"), os.Getenv("CAIRN_SERVER")
		if t.Data != "" && t.Server != "" {
			return usagef("both CAIRN_DATA and CAIRN_SERVER are set: say which with --data or --server")
		}
	}
	if t.Data == "" && t.Server == "" {
		return usagef("which store? Give --data DIR or --server URL, or set CAIRN_DATA or CAIRN_SERVER")
	}
	if t.Token == "" {
		t.Token = os.Getenv("CAIRN_TOKEN")
	}
	if t.Server != "" {
		if !strings.Contains(t.Server, "://") {
			t.Server = "http://" + t.Server
		}
		t.Server = strings.TrimRight(t.Server, "/")
		if !named && t.Token != "" {
			t.Tenant = "" // the token says whose events these are
		}
	}
	return nil
}

// client returns a client of the server.
func (t *target) client() *client {
	return &client{base: t.Server, tenant: t.Tenant, token: t.Token}
}

// openDB opens the data directory, which it creates if need be.
func (s *store) openDB(opt engine.Options) (*engine.DB, error) {
	db, err := engine.Open(s.Data, opt)
	switch {
	case errors.Is(err, engine.ErrLocked):
		return nil, fmt.Errorf("%s is in use by another process: stop it or, if it is cairn serve, give --server URL instead of --data", s.Data)
	case errors.Is(err, engine.ErrNewerFormat):
		return nil, fmt.Errorf("%s was written by a newer version of Cairn (%w); this is cairn %s", s.Data, err, version())
	case err != nil:
		return nil, err
	}
	return db, nil
}

// openTenant opens a data directory with events in it, and the tenant that the flags name. The
// caller closes the store.
func (s *store) openTenant(opt engine.Options) (*engine.DB, *engine.Tenant, error) {
	if err := s.mustExist(); err != nil {
		return nil, nil, err
	}
	db, err := s.openDB(opt)
	if err != nil {
		return nil, nil, err
	}
	names := db.Tenants()
	if !slices.Contains(names, s.Tenant) {
		db.Close()
		return nil, nil, noTenant(s.Tenant, names)
	}
	tenant, err := db.Tenant(s.Tenant)
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return db, tenant, nil
}

func noTenant(name string, known []string) error {
	switch {
	case len(known) == 0:
		return fmt.Errorf("there is no tenant %q, nor any other: nothing has been stored yet", name)
	case len(known) > 10:
		return fmt.Errorf("there is no tenant %q; see: cairn tenant list", name)
	}
	return fmt.Errorf("there is no tenant %q; there is %s", name, strings.Join(known, ", "))
}

// mustExist refuses a directory without data, which opening would otherwise create.
func (s *store) mustExist() error {
	entries, err := os.ReadDir(s.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return fmt.Errorf("there is no Cairn data in %s; load some with: cairn import --data %s FILE", s.Data, s.Data)
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}
