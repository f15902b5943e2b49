package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"cairn/engine"
	"cairn/server"
	"cairn/server/api"
)

type tenantCmd struct {
	List tenantListCmd `cmd:"" help:"List the tenants and their settings."`
	Set  tenantSetCmd  `cmd:"" help:"Change a tenant's settings; a new one is made."`
	Drop tenantDropCmd `cmd:"" help:"Delete a tenant with all its events."`
}

func (tenantCmd) Help() string {
	return `A tenant is a separate set of events and users in one data directory.

Examples:

  cairn tenant list --data ./cairn-data
  cairn tenant set --data ./cairn-data shop --tz Asia/Shanghai --week mon --retention-days 400`
}

type tenantListCmd struct {
	tokenStore
	JSON bool `help:"Print the settings as JSON."`
}

func (tenantListCmd) Help() string {
	return "Examples:\n\n  cairn tenant list --data ./cairn-data\n  cairn tenant list --server http://127.0.0.1:8081 --token ck_… --json"
}

func (cmd *tenantListCmd) Run(ctx context.Context, c *console) error {
	var answer api.TenantsAnswer
	err := cmd.administer(ctx, func(t *target) error {
		return t.mustExist()
	}, func(remote *client) error {
		return remote.call(ctx, http.MethodGet, "/v1/tenants", nil, &answer)
	}, func(srv *server.Server) (err error) {
		answer.Tenants, err = srv.Tenants()
		return err
	})
	if err != nil {
		return err
	}
	if cmd.JSON {
		encoder := json.NewEncoder(c.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(answer)
	}
	for _, one := range answer.Tenants {
		fmt.Fprintln(c.out, one.Name)
	}
	return nil
}

type tenantSetCmd struct {
	tokenStore
	Name          string           `arg:"" help:"The tenant."`
	TZ            *string          `name:"tz" help:"Time zone that cuts days, such as Asia/Shanghai; it applies from the first day without data." placeholder:"ZONE"`
	Week          *string          `help:"First day of a week: mon, tue, …" placeholder:"DAY"`
	RetentionDays *int             `help:"Whole days that are kept besides the running one; 0 keeps all." placeholder:"N"`
	Limit         map[string]int64 `help:"A limit, such as events_per_second=1000; 0 goes back to the server's." placeholder:"NAME=N"`
	Suspend       bool             `help:"Refuse every request of the tenant's tokens." xor:"suspend"`
	Resume        bool             `help:"Take them again." xor:"suspend"`
}

func (tenantSetCmd) Help() string {
	return `What is not given stays as it is. A running server takes the change over at once.

Examples:

  cairn tenant set --data ./cairn-data shop --tz Asia/Shanghai --retention-days 400
  cairn tenant set --server http://127.0.0.1:8081 --token ck_… shop --limit events_per_second=1000`
}

func (cmd *tenantSetCmd) Run(ctx context.Context, c *console) error {
	change := api.TenantChange{TZ: cmd.TZ, Week: cmd.Week, RetentionDays: cmd.RetentionDays}
	for name, value := range cmd.Limit {
		if change.Limits == nil {
			change.Limits = make(map[string]*int64)
		}
		change.Limits[name] = &value
	}
	if cmd.Suspend || cmd.Resume {
		change.Suspended = &cmd.Suspend
	}
	var now api.Tenant
	err := cmd.administer(ctx, nil, func(remote *client) error {
		err := remote.call(ctx, http.MethodPatch, "/v1/tenants/"+url.PathEscape(cmd.Name), change, &now)
		var told *api.Error
		if errors.As(err, &told) && told.Code == api.CodeNotFound {
			err = remote.call(ctx, http.MethodPost, "/v1/tenants", api.NewTenant{Name: cmd.Name, TenantChange: change}, &now)
		}
		return err
	}, func(srv *server.Server) error {
		made, err := srv.ConfigureTenant(cmd.Name, &change)
		if err == nil {
			now = *made
		}
		return err
	})
	if err != nil {
		return err
	}
	zone, kept := now.TZ, "everything"
	if zone == "" {
		zone = "UTC"
	}
	if now.RetentionDays > 0 {
		kept = plural(int64(now.RetentionDays), "day")
	}
	fmt.Fprintf(c.out, "%s: days of %s, weeks from %s, keeps %s", now.Name, zone, now.Week, kept)
	if limits, err := json.Marshal(now.Limits); err == nil && string(limits) != "{}" {
		fmt.Fprintf(c.out, ", limits %s", limits)
	}
	if now.Suspended {
		fmt.Fprint(c.out, ", suspended")
	}
	fmt.Fprintln(c.out)
	return nil
}

// administer does something with a running server, or with the data directory as a server would.
func (s *tokenStore) administer(_ context.Context, check func(*target) error, remote func(*client) error, local func(*server.Server) error) (err error) {
	t := target{store: store{Data: s.Data}, Server: s.Server, Token: s.Token}
	if err := t.resolve(); err != nil {
		return err
	}
	if t.Server != "" {
		c := t.client()
		c.tenant = ""
		return remote(c)
	}
	if check != nil {
		if err := check(&t); err != nil {
			return err
		}
	}
	db, err := t.openDB(engine.Options{NoBackground: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	srv, err := server.New(db, server.Options{})
	if err != nil {
		return err
	}
	return errors.Join(local(srv), srv.Shutdown(context.Background()))
}

type tenantDropCmd struct {
	Data string `help:"Data directory (default: $$CAIRN_DATA)." placeholder:"DIR"`
	Yes  bool   `help:"Do not ask."`
	Name string `arg:"" help:"The tenant."`
}

func (tenantDropCmd) Help() string {
	return "What is dropped is gone: there is no way back but a copy of the directory.\n\nExample:\n\n  cairn tenant drop --data ./cairn-data trial-7"
}

func (cmd *tenantDropCmd) Run(c *console) error {
	s := store{Data: cmd.Data, Tenant: cmd.Name}
	if err := s.resolve(); err != nil {
		return err
	}
	db, tenant, err := s.openTenant(engine.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	snapshot := tenant.Snapshot()
	rows := int64(snapshot.Rows())
	snapshot.Close()
	if !cmd.Yes {
		fmt.Fprintf(c.err, "Drop tenant %s with %s? Type its name: ", cmd.Name, plural(rows, "event"))
		line, err := bufio.NewReader(c.in).ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if strings.TrimSpace(line) != cmd.Name {
			return fmt.Errorf("nothing was dropped; without a terminal give --yes")
		}
	}
	if err := db.DropTenant(cmd.Name); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "dropped %s with %s\n", cmd.Name, plural(rows, "event"))
	return nil
}
