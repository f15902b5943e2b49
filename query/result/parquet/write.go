// Package parquet writes the answer to a query as an Apache Parquet file, for DuckDB, pandas, Spark and
// the like. It stands apart from package result so that programs that do not want such files need not
// link what makes them.
//
// A column of the table is a column of the file, of the same name, at the same place; all are optional,
// and null stands for null and for absent. What it holds follows from the table's values:
//
//	string    BYTE_ARRAY, STRING
//	int       INT64
//	float     DOUBLE; integers among them too, unless one of them has no equal DOUBLE: then JSON
//	bool      BOOLEAN
//	time      INT64, TIMESTAMP(NANOS, adjusted to UTC)
//	duration  DOUBLE, a number of seconds as everywhere: to the nanosecond up to 50 days, to the
//	          microsecond up to a century
//	list      LIST of STRING, INT64, DOUBLE or BOOLEAN where every element of every list of the column
//	          is such or null; else JSON
//	mixed     BYTE_ARRAY, JSON: each value is the JSON text of its own, so that "1" and 1 stay apart.
//	          Integers are exact, times RFC 3339 in the table's zone, durations seconds
//	null      STRING, all null
//
// Columns are compressed with Zstandard, strings coded by dictionary. The key-value metadata have
// cairn.meta, the meta object of the JSON answer, and cairn.columns, a list of {"name","type"} with
// the types above.
package parquet

import (
	"fmt"
	"io"
	"reflect"

	"cairn/engine/event"
	"cairn/query/result"

	"github.com/parquet-go/parquet-go"
)

// MIMEType names the format in HTTP.
const MIMEType = "application/vnd.apache.parquet"

// The keys of the file's metadata.
const (
	KeyMeta    = "cairn.meta"
	KeyColumns = "cairn.columns"
)

const (
	// groupRows is the number of rows of a row group: readers take them one at a time or side by side.
	groupRows = 1 << 17
	// stepRows is how many rows are handed over at a time.
	stepRows = 1 << 10
	// dictionaryMax is where a column of strings that repeat little stops being coded by dictionary.
	dictionaryMax = 1 << 20
)

// Write writes a table as a Parquet file. The table's columns must have their types (see
// result.Table.Infer). What has been written when an error of w is returned is no file. A row group is
// held in memory, encoded, until it is full.
func Write(w io.Writer, t *result.Table) error {
	columns := make([]column, len(t.Columns))
	root := &group{}
	leaf := 0
	for i := range columns {
		c := &columns[i]
		*c = columnOf(t, i)
		c.leaf = leaf
		leaf++
		root.fields = append(root.fields, &field{c.node(), t.Columns[i].Name})
	}
	file := parquet.NewWriter(w, parquet.NewSchema("answer", root),
		parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(groupRows),
		parquet.DictionaryMaxBytes(dictionaryMax), parquet.CreatedBy("cairn", "1", ""),
		parquet.KeyValueMetadata(KeyMeta, string(result.AppendMeta(nil, &t.Meta))),
		parquet.KeyValueMetadata(KeyColumns, string(result.AppendColumns(nil, t.Columns))))
	rows := make([]parquet.Row, 0, stepRows)
	for from := 0; from < len(t.Rows); from += stepRows {
		rows = rows[:0]
		for _, values := range t.Rows[from:min(from+stepRows, len(t.Rows))] {
			row := make(parquet.Row, 0, len(columns))
			for i := range columns {
				row = columns[i].append(row, values[i], t.Meta.Zone())
			}
			rows = append(rows, row)
		}
		if _, err := file.WriteRows(rows); err != nil {
			return fmt.Errorf("write parquet rows: %w", err)
		}
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	return nil
}

// group is the root of a schema whose columns keep their order; a parquet.Group sorts them by name.
type group struct {
	parquet.Group
	fields []parquet.Field
}

// Fields implements parquet.Node.
func (g *group) Fields() []parquet.Field { return g.fields }

// GoType implements parquet.Node. No Go value stands for a row.
func (g *group) GoType() reflect.Type { return reflect.TypeFor[[]event.Value]() }

// field is a column of a group.
type field struct {
	parquet.Node
	name string
}

// Name implements parquet.Field.
func (f *field) Name() string { return f.name }

// Value implements parquet.Field; rows are written by value, so that nobody asks.
func (f *field) Value(reflect.Value) reflect.Value { return reflect.Value{} }
