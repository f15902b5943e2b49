// Package events holds the bundled sample of events.
package events

import _ "embed"

// MiniProgram is NDJSON, compressed with gzip: a few days of a shop's mini program, made by
// bench/workload. People, items and orders are invented.
//
//go:embed mini-program.ndjson.gz
var MiniProgram []byte
