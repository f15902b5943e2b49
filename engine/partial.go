package engine

import (
	"bytes"
	"context"
	"fmt"

	"cairn/engine/keys"
)

// partialRounds bounds how often rewritePartial looks for more.
const partialRounds = 3

// rewritePartial makes the store write those tables of chunks again of which some chunks have been removed. The
// store cuts such a table in pieces that leave the removed bytes out, but its file keeps them for as long as a
// piece is left. It reports whether none is.
func (db *DB) rewritePartial(ctx context.Context) (done bool, err error) {
	for range partialRounds {
		pieces, err := db.store.partialTables()
		if err != nil || len(pieces) == 0 {
			return err == nil, err
		}
		for _, first := range pieces {
			// A deletion of keys that are no chunks', around one that is: on its way down it takes the piece
			// along. Where it ends up, nothing of it is left.
			around := keys.Span{Start: first[:len(first)-1], End: append(bytes.Clone(first), 0)}
			if err := db.store.ingest(ctx, []tableEntry{{key: around.Start}, {key: around.End}}); err != nil {
				return false, err
			}
			err := db.store.guarded(func() error { return db.store.db.Compact(ctx, around.Start, append(around.End, 0), false) })
			if err != nil {
				return false, fmt.Errorf("compact chunks: %w", err)
			}
		}
	}
	pieces, err := db.store.partialTables()
	return len(pieces) == 0, err
}

// partialTables returns the first keys of the pieces of tables of chunks.
func (s *store) partialTables() ([][]byte, error) {
	if err := s.use(); err != nil {
		return nil, err
	}
	defer s.done()
	levels, err := s.db.SSTables()
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	var out [][]byte
	for _, tables := range levels {
		for i := range tables {
			if first := tables[i].Smallest.UserKey; tables[i].Virtual && first[0] == keys.SpaceChunk {
				out = append(out, bytes.Clone(first))
			}
		}
	}
	return out, nil
}
