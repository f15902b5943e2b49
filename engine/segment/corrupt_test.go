package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"cairn/engine/event"
)

// sampleEvents are a few hundred events with columns of every kind.
func sampleEvents(n int) []event.Event {
	users := []string{"", "ann", "bob", "cy", "dan", "eve"}
	names := []string{"view", "click", "pay", "x"}
	events := make([]event.Event, n)
	for i := range events {
		e := &events[i]
		x := i * 7919 % 1009
		e.Time = 1_700_000_000_000_000_000 + int64(i)*1_000_000 + int64(x)*1_000_000
		e.Name = names[x%len(names)]
		e.User = users[x%len(users)]
		add := func(name string, v event.Value) {
			e.Fields = append(e.Fields, event.Field{Name: name, Value: v})
		}
		if x%2 == 0 {
			e.ID = fmt.Sprintf("id-%d", i)
		}
		if e.Name == "pay" || x%3 == 0 {
			add("amount", event.Float(float64(x)/100))
		}
		add("city", event.String(fmt.Sprintf("city %d", len(e.User)*x%7)))
		if x%5 == 0 {
			add("float", event.Float(1/float64(x+1)))
		}
		add("latency", event.Int(int64(x*x)))
		switch x % 6 {
		case 0:
			add("mixed", event.Null)
		case 1:
			add("mixed", event.Bool(x%4 == 1))
		case 2:
			add("mixed", event.Int(int64(x)))
		case 3:
			add("mixed", event.List(`["a"]`))
		case 4:
			add("mixed", event.String("text"))
		}
		if i < 5 {
			add("rare", event.EmptyObject)
		}
		if e.User != "" {
			add("session", event.String(e.User+" on her phone"))
		}
		add("status", event.Int(int64(200+x%3)))
		if x%11 > 6 {
			add("text", event.String(fmt.Sprintf("a longer text, number %d", i)))
		}
	}
	return events
}

// sample encodes sampleEvents as one segment, small (in its directory) or in chunks.
func sample(tb testing.TB, n int, small bool) *Encoded {
	tb.Helper()
	in := inputOf(sampleEvents(n), testUsers, 77)
	in.Batch.Received = slices.Clone(in.Batch.Time)
	encoded, err := Build([]Input{in}, BuildOptions{BlockRows: 128, indexAll: !small, Cold: true})
	if err != nil {
		tb.Fatal(err)
	}
	if len(encoded) != 1 || small != (len(encoded[0].Chunks) == 0) {
		tb.Fatalf("%d segments, %d chunks", len(encoded), len(encoded[0].Chunks))
	}
	return encoded[0]
}

// readAll reads all that a segment has, and returns the first error.
func readAll(r *Reader) error {
	if r.Len() > 100_000 {
		return nil // a directory may promise up to 2^20 rows; that is much for a fuzz target
	}
	var errs []error
	check := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	_, err := r.Rows(nil)
	check(err)
	_, err = r.AllUsers()
	check(err)
	for i := range r.Info().Events {
		_, err := r.EventUsers(uint32(i))
		check(err)
	}
	columns := append([]*Column{r.Event(), r.Time(), r.Received()}, r.Fields()...)
	if r.ID() != nil {
		columns = append(columns, r.ID())
		_, err := r.IDFilter()
		check(err)
		_, _, err = r.FindID("id-4")
		check(err)
	}
	for _, c := range columns {
		c.Info()
		for _, v := range []event.Value{event.String("city 3"), event.Int(201), event.Null} {
			c.MayContain(v)
			_, _, err := c.Find(v)
			check(err)
		}
		_, err := c.PresentRows()
		check(err)
		d, err := c.Dict()
		check(err)
		if d != nil && err == nil {
			for code := range min(d.Len(), 1000) {
				_, _, err := c.Postings(uint32(code))
				check(err)
			}
			d.PrefixRange("city")
		}
	}
	check(r.Verify())
	return errors.Join(errs...)
}

func TestFlippedBits(t *testing.T) {
	for _, small := range []bool{true, false} {
		e := sample(t, 500, small)
		if r, err := e.Reader(); err != nil || readAll(r) != nil {
			t.Fatal(err, readAll(r))
		}
		for at := 0; at < len(e.Directory); at += 1 + len(e.Directory)/300 {
			bad := *e
			bad.Directory = bytes.Clone(e.Directory)
			bad.Directory[at] ^= 1 << (at % 8)
			if _, err := bad.Reader(); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("bit %d of byte %d of the directory flipped: %v", at%8, at, err)
			}
			bad.Directory = e.Directory[:at]
			if _, err := bad.Reader(); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("directory cut at %d: %v", at, err)
			}
		}
		for i, c := range e.Chunks {
			for at := 0; at < len(c.Data); at += 1 + len(c.Data)/10 {
				bad := *e
				bad.Chunks = slices.Clone(e.Chunks)
				bad.Chunks[i].Data = bytes.Clone(c.Data)
				bad.Chunks[i].Data[at] ^= 1 << (at % 8)
				r, err := bad.Reader()
				if err != nil {
					t.Fatal(err)
				}
				err = readAll(r)
				var corruption *CorruptionError
				if !errors.Is(err, ErrCorrupt) || !errors.As(err, &corruption) || corruption.Chunk != c.ID {
					t.Fatalf("chunk %v, byte %d: %v", c.ID, at, err)
				}
				bad.Chunks[i].Data = c.Data[:at]
				if r, err = bad.Reader(); err != nil {
					t.Fatal(err)
				}
				if err := readAll(r); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("chunk %v cut at %d: %v", c.ID, at, err)
				}
			}
		}
	}
}

func TestOtherColumnsStayReadable(t *testing.T) {
	e := sample(t, 500, false)
	for i := range e.Chunks {
		if id := e.Chunks[i].ID; id.ordinal() == ordinalFields && id.kind() == chunkData {
			e.Chunks[i].Data = nil
		}
	}
	r, err := e.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Fields()[0].Block(0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damaged column: %v", err)
	}
	for _, c := range r.Fields()[1:] {
		if _, err := c.Block(0); err != nil {
			t.Errorf("column %s: %v", c.Name(), err)
		}
	}
}

func TestNewerVersion(t *testing.T) {
	e := sample(t, 50, true)
	e.Directory[0] = FormatVersion + 1
	if _, err := e.Reader(); !errors.Is(err, ErrVersion) {
		t.Error(err)
	}
}

// sealDirectory makes a directory of its content.
func sealDirectory(raw []byte) []byte {
	body := append([]byte{compressNone}, raw...)
	out := binary.LittleEndian.AppendUint32([]byte{FormatVersion}, crc32.Checksum(body, castagnoli))
	return append(out, body...)
}

// FuzzDirectory changes what the checksum would protect.
func FuzzDirectory(f *testing.F) {
	small, large := sample(f, 40, true), sample(f, 300, false)
	for _, e := range []*Encoded{small, large} {
		raw, err := openPart(e.Directory[5:])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := Open(sealDirectory(raw), large, nil, 0)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		_ = readAll(r)
	})
}

// FuzzChunk changes the content of one chunk, with a good checksum.
func FuzzChunk(f *testing.F) {
	e := sample(f, 300, false)
	for i, c := range e.Chunks {
		f.Add(uint8(i), c.Data[chunkHead:])
	}
	f.Fuzz(func(t *testing.T, i uint8, content []byte) {
		bad := *e
		bad.Chunks = slices.Clone(e.Chunks)
		c := &bad.Chunks[int(i)%len(bad.Chunks)]
		c.Data = sealChunk(c.ID, content)
		r, err := bad.Reader()
		if err != nil {
			t.Fatal(err)
		}
		_ = readAll(r)
	})
}

// FuzzBlock decodes blocks without the frame of a chunk, so that the fuzzer reaches deep.
func FuzzBlock(f *testing.F) {
	e := sample(f, 300, false)
	r, err := e.Reader()
	if err != nil {
		f.Fatal(err)
	}
	for i := range r.sealed.columns {
		m := &r.sealed.columns[i]
		content, err := r.sealed.chunk(makeChunkID(i, chunkData, 0))
		if err != nil {
			f.Fatal(err)
		}
		for b := range m.data[0].blocks {
			part, err := blockPart(content, b, m.data[0].blocks)
			if err != nil {
				f.Fatal(err)
			}
			if raw, err := openPart(part); err == nil {
				f.Add(uint8(i), raw)
			}
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, raw []byte) {
		c := r.column(int(i)%len(r.sealed.columns), r.sealed.columns[int(i)%len(r.sealed.columns)].name)
		content := binary.AppendUvarint(nil, uint64(len(raw)+1))
		content = append(append(content, compressNone), raw...)
		v, err := c.data.(*sealedColumn).decodeBlock(content, 0, 0, 1)
		if err != nil {
			return
		}
		v.Codes(nil, nil)
		v.Floats(nil, nil)
		for row := range v.Rows {
			v.Code(row)
		}
	})
}

// FuzzDictionary decodes a page of a dictionary.
func FuzzDictionary(f *testing.F) {
	r, err := sample(f, 300, false).Reader()
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range r.Fields() {
		if d, err := c.Dict(); err == nil && d != nil {
			_, data := d.appendPages()
			for _, b := range data {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &Dictionary{}
		if err := d.readPage(&cursor{b: data}, 1000); err != nil {
			return
		}
		d.lists, d.objects = uint32(d.Len()), uint32(d.Len())
		for code := range d.Len() {
			d.Find(d.Value(uint32(code)))
		}
		_, pages := d.appendPages()
		again := &Dictionary{}
		for _, b := range pages {
			if err := again.readPage(&cursor{b: b}, 1000); err != nil {
				t.Fatal(err)
			}
		}
		again.lists, again.objects = uint32(d.Len()), uint32(d.Len())
		if again.Len() != d.Len() {
			t.Fatalf("%d values became %d", d.Len(), again.Len())
		}
	})
}

// FuzzUsers decodes the users' runs.
func FuzzUsers(f *testing.F) {
	u := userRuns{users: []uint32{0, 1, 9, 10}, starts: []uint32{0, 3, 4, 200, 201}}
	f.Add(u.append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := readRuns(data, 4, 0, 10, 201)
		if err != nil {
			return
		}
		if !slices.IsSorted(u.users) || !slices.IsSorted(u.starts) || u.starts[4] != 201 {
			t.Fatal(u)
		}
	})
}
