package result

import "strings"

// bar draws a part of width columns in eighths of a column, and shades what lies between it and lost.
// What is more than nothing has at least an eighth. It returns the two texts and their width together.
func bar(part, lost float64, width int) (filled, shaded string, used int) {
	eighths := int(clamp(part)*float64(8*width) + 0.5)
	if part > 0 {
		eighths = max(eighths, 1)
	}
	var text []rune
	for range eighths / 8 {
		text = append(text, '█')
	}
	if rest := eighths % 8; rest > 0 {
		text = append(text, []rune("▏▎▍▌▋▊▉")[rest-1])
	}
	filled, used = string(text), len(text)
	text = text[:0]
	for end := int(clamp(lost)*float64(width) + 0.5); used < end; used++ {
		text = append(text, '░')
	}
	return filled, string(text), used
}

// appendSegments draws segments one after the other. Each ends where all up to it do when they are
// rounded together, so that equal sums end in the same column.
func appendSegments(dst []byte, segments []segment, width int, colour bool) []byte {
	sum, used := 0.0, 0
	for _, s := range segments {
		sum += s.part
		begin := used
		if end := int(clamp(sum)*float64(width) + 0.5); end > used {
			used = end
		}
		dst = appendStyled(dst, strings.Repeat(s.fill, used-begin), s.style, colour)
	}
	return appendSpaces(dst, width-used)
}

// clamp brings a part into 0 … 1; no number is 0.
func clamp(part float64) float64 {
	if !(part > 0) {
		return 0
	}
	return min(part, 1)
}
