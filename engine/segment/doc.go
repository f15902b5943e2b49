// Package segment holds immutable runs of events in columns: how they are sorted, written, merged
// and read.
//
// The rows of a segment are sorted by (user, time, event name), so that a user's day is one stretch
// of rows and fields that stay the same in a session are in runs. A block is 65,536 rows, one
// container of a roaring bitmap; a segment has 1 to 16 blocks. A Reader looks the same over a sealed
// segment (bytes, decoded on use) and over a hot one (batches in memory, put in order on use).
//
//	row    user  time   event     city    amount
//	0      1     09:00  view      Rome
//	1      1     09:01  pay       Rome    9.90       user runs: 1 × 2, 4 × 1
//	2      4     08:30  view      Oslo               events: pay = code 0, view = code 1
//
// # Columns
//
// A column is dictionary-coded or, where all values are ints or all are floats and many differ,
// numeric. The dictionary has the distinct values of the segment in the order of event.Compare, so
// that ranges and prefixes of values are ranges of codes. Presence is apart from values: of city
// above the codes are 1 1 0 (Oslo = 0, Rome = 1) and every row has one; of amount there is one
// number, and the presence says "the rows whose event is pay", which takes three bytes a block
// whatever the rows.
//
// # Bytes
//
// A segment is a directory and chunks. Integers are varints unless said otherwise; "patched" and
// "packed" are the codes of package packed, "part" is a byte that says none, snappy or zstd and
// then the bytes (with zstd, their length before compression first). Fixed numbers are
// little-endian.
//
//	directory  version byte | CRC-32C of the rest (4 bytes) | part of:
//	           flags byte (1: small) | log2 of the rows of a block, a byte | rows
//	           | first time (zigzag), last - first | first arrival (zigzag), last - first
//	           | first user, last - first | users | rows without a user
//	           | bytes of the user runs | bytes of event → users
//	           | events: count, each name length, name, rows, users
//	           | columns: count, each as below; event, time, received, id come first, without name
//	           | chunks kept here: count, each id less the one before, length, content
//	column     name length, name | values present, and if there are any:
//	           flags byte (1: dictionary, 2: nulls, 4: zone) | most frequent form, a byte | kinds
//	           | nulls, if flagged | least and greatest value, if flagged: kind byte, value
//	           | data chunks: count, each blocks, bytes
//	           | with a dictionary: values, not text, lists, objects, bytes of postings, of bloom
//	             filter, pages: count, each bytes, first code less the one before, and, but for the
//	             first page, a prefix of its first text
//	chunk      version byte | CRC-32C of id (4 bytes) and content | content
//
// A chunk's id is column << 16 | kind << 12 | number. The content is by kind
//
//	data       length of each block, blocks; a block is a part of presence (presence_code.go) and
//	           values (values_code.go)
//	dict       part of a page of the dictionary (dict_code.go); event names are in the directory
//	postings   value → rows (package postings)
//	bloom      filter over the strings (package bloom)
//	users      number 0: the users' runs, differences less 1 patched, then lengths less 1 patched;
//	           number 1: event → users (package postings)
//
// A segment of up to 4,096 rows is small: it has no indexes, and everything is in the directory.
package segment
