package main

import (
	"context"
	"fmt"
	"time"

	"cairn/engine"
)

type compactCmd struct {
	Data string `help:"Data directory (default: $$CAIRN_DATA)." placeholder:"DIR"`
}

func (compactCmd) Help() string {
	return `The background work of a running server does the same by and by; after a large import it is worth
doing at once, for smaller files and the fastest answers.

Example:

  cairn compact --data ./cairn-data`
}

func (cmd *compactCmd) Run(ctx context.Context, c *console) error {
	s := store{Data: cmd.Data}
	if err := s.resolve(); err != nil {
		return err
	}
	if err := s.mustExist(); err != nil {
		return err
	}
	before := folderSize(s.Data)
	start := time.Now()
	db, err := s.openDB(engine.Options{})
	if err != nil {
		return err
	}
	if err := db.Settle(ctx); err != nil {
		db.Close()
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s in %.1f s: %s before, %s now\n", s.Data, time.Since(start).Seconds(), sizeText(before), sizeText(folderSize(s.Data)))
	return nil
}
