package engine

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"

	"cairn/engine/keys"
)

func pebbleOptions(o Options, cache *pebble.Cache, s *store) *pebble.Options {
	p := &pebble.Options{
		Cache:                       cache,
		FS:                          storeFS{o.FS, s},
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                uint64(o.MemTableBytes),
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       32,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                4096,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             512 << 10,
		FlushDelayDeleteRange:       10 * time.Second,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Logger:                      pebbleLogger{s},
		Cleaner:                     pebble.ArchiveCleaner{},
	}
	p.Experimental.EnableColumnarBlocks = func() bool { return true }
	p.Experimental.FileCacheShards = 2
	// Frames are written once and range-deleted within minutes: kept out of the tables, a
	// compaction does not move them.
	p.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: true, MinimumSize: 4 << 10, MaxBlobReferenceDepth: 10,
			RewriteMinimumAge: time.Minute, TargetGarbageRatio: 0.3,
		}
	}
	p.Experimental.SpanPolicyFunc = separateFrames
	p.TargetFileSizes[0] = 16 << 20
	for i := range p.Levels {
		p.Levels[i].BlockSize = 32 << 10
		p.Levels[i].IndexBlockSize = 256 << 10
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		p.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	}
	last := len(p.Levels) - 1
	p.Levels[last].FilterPolicy = pebble.NoFilterPolicy
	p.Levels[last].Compression = func() *sstable.CompressionProfile { return block.ZstdCompression }
	p.EventListener = &pebble.EventListener{
		BackgroundError: s.backgroundError,
		FlushEnd: func(i pebble.FlushInfo) {
			if i.Err == nil {
				s.backgroundError(nil)
			}
		},
		// Pebble would end the process. Whoever reads gets the error, and the rest goes on.
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			o.Logger.Error("corrupt file", "path", i.Path, "details", fmt.Sprint(i.Details))
		},
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
			s.stalled.Store(true)
			o.Logger.Warn("store write stall", "reason", i.Reason)
		},
		WriteStallEnd: func() { s.stalled.Store(false) },
	}
	return p
}

// separateFrames keeps all values but frames in the tables: one of them beside frames would keep the
// file of both.
func separateFrames(start []byte) (policy pebble.SpanPolicy, end []byte, err error) {
	hot := keys.Space(keys.SpaceHot)
	inTable := pebble.SpanPolicy{ValueStoragePolicy: pebble.ValueStorageLowReadLatency}
	switch {
	case bytes.Compare(start, hot.Start) < 0:
		return inTable, hot.Start, nil
	case bytes.Compare(start, hot.End) < 0:
		return pebble.SpanPolicy{}, hot.End, nil
	}
	return inTable, nil, nil
}

// pebbleLogger receives what Pebble would print, and what it would end the process for.
type pebbleLogger struct{ s *store }

func (pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.s.log.Warn("store", "message", fmt.Sprintf(format, args...))
}

// Fatalf is called when a commit failed in the log. It returns, and the store takes no more writes.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.s.fail(fmt.Errorf(format, args...))
}
