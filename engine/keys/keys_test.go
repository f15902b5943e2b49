package keys

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) HotKey {
			return HotKey{
				Tenant(rapid.Uint32().Draw(t, name+"tenant")), Partition(rapid.Uint16().Draw(t, name+"partition")),
				rapid.Int64().Draw(t, name+"day"), rapid.Uint64().Draw(t, name+"sequence"),
			}
		}
		a, b := draw("a"), draw("b")
		if rapid.Bool().Draw(t, "near") {
			b.Tenant, b.Partition = a.Tenant, a.Partition
		}
		ka, kb := Hot(a.Tenant, a.Partition, a.Day, a.Sequence), Hot(b.Tenant, b.Partition, b.Day, b.Sequence)
		if got, err := ParseHot(ka); err != nil || got != a {
			t.Fatalf("ParseHot(%x) = %v, %v; want %v", ka, got, err, a)
		}
		if got, want := bytes.Compare(ka, kb), compareHot(a, b); got != want {
			t.Fatalf("compare %v with %v: %d, want %d", a, b, got, want)
		}
		m := Manifest(a.Tenant, a.Partition, a.Day, Segment(a.Sequence))
		if got, err := ParseManifest(m); err != nil || got != (ManifestKey{a.Tenant, a.Partition, a.Day, Segment(a.Sequence)}) {
			t.Fatalf("ParseManifest(%x) = %v, %v", m, got, err)
		}
		span := ChunkSpan(a.Tenant, a.Partition, a.Day, Segment(a.Sequence))
		c := Chunk(a.Tenant, a.Partition, a.Day, Segment(a.Sequence), rapid.Uint32().Draw(t, "chunk"))
		if bytes.Compare(c, span.Start) < 0 || bytes.Compare(c, span.End) >= 0 {
			t.Fatalf("chunk %x outside its span %x", c, span)
		}
	})
}

func compareHot(a, b HotKey) int {
	switch {
	case a.Tenant != b.Tenant:
		return less(a.Tenant < b.Tenant)
	case a.Partition != b.Partition:
		return less(a.Partition < b.Partition)
	case a.Day != b.Day:
		return less(a.Day < b.Day)
	case a.Sequence != b.Sequence:
		return less(a.Sequence < b.Sequence)
	}
	return 0
}

func less(b bool) int {
	if b {
		return -1
	}
	return 1
}

func TestSuccessor(t *testing.T) {
	for _, c := range []struct{ in, want string }{{"a", "b"}, {"a\xff", "b"}, {"a\x00", "a\x01"}} {
		if got := Successor([]byte(c.in)); string(got) != c.want {
			t.Errorf("Successor(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Hot(1, 0, 0, 1))
	f.Add(Manifest(7, 1, -5, 9))
	f.Add(Chunk(7, 1, -5, 9, 3))
	f.Add(Names(1, 0, 1))
	f.Add(User(1, 0, "anna"))
	f.Add(Garbage(8))
	f.Add(Link(1, 0, 9))
	f.Add([]byte("t"))
	f.Add(ErasureKey{Tenant: 1, Kind: ErasureReceipt, Number: 9}.Bytes())
	f.Add(ErasureKey{Tenant: 1, Kind: ErasureName, Hash: [32]byte{1, 2}}.Bytes())
	f.Fuzz(func(t *testing.T, key []byte) {
		Format(key)
		if k, err := ParseHot(key); err == nil && !bytes.Equal(Hot(k.Tenant, k.Partition, k.Day, k.Sequence), key) {
			t.Fatalf("hot key %x does not come back", key)
		}
		if k, err := ParseManifest(key); err == nil && !bytes.Equal(Manifest(k.Tenant, k.Partition, k.Day, k.Segment), key) {
			t.Fatalf("manifest key %x does not come back", key)
		}
		if a, b, c, err := ParseNames(key); err == nil && !bytes.Equal(Names(a, b, c), key) {
			t.Fatalf("names key %x does not come back", key)
		}
		if name, err := ParseTenantName(key); err == nil && !bytes.Equal(TenantName(name), key) {
			t.Fatalf("tenant key %x does not come back", key)
		}
		if a, b, c, err := ParseLink(key); err == nil && !bytes.Equal(Link(a, b, c), key) {
			t.Fatalf("link key %x does not come back", key)
		}
		if k, err := ParseErasure(key); err == nil && !bytes.Equal(k.Bytes(), key) {
			t.Fatalf("erasure key %x does not come back", key)
		}
		if s, err := ParseGarbage(key); err == nil && !bytes.Equal(Garbage(s), key) {
			t.Fatalf("garbage key %x does not come back", key)
		}
	})
}
