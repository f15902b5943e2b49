package frame

import (
	"encoding/binary"
	"hash/crc32"

	"cairn/engine/column"
)

// Record is what the commit decided about a frame. It stands behind the frame in the same value:
//
//	version u8 = 1, received i64, strings of the user dictionary, numbers: their dense users,
//	skipped rows, numbers: row, then gaps less one; CRC32C u32 of all before
type Record struct {
	// Received is the arrival of rows whose batch has no arrivals of its own, Unix nanoseconds.
	Received int64
	// Users are the dense numbers of the strings in the batch's user dictionary, 0 of one that only skipped
	// rows have.
	Users []uint32
	// Skipped rows, ascending, are duplicates: not stored events.
	Skipped []uint32
}

// AppendRecord appends the record to dst, which ends with its frame.
func AppendRecord(dst []byte, r Record) []byte {
	start := len(dst)
	dst = append(dst, version)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Received))
	dst = binary.AppendUvarint(dst, uint64(len(r.Users)))
	if len(r.Users) > 0 {
		var high uint32
		for _, u := range r.Users {
			high = max(high, u)
		}
		dst = appendSmall(dst, len(r.Users), high, func(i int) uint32 { return r.Users[i] })
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Skipped)))
	if len(r.Skipped) > 0 {
		dst = appendRows(dst, r.Skipped)
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// DecodeEntry reads a whole value of the hot log: a frame and its record. It checks that they fit.
func DecodeEntry(data []byte) (*column.Batch, Record, error) {
	b, rest, err := Decode(data)
	if err != nil {
		return nil, Record{}, err
	}
	r, err := decodeRecord(rest, b.Rows)
	if err != nil {
		return nil, Record{}, err
	}
	if len(r.Users) != b.User.Dict.Len() {
		return nil, Record{}, corrupt("%d user numbers for %d users", len(r.Users), b.User.Dict.Len())
	}
	return b, r, nil
}

func decodeRecord(data []byte, rows int) (Record, error) {
	if len(data) < 13 || data[0] != version {
		return Record{}, corrupt("no commit record")
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return Record{}, corrupt("checksum of a commit record")
	}
	r := Record{Received: int64(binary.LittleEndian.Uint64(body[1:]))}
	d := decoder{in: body[9:]}
	if n := d.count(rows+RowsMax, "user numbers"); n > 0 {
		r.Users = d.small(n)
	}
	if n := d.count(rows, "skipped rows"); n > 0 {
		r.Skipped = d.rows(n, rows)
	}
	if d.err == nil && len(d.in) != 0 {
		d.fail("%d bytes after a commit record", len(d.in))
	}
	return r, d.err
}
