package engine

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// A row of the log of identity links is stored as
//
//	version u8 = 1, kind u8, time varint (zig-zag), user uvarint, id uvarint, bytes of the source uvarint,
//	source, CRC32C u32 of all before
//
// where user and id are dense numbers of users. identify(u1 ← anon1) at 1 ns, the tenant's users 1 and 2, without a
// source, is
//
//	01 03 02 01 02 00 and the checksum
//
// The kinds are those of linkCode.
const linkVersion = 1

// linkRow is a row of the log in memory, without its source.
type linkRow struct {
	time     int64
	sequence uint64
	user, id uint32 // dense numbers
	kind     linkCode
	// next are the rows before this one that name the user, and the id; -1: there are none.
	nextUser, nextID int32
}

func encodeLink(r *linkRow, source string) []byte {
	out := append(make([]byte, 0, 32+len(source)), linkVersion, byte(r.kind))
	out = binary.AppendVarint(out, r.time)
	out = binary.AppendUvarint(out, uint64(r.user))
	out = binary.AppendUvarint(out, uint64(r.id))
	out = binary.AppendUvarint(out, uint64(len(source)))
	out = append(out, source...)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// decodeLink reads a row; its sequence is in the key.
func decodeLink(value []byte) (r linkRow, source string, err error) {
	bad := func(what string) (linkRow, string, error) { return linkRow{}, "", fmt.Errorf("link: %s", what) }
	if len(value) < 10 {
		return bad("too short")
	}
	in, sum := value[:len(value)-4], binary.LittleEndian.Uint32(value[len(value)-4:])
	if crc32.Checksum(in, castagnoli) != sum {
		return bad("checksum")
	}
	if in[0] != linkVersion {
		return bad("its version is not known")
	}
	r.kind = linkCode(in[1])
	in = in[2:]
	at, n := binary.Varint(in)
	if n <= 0 {
		return bad("time")
	}
	in = in[n:]
	var numbers [3]uint64
	for i := range numbers {
		v, n := binary.Uvarint(in)
		if n <= 0 || v > math.MaxUint32 {
			return bad("numbers")
		}
		numbers[i], in = v, in[n:]
	}
	if uint64(len(in)) != numbers[2] {
		return bad("source")
	}
	r.time, r.user, r.id = at, uint32(numbers[0]), uint32(numbers[1])
	switch {
	case r.kind > linkUnlink:
		return bad("kind")
	case r.kind != linkGone && (r.user == 0 || r.id == 0 || r.user == r.id):
		return bad("users")
	}
	return r, string(in), nil
}
