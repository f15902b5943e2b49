// Package segment holds immutable, sorted runs of events: the writer, the reader and the format.
package segment
