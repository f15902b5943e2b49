package bloom

import (
	"fmt"
	"testing"
)

func TestFilter(t *testing.T) {
	for _, n := range []int{0, 1, 100, 20000} {
		hashes := make([]uint64, n)
		for i := range hashes {
			hashes[i] = Hash(fmt.Sprintf("value %d", i))
		}
		f, err := Open(Build(hashes))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hashes {
			if !f.MayContain(h) {
				t.Fatalf("of %d values one is missing", n)
			}
		}
		wrong := 0
		for i := range 20000 {
			if f.MayContain(Hash(fmt.Sprintf("other %d", i))) {
				wrong++
			}
		}
		if wrong > 400 {
			t.Errorf("%d values: %d false answers of 20000", n, wrong)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(Build(nil))
	f.Add(Build([]uint64{1, 2, 3}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if filter, err := Open(data); err == nil {
			filter.MayContain(0)
			filter.MayContain(^uint64(0))
		}
	})
}

func BenchmarkMayContain(b *testing.B) {
	hashes := make([]uint64, 333_000)
	for i := range hashes {
		hashes[i] = Hash(fmt.Sprintf("value %d", i))
	}
	f, err := Open(Build(hashes))
	if err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		if !f.MayContain(hashes[i%len(hashes)]) {
			b.Fatal("missing")
		}
		i++
	}
}
