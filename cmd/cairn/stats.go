package main

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sort"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query/result"
)

type statsCmd struct {
	Data   string `help:"Data directory (default: $$CAIRN_DATA)." placeholder:"DIR"`
	Tenant string `help:"Only this tenant." placeholder:"NAME"`
	Days   bool   `help:"List the days of each tenant too."`
}

func (statsCmd) Help() string {
	return `Examples:

  cairn stats --data ./cairn-data
  cairn stats --data ./cairn-data --tenant default --days`
}

func (cmd *statsCmd) Run(c *console) error {
	s := store{Data: cmd.Data}
	if err := s.resolve(); err != nil {
		return err
	}
	if err := s.mustExist(); err != nil {
		return err
	}
	db, err := s.openDB(engine.Options{NoBackground: true})
	if err != nil {
		return err
	}
	defer db.Close()
	names := db.Tenants()
	if cmd.Tenant != "" {
		s.Tenant = cmd.Tenant
		tenants := names
		names = nil
		for _, name := range tenants {
			if name == cmd.Tenant {
				names = []string{name}
			}
		}
		if names == nil {
			return noTenant(cmd.Tenant, tenants)
		}
	}
	fmt.Fprintf(c.out, "%s: %s on disk, %s\n", s.Data, sizeText(folderSize(s.Data)), plural(int64(len(db.Tenants())), "tenant"))
	for _, name := range names {
		if err := printTenant(c, db, name, cmd.Days); err != nil {
			return err
		}
	}
	return nil
}

func printTenant(c *console, db *engine.DB, name string, days bool) error {
	tenant, err := db.Tenant(name)
	if err != nil {
		return err
	}
	st, err := tenant.Stats()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "\n%s: %s, %s\n", name, plural(int64(st.Rows), "event"), plural(int64(st.Users), "user"))
	if st.Rows > 0 {
		fmt.Fprintf(c.out, "  time      %s to %s\n", event.AppendTime(nil, st.TimeMin), event.AppendTime(nil, st.TimeMax))
	}
	fmt.Fprintf(c.out, "  layout    %s, %s, %s; %s not sealed yet\n", plural(int64(st.Partitions), "partition"),
		plural(int64(st.Segments), "segment"), plural(int64(st.Runs), "sorted run"), plural(int64(st.HotRows), "event"))
	if sealed := st.Rows - st.HotRows; sealed > 0 {
		fmt.Fprintf(c.out, "  sealed    %s, %.1f bytes an event\n", sizeText(st.SealedBytes), float64(st.SealedBytes)/float64(sealed))
		printKinds(c.out, st.Bytes)
	}
	if !days {
		return nil
	}
	return printDays(c, tenant)
}

func printKinds(w io.Writer, bytes map[string]int64) {
	kinds := make([]string, 0, len(bytes))
	for kind := range bytes {
		kinds = append(kinds, kind)
	}
	sort.Slice(kinds, func(i, j int) bool { return bytes[kinds[i]] > bytes[kinds[j]] })
	for _, kind := range kinds {
		fmt.Fprintf(w, "    %-13s %s\n", kind, sizeText(bytes[kind]))
	}
}

func printDays(c *console, tenant *engine.Tenant) error {
	partitions, err := tenant.Partitions()
	if err != nil {
		return err
	}
	table := &result.Table{Columns: []result.Column{
		{Name: "from"}, {Name: "to"}, {Name: "events"}, {Name: "unsealed"}, {Name: "segments"}, {Name: "runs"}, {Name: "bytes"},
	}}
	snapshot := tenant.Snapshot()
	table.Meta = result.Meta{Exact: true, Location: snapshot.Location()}
	snapshot.Close()
	for _, p := range partitions {
		table.Rows = append(table.Rows, []event.Value{
			event.Time(p.From), event.Time(p.To), event.Int(int64(p.Rows)), event.Int(int64(p.HotRows)),
			event.Int(int64(p.Segments)), event.Int(int64(p.Runs)), event.Int(p.Bytes),
		})
	}
	table.Infer()
	fmt.Fprintln(c.out)
	_, err = c.out.Write(appendTable(table, "text", c.screen()))
	return err
}

// folderSize is the size of all files below a folder.
func folderSize(dir string) int64 {
	total := int64(0)
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}
