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
// A column of bars has no title.
type gridColumn struct {
	title string
	kind  columnKind
	tight bool // no gap to a neighbour that is tight too, and the colour of a cell fills its whole width
	goes  int  // where lines do not fit, the column with the least number goes first; 0: it stays
	width int  // set by fit; hidden when it has gone or was never to be seen
	gone  bool
}

type columnKind uint8

const (
	columnNumber columnKind = iota // to the right
	columnLabel                    // to the left
	columnName                     // to the left, and cut where there is no room
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

// measure sets the width of every column to that of its widest text.
func (g *grid) measure() {
	for c := range g.columns {
		column := &g.columns[c]
		if column.width == hidden {
			continue
		}
		column.width = displaywidth.String(column.title)
		for _, line := range g.lines {
			if line.cells != nil {
				column.width = max(column.width, displaywidth.String(line.cells[c].text))
			}
		}
	}
}

// fixed is the width of a line without its names and bars.
func (g *grid) fixed() int {
	sum := 0
	for c, column := range g.columns {
		if column.width == hidden {
			continue
		}
		sum += len(g.gap(c))
		if column.kind != columnName && column.kind != columnBar {
			sum += column.width
		}
	}
	return sum
}

// need is the least width of a line.
func (g *grid) need() int {
	sum := g.fixed()
	for _, c := range g.visible(columnName) {
		sum += min(g.columns[c].width, nameWidthMin)
	}
	return sum + barWidthMin*len(g.visible(columnBar))
}

// fits reports whether all columns have room.
func (g *grid) fits(width int) bool {
	g.measure()
	return g.need() <= width
}

// draw writes the grid for a screen, and says which columns there was no room for.
func (g *grid) draw(dst []byte, opt TextOptions) []byte {
	g.fit(opt.Width)
	var gone []string
	for _, column := range g.columns {
		if column.gone && column.title != "" {
			gone = append(gone, strings.TrimSpace(column.title))
		}
	}
	if gone != nil {
		g.addText("no room for "+strings.Join(gone, ", "), styleDim)
	}
	return g.append(dst, opt.Width, opt.Colour)
}

// fit measures the columns, lets go those without which the others fit, and shares out the room:
// names get what they need, but no more than half of it where there are bars.
func (g *grid) fit(width int) {
	g.measure()
	for g.need() > width {
		next := -1
		for c, column := range g.columns {
			if column.goes > 0 && column.width != hidden && (next < 0 || column.goes < g.columns[next].goes) {
				next = c
			}
		}
		if next < 0 {
			break
		}
		g.columns[next].width, g.columns[next].gone = hidden, true
	}
	room, bars := width-g.fixed(), g.visible(columnBar)
	for _, c := range g.visible(columnName) {
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
		titles[c].text = column.title
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
	case column.kind != columnNumber:
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
