package result

import (
	"bytes"
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// grid is what pictures are made of: lines of aligned columns below a header, as in a text table, but
// with a column of bars that takes the room left, texts and rules between the lines, and columns that
// go where the screen is narrow.
type grid struct {
	columns []gridColumn
	lines   []gridLine
}

// gridColumn is a column of a grid. Only names are ever cut: half a number is another number.
type gridColumn struct {
	title string
	kind  columnKind
	tight bool // no gap to a neighbour that is tight too, and the colour of a cell fills its whole width
	goes  int  // where lines do not fit, the column with the least number goes first; 0: it stays
	width int  // set by fit; hidden when it has gone or was never to be seen
}

type columnKind uint8

const (
	columnNumber columnKind = iota // to the right
	columnName                     // to the left
	columnBar
)

const hidden = -1

// gridLine has a cell for each column, or a text across them; the zero value is an empty line.
type gridLine struct {
	cells []gridCell
	text  string
	style style
	rule  bool
}

// gridCell is a text or, in a column of bars, a bar with what is lost behind it, or segments.
type gridCell struct {
	text  string
	style style
	bar   float64 // filled part of the width, 0 … 1
	lost  float64 // the part up to here is shaded; 0 is nothing

	segments []segment
}

// segment is a part of a bar's width, filled with a character.
type segment struct {
	part  float64
	fill  string
	style style
}

// style is the inside of an ANSI escape sequence; "" is as the terminal writes anyway. The numbers
// of colours are of the 256 that terminals share, chosen to be seen on black and on white.
type style string

const (
	styleBold style = "1"
	styleDim  style = "2"
	styleBar  style = "38;5;33"
	styleSoft style = "38;5;74"
)

const (
	barWidthMin  = 8  // with less room other columns go, and then the bars themselves
	barWidthMax  = 60 // longer ones are no easier to compare
	nameWidthMin = 12 // names have this much room before other columns go
)

func (g *grid) add(cells ...gridCell) { g.lines = append(g.lines, gridLine{cells: cells}) }

func (g *grid) addText(text string, s style) {
	g.lines = append(g.lines, gridLine{text: text, style: s})
}

func (g *grid) addRule() { g.lines = append(g.lines, gridLine{rule: true}) }

// measure sets the width of every column to that of its widest text, of bars to the least.
func (g *grid) measure() {
	for c := range g.columns {
		column := &g.columns[c]
		if column.width == hidden {
			continue
		}
		column.width = displaywidth.String(column.title)
		if column.kind == columnBar {
			column.width = barWidthMin
			continue
		}
		for _, line := range g.lines {
			if line.cells != nil {
				column.width = max(column.width, displaywidth.String(line.cells[c].text))
			}
		}
	}
}

// total is the width of a line, with names no wider than nameWidth.
func (g *grid) total(nameWidth int) int {
	sum := 0
	for c, column := range g.columns {
		if column.width == hidden {
			continue
		}
		sum += len(g.gap(c))
		if column.kind == columnName {
			sum += min(column.width, nameWidth)
		} else {
			sum += column.width
		}
	}
	return sum
}

// fit measures the columns, lets go those without which the others fit, and shares out the room:
// names get what they need, but no more than half of it where there are bars. It returns the titles of the columns that went, the first to go first.
func (g *grid) fit(width int) (gone []string) {
	g.measure()
	for g.total(nameWidthMin) > width {
		next := -1
		for c, column := range g.columns {
			if column.goes > 0 && column.width != hidden && (next < 0 || column.goes < g.columns[next].goes) {
				next = c
			}
		}
		if next < 0 {
			break
		}
		gone = append(gone, g.columns[next].title)
		g.columns[next].width = hidden
	}
	names, bars := g.visible(columnName), g.visible(columnBar)
	room := width - g.total(0)
	for _, c := range bars {
		room += g.columns[c].width
	}
	for _, c := range names {
		share := room
		if len(bars) > 0 {
			share = max(room/2, nameWidthMin)
		}
		g.columns[c].width = min(g.columns[c].width, max(share, 1))
		room -= g.columns[c].width
	}
	for _, c := range bars {
		g.columns[c].width = max(min(room, barWidthMax), barWidthMin)
	}
	return gone
}

// gap is what stands before a column.
func (g *grid) gap(c int) string {
	before := c - 1
	for before >= 0 && g.columns[before].width == hidden {
		before--
	}
	if before < 0 || g.columns[c].tight && g.columns[before].tight {
		return ""
	}
	return "  "
}

// visible returns the columns of a kind that have not gone.
func (g *grid) visible(kind columnKind) (columns []int) {
	for c, column := range g.columns {
		if column.kind == kind && column.width != hidden {
			columns = append(columns, c)
		}
	}
	return columns
}

// append writes the header, a rule and the lines. The columns have been fitted to width.
func (g *grid) append(dst []byte, width int, colour bool) []byte {
	titles := make([]gridCell, len(g.columns))
	for c, column := range g.columns {
		if column.kind != columnBar {
			titles[c].text = column.title
		}
	}
	dst = g.appendCells(dst, titles, colour)
	dst = g.appendRule(dst, colour)
	for _, line := range g.lines {
		switch {
		case line.rule:
			dst = g.appendRule(dst, colour)
		case line.cells != nil:
			dst = g.appendCells(dst, line.cells, colour)
		default:
			dst = appendStyled(dst, cut(line.text, width), line.style, colour)
			dst = append(dst, '\n')
		}
	}
	return dst
}

func (g *grid) appendRule(dst []byte, colour bool) []byte {
	var rule []byte
	for c, column := range g.columns {
		if column.width == hidden {
			continue
		}
		rule = append(rule, g.gap(c)...)
		for range column.width {
			rule = append(rule, "─"...)
		}
	}
	return append(appendStyled(dst, string(rule), styleDim, colour), '\n')
}

func (g *grid) appendCells(dst []byte, cells []gridCell, colour bool) []byte {
	begin := len(dst)
	for c, column := range g.columns {
		if column.width == hidden {
			continue
		}
		dst = append(dst, g.gap(c)...)
		dst = column.appendCell(dst, cells[c], colour)
	}
	line := bytes.TrimRight(dst[begin:], " ")
	return append(dst[:begin+len(line)], '\n')
}

func (column *gridColumn) appendCell(dst []byte, cell gridCell, colour bool) []byte {
	if column.kind == columnBar {
		if cell.segments != nil {
			return appendSegments(dst, cell.segments, column.width, colour)
		}
		filled, shaded, used := bar(cell.bar, cell.lost, column.width)
		dst = appendStyled(dst, filled, cell.style, colour)
		dst = appendStyled(dst, shaded, styleDim, colour)
		return appendSpaces(dst, column.width-used)
	}
	text := cell.text
	if column.kind == columnName {
		text = cut(text, column.width)
	}
	pad := column.width - displaywidth.String(text)
	switch {
	case column.tight:
		return appendStyled(dst, string(appendSpaces(nil, pad))+text, cell.style, colour)
	case column.kind == columnName:
		return appendSpaces(appendStyled(dst, text, cell.style, colour), pad)
	default:
		return appendStyled(appendSpaces(dst, pad), text, cell.style, colour)
	}
}

func appendStyled(dst []byte, text string, s style, colour bool) []byte {
	if !colour || s == "" || text == "" {
		return append(dst, text...)
	}
	dst = append(dst, "\x1b["...)
	dst = append(dst, s...)
	dst = append(dst, 'm')
	dst = append(dst, text...)
	return append(dst, "\x1b[0m"...)
}

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
