package packed

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPackedRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for width := 0; width <= 64; width++ {
		for _, n := range []int{0, 1, 7, 8, 9, 63, 64, 65, 127, 200} {
			want := make([]uint64, n)
			for i := range want {
				want[i] = 5
				if width > 0 {
					want[i] += rng.Uint64() >> (64 - width)
				}
			}
			b := Append([]byte("x"), want, 5, width)[1:]
			if len(b) != Len(n, width) {
				t.Fatalf("width %d, %d values: %d bytes", width, n, len(b))
			}
			got := make([]uint64, n)
			Unpack(got, b[:len(b):len(b)], 5, width)
			if !slices.Equal(got, want) {
				t.Fatalf("width %d, %d values: got %v, want %v", width, n, got, want)
			}
		}
	}
}

func TestPatchedRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want := make([]uint64, rng.IntN(400))
		small := rng.IntN(64)
		for i := range want {
			want[i] = rng.Uint64() >> (63 - small)
			if rng.IntN(20) == 0 {
				want[i] = rng.Uint64() >> rng.IntN(64)
			}
		}
		got := make([]uint64, len(want))
		rest, ok := Patched(got, AppendPatched(nil, want))
		if !ok || len(rest) > 0 || !slices.Equal(got, want) {
			t.Fatalf("got %v, %v, want %v", got, ok, want)
		}
	}
}

const blockRows = 1 << 16

func BenchmarkUnpack(b *testing.B) {
	for _, width := range []int{1, 4, 7, 8, 9, 12, 17} {
		values := make([]uint32, blockRows)
		for i := range values {
			values[i] = uint32(i*7919) & (1<<width - 1)
		}
		packed := Append(nil, values, 0, width)
		b.Run(fmt.Sprintf("width=%d", width), func(b *testing.B) {
			out8, out16, out32 := make([]uint8, blockRows), make([]uint16, blockRows), make([]uint32, blockRows)
			b.SetBytes(blockRows)
			for b.Loop() {
				switch {
				case width <= 8:
					Unpack(out8, packed, 0, width)
				case width <= 16:
					Unpack(out16, packed, 0, width)
				default:
					Unpack(out32, packed, 0, width)
				}
			}
			if width == 17 && !slices.Equal(out32, values) {
				b.Fatal("unpacked something else")
			}
		})
	}
}

func FuzzPatched(f *testing.F) {
	f.Add([]byte{2, 1, 0xC9, 2, 0xFA, 1}, 4)
	f.Add([]byte{64, 0}, 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		got := make([]uint64, n&0x3FF)
		if _, ok := Patched(got, data); !ok {
			return
		}
		again := make([]uint64, len(got))
		if rest, ok := Patched(again, AppendPatched(nil, got)); !ok || len(rest) > 0 || !slices.Equal(again, got) {
			t.Fatalf("%v came back as %v", got, again)
		}
	})
}
