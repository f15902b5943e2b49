package lookup_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"testing"

	"github.com/golang/snappy"

	"cairn/engine/lookup"
)

// sealed gives a body its version and checksum, so that the fuzzer gets past them.
func sealed(body []byte) []byte {
	out := append([]byte{1}, snappy.Encode(nil, body)...)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, crc32.MakeTable(crc32.Castagnoli)))
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x02\x01\x01\x00\x02id\x04name\x03\x02\x05\x01a"))
	f.Add([]byte("\x01\x01\x02\x00\x01k\x05\x01a\x04\x00\x00\x00\x00\x00\x00\xf8\x3f"))
	f.Add([]byte("\x00\x010\x00"))
	f.Add([]byte("\x01\x01\xff\xff\xff\xff\x07\x00\x01k"))
	f.Add([]byte("\x01\x01\x01\x00\x01k\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = lookup.Decode(body)
		table, err := lookup.Decode(sealed(body))
		if err != nil {
			if !errors.Is(err, lookup.ErrCorrupt) {
				t.Fatalf("%v is not ErrCorrupt", err)
			}
			return
		}
		again(t, table)
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("id,b\n1,\"x\"\"y\"\r\n2,true\n"))
	f.Add([]byte("id;b\n;\n"))
	f.Add([]byte("{\"id\":1,\"b\":null}\n{\"id\":\"1\"}"))
	f.Add([]byte("\xef\xbb\xbfid\n\"\n\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := lookup.Parse(text, []string{"id"}, 100)
		if err != nil {
			var many *lookup.RowsError
			if !errors.Is(err, lookup.ErrInvalid) && !errors.As(err, &many) {
				t.Fatalf("%v has no kind", err)
			}
			return
		}
		again(t, table)
	})
}

// again holds the forms of a table to each other.
func again(t interface{ Fatalf(string, ...any) }, table *lookup.Table) {
	same := func(what string, back *lookup.Table, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if !reflect.DeepEqual(rows(back), rows(table)) || !reflect.DeepEqual(back.Keys(), table.Keys()) || !reflect.DeepEqual(back.Columns(), table.Columns()) {
			t.Fatalf("%s: %q %v became %q %v", what, table.Columns(), rows(table), back.Columns(), rows(back))
		}
	}
	stored, err := table.Encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	back, err := lookup.Decode(stored)
	same("stored form", back, err)
	back, err = lookup.Parse(table.AppendCSV(nil), table.Keys(), table.Rows())
	same("CSV", back, err)
	if table.Rows() > 0 {
		back, err = lookup.Parse(table.AppendNDJSON(nil), table.Keys(), table.Rows())
		same("NDJSON", back, err)
	}
}
