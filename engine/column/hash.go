package column

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// hashSeed differs in every process, so that nobody can choose strings that collide.
var hashSeed = rand.Uint64()

// HashStart, HashStep and HashEnd compute Hash over the eight-byte little-endian words of a string,
// for a scanner that has them at hand: the last step takes the 0 to 7 bytes that remain, zero
// above them.
func HashStart() uint64 { return hashSeed }

// HashStep takes in the next eight bytes.
func HashStep(h, word uint64) uint64 {
	hi, lo := bits.Mul64(h^word, 0x9e3779b97f4a7c15)
	return hi ^ lo
}

// HashEnd takes in the rest and gives the hash.
func HashEnd(h, tail uint64) uint32 {
	h = HashStep(h, tail)
	return uint32(h ^ h>>32)
}

// Hash is the hash of a dictionary's table: good for this process only.
func Hash(s []byte) uint32 {
	h := HashStart()
	for len(s) >= 8 {
		h = HashStep(h, binary.LittleEndian.Uint64(s))
		s = s[8:]
	}
	return HashEnd(h, tailWord(s))
}

// tailWord is up to seven bytes as a little-endian number.
func tailWord(s []byte) uint64 {
	n := len(s)
	if n >= 4 {
		return uint64(binary.LittleEndian.Uint32(s)) | uint64(binary.LittleEndian.Uint32(s[n-4:]))<<(8*(n-4))
	}
	if n == 0 {
		return 0
	}
	return uint64(s[0]) | uint64(s[n>>1])<<(8*(n>>1)) | uint64(s[n-1])<<(8*(n-1))
}
