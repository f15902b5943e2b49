// Package table writes what was measured as tables of plain text, with targets beside the figures.
package table

import (
	"fmt"
	"strings"
	"time"
)

// Against says what a target is and whether value reaches it, more being better or worse; a target of 0
// is none.
func Against(value, target float64, more bool, format func(float64) string) (text, verdict string) {
	if target == 0 {
		return "", ""
	}
	sign, reached := "≤ ", value <= target
	if more {
		sign, reached = "≥ ", value >= target
	}
	verdict = "missed"
	if reached {
		verdict = "ok"
	}
	return sign + format(target), verdict
}

// Table is rows of cells, all of one length: the first row its head, the first column text, the others
// figures.
type Table [][]string

// Write appends the table to b, after an empty line.
func (t Table) Write(b *strings.Builder) {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	b.WriteByte('\n')
	for n, row := range t {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			switch {
			case i == 0:
				line.WriteString(cell + pad)
			default:
				line.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		if n == 0 {
			b.WriteString(strings.Repeat("-", len([]rune(line.String()))) + "\n")
		}
	}
}

// Count writes a number with thousands apart.
func Count(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Size writes bytes in the unit that suits.
func Size(n int64) string {
	v := float64(n)
	for _, unit := range []string{"B", "kB", "MB"} {
		if v < 1000 {
			return fmt.Sprintf("%.4g %s", v, unit)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.2f GB", v)
}

// Span writes seconds in milliseconds.
func Span(seconds float64) string {
	d := time.Duration(seconds * 1e9)
	if d >= 100*time.Millisecond {
		return fmt.Sprintf("%.0f ms", seconds*1000)
	}
	return fmt.Sprintf("%.3g ms", seconds*1000)
}
