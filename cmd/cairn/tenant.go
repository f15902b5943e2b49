package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"cairn/engine"
)

type tenantCmd struct {
	List tenantListCmd `cmd:"" help:"List the tenants of a data directory."`
	Drop tenantDropCmd `cmd:"" help:"Delete a tenant with all its events."`
}

func (tenantCmd) Help() string {
	return "A tenant is a separate set of events and users in one data directory.\n\nExample:\n\n  cairn tenant list --data ./cairn-data"
}

type tenantListCmd struct {
	Data string `help:"Data directory (default: $$CAIRN_DATA)." placeholder:"DIR"`
}

func (tenantListCmd) Help() string { return "Example:\n\n  cairn tenant list --data ./cairn-data" }

func (cmd *tenantListCmd) Run(c *console) error {
	s := store{Data: cmd.Data}
	if err := s.resolve(); err != nil {
		return err
	}
	if err := s.mustExist(); err != nil {
		return err
	}
	db, err := s.openDB(engine.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	names := db.Tenants()
	for _, name := range names {
		fmt.Fprintln(c.out, name)
	}
	return nil
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
