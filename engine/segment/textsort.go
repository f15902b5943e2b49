package segment

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// prefixed is a string, by number, with eight of its bytes in an order-preserving form.
type prefixed struct {
	prefix uint64
	number uint32
}

// sortTexts sorts the numbers of texts by the bytes of the texts.
func sortTexts(texts []string, numbers []uint32) []uint32 {
	items := make([]prefixed, len(numbers))
	for i, n := range numbers {
		items[i].number = n
	}
	var spare []prefixed
	sortPrefixed(texts, items, &spare, 0)
	for i := range items {
		numbers[i] = items[i].number
	}
	return numbers
}

// sortPrefixed sorts items whose texts agree in the first depth bytes.
func sortPrefixed(texts []string, items []prefixed, spare *[]prefixed, depth int) {
	if len(items) < 24 {
		slices.SortFunc(items, func(a, b prefixed) int {
			if c := strings.Compare(texts[a.number][depth:], texts[b.number][depth:]); c != 0 {
				return c
			}
			return cmp.Compare(a.number, b.number)
		})
		return
	}
	depth = commonDepth(texts, items, depth)
	longest := 0
	for i := range items {
		s := texts[items[i].number][depth:]
		longest = max(longest, len(s))
		items[i].prefix = prefixOf(s)
	}
	radixPrefixed(items, spare)
	for from := 0; from < len(items); {
		to := from + 1
		for to < len(items) && items[to].prefix == items[from].prefix {
			to++
		}
		if to-from > 1 {
			sortEqualPrefix(texts, items[from:to], spare, depth, longest)
		}
		from = to
	}
}

// sortEqualPrefix sorts items with the same eight bytes (zeros after the end) at depth.
func sortEqualPrefix(texts []string, items []prefixed, spare *[]prefixed, depth, longest int) {
	// Texts that end within the eight bytes come first, by length; they differ in nothing else.
	short := 0
	for i := range items {
		if len(texts[items[i].number]) <= depth+8 {
			items[short], items[i] = items[i], items[short]
			short++
		}
	}
	slices.SortFunc(items[:short], func(a, b prefixed) int {
		if c := cmp.Compare(len(texts[a.number]), len(texts[b.number])); c != 0 {
			return c
		}
		return cmp.Compare(a.number, b.number)
	})
	if longest > 8 && len(items)-short > 1 {
		sortPrefixed(texts, items[short:], spare, depth+8)
	}
}

// commonDepth extends depth by what all texts share.
func commonDepth(texts []string, items []prefixed, depth int) int {
	first := texts[items[0].number][depth:]
	n := len(first)
	for i := 1; i < len(items) && n > 0; i++ {
		s := texts[items[i].number][depth:]
		n = min(n, len(s))
		if first[:n] == s[:n] {
			continue
		}
		j := 0
		for first[j] == s[j] {
			j++
		}
		n = j
	}
	return depth + n
}

func prefixOf(s string) uint64 {
	if len(s) >= 8 {
		return binary.BigEndian.Uint64([]byte(s[:8]))
	}
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}

// radixPrefixed sorts by prefix, stably; digits that all share are skipped.
func radixPrefixed(items []prefixed, spare *[]prefixed) {
	if len(items) < 512 {
		slices.SortStableFunc(items, func(a, b prefixed) int { return cmp.Compare(a.prefix, b.prefix) })
		return
	}
	and, or := ^uint64(0), uint64(0)
	for i := range items {
		and &= items[i].prefix
		or |= items[i].prefix
	}
	differ := and ^ or
	if cap(*spare) < len(items) {
		*spare = make([]prefixed, len(items))
	}
	const digit = 8
	src, dst := items, (*spare)[:len(items)]
	for shift := 0; shift < 64; shift += digit {
		if differ>>shift&(1<<digit-1) == 0 {
			continue
		}
		var counts [1 << digit]uint32
		for i := range src {
			counts[uint8(src[i].prefix>>shift)]++
		}
		sum := uint32(0)
		for i, c := range counts {
			counts[i] = sum
			sum += c
		}
		for i := range src {
			slot := &counts[uint8(src[i].prefix>>shift)]
			dst[*slot] = src[i]
			*slot++
		}
		src, dst = dst, src
	}
	if &src[0] != &items[0] {
		copy(items, src)
	}
}
