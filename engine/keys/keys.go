// Package keys makes and reads every key that Cairn writes into Pebble.
//
// The first byte is the space; the rest is big-endian, so that the bytes sort as the numbers do. A day
// is named by its first instant in Unix nanoseconds with the sign bit flipped.
//
//	'a' meta      name                                              format, counters
//	'e' erasure   tenant u32, kind u8, see ErasureKind               receipts, erased names, what is still hidden
//	'g' garbage   segment u64                                       chunks to be removed
//	'h' hot log   tenant u32, partition u16, day i64, sequence u64  frame
//	'i' ids       tenant u32, partition u16, insert id              arrival, of ids of days past retention, in format 1
//	'l' links     tenant u32, partition u16, sequence u64           one row of the log of identity links
//	'm' manifest  tenant u32, partition u16, day i64, segment u64   summary and directory
//	'n' names     tenant u32, partition u16, first user u32         names of consecutive users
//	'r' record    kind, 0, tenant name, 0, record name               what the caller keeps: tokens, saved queries …
//	't' tenant    name                                              id and settings
//	'u' user      tenant u32, partition u16, user string            dense user number
//	'x' expired   tenant u32, partition u16, event name             users of days past retention
//	'z' chunk     tenant u32, partition u16, day i64, segment u64, chunk u32   encoded column or index
//
// The first event of tenant 1 on 1970-01-01 has the hot key
//
//	68 00000001 0000 8000000000000000 0000000000000001
//
// Chunks are only ever read by point look-up; the hot log and the manifest are the spaces that are
// listed. The chunk space is the last, and nothing is ever written to it but whole tables: a write
// buffer, which holds all the other spaces, then has no range in common with the tables of chunks, and
// no compaction takes them along.
package keys

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Tenant is the number of a tenant; 0 is none.
type Tenant uint32

// Partition is a share of a tenant's users; an embedded engine has partition 0 only.
type Partition uint16

// Segment is the number of a sealed segment, unique in a directory.
type Segment uint64

// Spaces are the first bytes of keys.
const (
	SpaceMeta     = 'a'
	SpaceErasure  = 'e'
	SpaceGarbage  = 'g'
	SpaceHot      = 'h'
	SpaceID       = 'i'
	SpaceLink     = 'l'
	SpaceManifest = 'm'
	SpaceName     = 'n'
	SpaceRecord   = 'r'
	SpaceTenant   = 't'
	SpaceUser     = 'u'
	SpaceExpired  = 'x'
	SpaceChunk    = 'z'
)

// Span is the half-open range of keys [Start, End).
type Span struct{ Start, End []byte }

// Space returns the span of a whole space.
func Space(space byte) Span { return Span{[]byte{space}, []byte{space + 1}} }

// Successor returns the smallest key above all keys that start with prefix; the prefix is not all 0xff.
func Successor(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func prefixSpan(prefix []byte) Span { return Span{prefix, Successor(prefix)} }

// Meta is the key of a value of the directory as a whole.
func Meta(name string) []byte { return append([]byte{SpaceMeta}, name...) }

// TenantName is the key of a tenant's settings.
func TenantName(name string) []byte { return append([]byte{SpaceTenant}, name...) }

// ParseTenantName returns the name in a tenant key.
func ParseTenantName(key []byte) (string, error) {
	if len(key) < 2 || key[0] != SpaceTenant {
		return "", badKey("tenant", key)
	}
	return string(key[1:]), nil
}

// Record is the key of a record. Neither kind nor tenant have a zero byte; the tenant of records of the
// directory as a whole is "".
func Record(kind, tenant, name string) []byte {
	return append(RecordSpan(kind, tenant).Start, name...)
}

// RecordSpan covers the records of a kind and a tenant.
func RecordSpan(kind, tenant string) Span {
	prefix := append(RecordKindSpan(kind).Start, tenant...)
	return prefixSpan(append(prefix, 0))
}

// RecordKindSpan covers the records of a kind, of all tenants.
func RecordKindSpan(kind string) Span {
	prefix := append([]byte{SpaceRecord}, kind...)
	return prefixSpan(append(prefix, 0))
}

// ParseRecord reads a record's key.
func ParseRecord(key []byte) (kind, tenant, name string, err error) {
	if len(key) > 0 && key[0] == SpaceRecord {
		if parts := bytes.SplitN(key[1:], []byte{0}, 3); len(parts) == 3 && len(parts[0]) > 0 {
			return string(parts[0]), string(parts[1]), string(parts[2]), nil
		}
	}
	return "", "", "", badKey("record", key)
}

func partition(space byte, t Tenant, p Partition, extra int) []byte {
	key := make([]byte, 7, 7+extra)
	key[0] = space
	binary.BigEndian.PutUint32(key[1:], uint32(t))
	binary.BigEndian.PutUint16(key[5:], uint16(p))
	return key
}

// TenantSpan covers one tenant's keys in a space that starts with the tenant.
func TenantSpan(space byte, t Tenant) Span { return prefixSpan(partition(space, t, 0, 0)[:5]) }

// User is the key of the dense number of a user.
func User(t Tenant, p Partition, user string) []byte {
	return append(partition(SpaceUser, t, p, len(user)), user...)
}

// AppendUser is User into a buffer that is used again.
func AppendUser(dst []byte, t Tenant, p Partition, user []byte) []byte {
	dst = append(dst, SpaceUser)
	dst = binary.BigEndian.AppendUint32(dst, uint32(t))
	dst = binary.BigEndian.AppendUint16(dst, uint16(p))
	return append(dst, user...)
}

// Names is the key of a run of user names, the first of which is user first.
func Names(t Tenant, p Partition, first uint32) []byte {
	return binary.BigEndian.AppendUint32(partition(SpaceName, t, p, 4), first)
}

// NamesSpan covers the runs of names of a partition.
func NamesSpan(t Tenant, p Partition) Span { return prefixSpan(partition(SpaceName, t, p, 0)) }

// ParseNames returns the first user of a run of names.
func ParseNames(key []byte) (Tenant, Partition, uint32, error) {
	if len(key) != 11 || key[0] != SpaceName {
		return 0, 0, 0, badKey("user names", key)
	}
	t, p := parsePartition(key)
	return t, p, binary.BigEndian.Uint32(key[7:]), nil
}

// Expired is the key of the users who did an event in days that retention has dropped.
func Expired(t Tenant, p Partition, eventName string) []byte {
	return append(partition(SpaceExpired, t, p, len(eventName)), eventName...)
}

// ExpiredSpan covers the expired users of a partition.
func ExpiredSpan(t Tenant, p Partition) Span { return prefixSpan(partition(SpaceExpired, t, p, 0)) }

// Link is the key of a row of the log of identity links.
func Link(t Tenant, p Partition, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(partition(SpaceLink, t, p, 8), sequence)
}

// LinkSpan covers the identity links of a partition.
func LinkSpan(t Tenant, p Partition) Span { return prefixSpan(partition(SpaceLink, t, p, 0)) }

// ParseLink returns the sequence of a row of the log of identity links.
func ParseLink(key []byte) (Tenant, Partition, uint64, error) {
	if len(key) != 15 || key[0] != SpaceLink {
		return 0, 0, 0, badKey("links", key)
	}
	t, p := parsePartition(key)
	return t, p, binary.BigEndian.Uint64(key[7:]), nil
}

// ID is the key of the arrival of an insert id whose event retention has dropped.
func ID(t Tenant, p Partition, id []byte) []byte {
	return append(partition(SpaceID, t, p, len(id)), id...)
}

// IDSpan covers the insert ids of a partition.
func IDSpan(t Tenant, p Partition) Span { return prefixSpan(partition(SpaceID, t, p, 0)) }

func appendDay(key []byte, day int64) []byte {
	return binary.BigEndian.AppendUint64(key, uint64(day)^1<<63)
}

// Hot is the key of a frame of the hot log.
func Hot(t Tenant, p Partition, day int64, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(appendDay(partition(SpaceHot, t, p, 16), day), sequence)
}

// HotKey is a parsed key of the hot log.
type HotKey struct {
	Tenant    Tenant
	Partition Partition
	Day       int64
	Sequence  uint64
}

// ParseHot reads a key of the hot log.
func ParseHot(key []byte) (HotKey, error) {
	if len(key) != 23 || key[0] != SpaceHot {
		return HotKey{}, badKey("hot log", key)
	}
	t, p := parsePartition(key)
	return HotKey{t, p, parseDay(key[7:]), binary.BigEndian.Uint64(key[15:])}, nil
}

// Manifest is the key of a segment's summary and directory.
func Manifest(t Tenant, p Partition, day int64, s Segment) []byte {
	return binary.BigEndian.AppendUint64(appendDay(partition(SpaceManifest, t, p, 16), day), uint64(s))
}

// ManifestKey is a parsed key of the manifest.
type ManifestKey struct {
	Tenant    Tenant
	Partition Partition
	Day       int64
	Segment   Segment
}

// ParseManifest reads a key of the manifest.
func ParseManifest(key []byte) (ManifestKey, error) {
	if len(key) != 23 || key[0] != SpaceManifest {
		return ManifestKey{}, badKey("manifest", key)
	}
	t, p := parsePartition(key)
	return ManifestKey{t, p, parseDay(key[7:]), Segment(binary.BigEndian.Uint64(key[15:]))}, nil
}

// Chunk is the key of one chunk of a segment.
func Chunk(t Tenant, p Partition, day int64, s Segment, chunk uint32) []byte {
	return binary.BigEndian.AppendUint32(chunkPrefix(t, p, day, s), chunk)
}

// ChunkSpan covers all chunks of a segment.
func ChunkSpan(t Tenant, p Partition, day int64, s Segment) Span {
	return prefixSpan(chunkPrefix(t, p, day, s))
}

func chunkPrefix(t Tenant, p Partition, day int64, s Segment) []byte {
	return binary.BigEndian.AppendUint64(appendDay(partition(SpaceChunk, t, p, 20), day), uint64(s))
}

// Garbage is the key that says that the chunks of a segment are not, or no longer, in use.
func Garbage(s Segment) []byte { return binary.BigEndian.AppendUint64([]byte{SpaceGarbage}, uint64(s)) }

// ParseGarbage reads a garbage key.
func ParseGarbage(key []byte) (Segment, error) {
	if len(key) != 9 || key[0] != SpaceGarbage {
		return 0, badKey("garbage", key)
	}
	return Segment(binary.BigEndian.Uint64(key[1:])), nil
}

func parsePartition(key []byte) (Tenant, Partition) {
	return Tenant(binary.BigEndian.Uint32(key[1:])), Partition(binary.BigEndian.Uint16(key[5:]))
}

func parseDay(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ 1<<63) }

func badKey(what string, key []byte) error {
	return fmt.Errorf("keys: not a key of the %s: %x", what, key)
}

// Format prints a key for people: in error texts and dumps.
func Format(key []byte) string {
	if len(key) == 0 {
		return "(empty key)"
	}
	switch key[0] {
	case SpaceMeta:
		return fmt.Sprintf("meta %q", key[1:])
	case SpaceTenant:
		return fmt.Sprintf("tenant %q", key[1:])
	case SpaceRecord:
		if kind, tenant, name, err := ParseRecord(key); err == nil {
			return fmt.Sprintf("record %s tenant=%q %q", kind, tenant, name)
		}
	case SpaceGarbage:
		if s, err := ParseGarbage(key); err == nil {
			return fmt.Sprintf("garbage segment=%d", s)
		}
	case SpaceHot:
		if k, err := ParseHot(key); err == nil {
			return fmt.Sprintf("hot tenant=%d partition=%d day=%d sequence=%d", k.Tenant, k.Partition, k.Day, k.Sequence)
		}
	case SpaceManifest:
		if k, err := ParseManifest(key); err == nil {
			return fmt.Sprintf("manifest tenant=%d partition=%d day=%d segment=%d", k.Tenant, k.Partition, k.Day, k.Segment)
		}
	case SpaceChunk:
		if len(key) == 27 {
			t, p := parsePartition(key)
			return fmt.Sprintf("chunk tenant=%d partition=%d day=%d segment=%d chunk=%d.%d", t, p, parseDay(key[7:]),
				binary.BigEndian.Uint64(key[15:]), binary.BigEndian.Uint32(key[23:])>>8, key[26])
		}
	case SpaceName:
		if t, p, first, err := ParseNames(key); err == nil {
			return fmt.Sprintf("names tenant=%d partition=%d first=%d", t, p, first)
		}
	case SpaceLink:
		if t, p, sequence, err := ParseLink(key); err == nil {
			return fmt.Sprintf("link tenant=%d partition=%d sequence=%d", t, p, sequence)
		}
	case SpaceErasure:
		if k, err := ParseErasure(key); err == nil {
			return k.String()
		}
	case SpaceUser, SpaceExpired, SpaceID:
		if len(key) >= 7 {
			t, p := parsePartition(key)
			what := "user"
			switch key[0] {
			case SpaceExpired:
				what = "expired"
			case SpaceID:
				what = "id"
			}
			return fmt.Sprintf("%s tenant=%d partition=%d %q", what, t, p, key[7:])
		}
	}
	return fmt.Sprintf("unknown key %x", key)
}
