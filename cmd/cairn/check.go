package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cairn/engine"
)

type checkCmd struct {
	Data string `help:"Data directory (default: $$CAIRN_DATA)." placeholder:"DIR"`
}

func (checkCmd) Help() string {
	return `Reads everything: each checksum, each index against the column it was made from, each part against
the manifest. Exit code 0: all is well; 1: damage, named part by part. Parts that are not named can
still be queried and exported.

Example:

  cairn check --data ./cairn-data`
}

func (cmd *checkCmd) Run(ctx context.Context, c *console) error {
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
	start := time.Now()
	report, err := db.Check(ctx)
	if err != nil && !errors.Is(err, engine.ErrCorrupt) {
		return err
	}
	fmt.Fprintf(c.out, "%s in %s and %s of %s read in %.1f s\n", plural(int64(report.Rows), "sealed event"),
		plural(int64(report.Segments), "segment"), plural(int64(report.Frames), "frame"), plural(int64(report.Tenants), "tenant"),
		time.Since(start).Seconds())
	if err != nil {
		return fmt.Errorf("damage found:\n%w", err)
	}
	fmt.Fprintln(c.out, "all is well")
	return nil
}
