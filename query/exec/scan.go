package exec

import (
	"math/bits"

	"cairn/engine/segment"
)

// codeTable tells which dictionary codes of a column pass. Entry 0 is for rows without a value,
// entry c+1 for code c.
type codeTable []bool

// scanRows appends to dst the rows of a block whose code passes, in ascending order. dst must have
// room for every row of the block.
func scanRows(v *segment.Vector, table codeTable, dst []uint16) []uint16 {
	if table[0] && v.Present != nil {
		return scanSparse(v, table, dst)
	}
	if v.Present == nil {
		return scanPacked(v, table, dst)
	}
	positions := scanPacked(v, table, make([]uint16, 0, v.Len))
	return positionRows(v.Present, positions, dst)
}

// scanPacked appends the positions of the values that pass.
func scanPacked(v *segment.Vector, table codeTable, dst []uint16) []uint16 {
	switch v.Form {
	case segment.FormConst:
		if table[v.Const+1] {
			dst = appendRange(dst, 0, v.Len)
		}
	case segment.FormRuns:
		from := 0
		for i, end := range v.Ends {
			if table[v.RunCodes[i]+1] {
				dst = appendRange(dst, from, int(end))
			}
			from = int(end)
		}
	case segment.Form8:
		dst = scanCodes(v.U8, table, dst)
	case segment.Form16:
		dst = scanCodes(v.U16, table, dst)
	case segment.Form32:
		dst = scanCodes(v.U32, table, dst)
	}
	return dst
}

func scanCodes[T uint8 | uint16 | uint32](codes []T, table codeTable, dst []uint16) []uint16 {
	n := len(dst)
	dst = dst[:min(cap(dst), n+len(codes)+1)]
	if len(dst) < n+len(codes)+1 {
		dst = append(dst, make([]uint16, n+len(codes)+1-len(dst))...)
	}
	for i, c := range codes {
		dst[n] = uint16(i)
		if table[uint32(c)+1] {
			n++
		}
	}
	return dst[:n]
}

func appendRange(dst []uint16, from, to int) []uint16 {
	for i := from; i < to; i++ {
		dst = append(dst, uint16(i))
	}
	return dst
}

// positionRows turns ascending positions of values into rows.
func positionRows(p *segment.Presence, positions, dst []uint16) []uint16 {
	next := 0
	for i, w := range p.Words {
		if next == len(positions) {
			break
		}
		if w == 0 {
			continue
		}
		first := int(p.Rank[i])
		last := first + bits.OnesCount64(w)
		if int(positions[next]) >= last {
			continue
		}
		for at := first; w != 0; w &= w - 1 {
			if next < len(positions) && int(positions[next]) == at {
				dst = append(dst, uint16(i<<6+bits.TrailingZeros64(w)))
				next++
			}
			at++
		}
	}
	return dst
}

func scanSparse(v *segment.Vector, table codeTable, dst []uint16) []uint16 {
	for row, c := range v.Codes(nil, nil) {
		if table[c+1] {
			dst = append(dst, uint16(row))
		}
	}
	return dst
}

// keepCodes appends the rows of sel whose code passes; codes has one entry for each.
func keepCodes(codes []uint32, sel []uint16, table codeTable, dst []uint16) []uint16 {
	for i, c := range codes {
		if table[c+1] {
			dst = append(dst, sel[i])
		}
	}
	return dst
}
