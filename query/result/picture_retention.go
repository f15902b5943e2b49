package result

import (
	"math"
	"strconv"
	"strings"

	"cairn/engine/event"
)

var retentionColumns = []want{
	{"cohort", isTimeOrNull},
	{"size", isNumberOrNull},
}

// retention is a retention's table while it is drawn.
type retention struct {
	*Table
	first    int       // the first cell's column
	periods  []int     // numbers of the cells' columns
	greatest []float64 // what has the deepest shade, for each column
}

// appendRetention draws a line for each cohort: its time, its size, and a cell for each period,
// shaded: with a coloured ground, or without colours by a block beside the number. The mean is set
// apart by a rule.
func appendRetention(dst []byte, t *Table, opt TextOptions) ([]byte, bool) {
	r := &retention{Table: t, first: t.Shape.Groups + len(retentionColumns)}
	if !hasColumns(t, retentionColumns) || !r.readPeriods() {
		return dst, false
	}
	r.measure()
	// Where all cells do not fit, decimals go first, then the blocks beside the numbers, then columns.
	g := r.grid(1, true, opt.Colour)
	if g.measure(); g.total(nameWidthMin) > opt.Width {
		g = r.grid(0, true, opt.Colour)
	}
	if g.measure(); g.total(nameWidthMin) > opt.Width {
		g = r.grid(0, false, opt.Colour)
	}
	if gone := g.fit(opt.Width); len(gone) > 0 {
		g.addText("", "")
		g.addText("no room for "+strings.TrimSpace(gone[len(gone)-1])+" and later", styleDim)
	}
	return g.append(dst, opt.Width, opt.Colour), true
}

// readPeriods reports whether the columns behind the size are those of cells.
func (r *retention) readPeriods() bool {
	for c := r.first; c < len(r.Columns); c++ {
		period, err := strconv.Atoi(strings.TrimPrefix(r.Columns[c].Name, "p"))
		if err != nil || r.Columns[c].Name != "p"+strconv.Itoa(period) || !holdsAll(r.Table, c, isNumberOrNull) {
			return false
		}
		r.periods = append(r.periods, period)
	}
	return len(r.periods) > 0
}

// measure finds the greatest value of each column or, as shares compare with each other, of all.
// Means have no say.
func (r *retention) measure() {
	r.greatest = make([]float64, len(r.periods))
	all := 0.0
	for _, row := range r.Rows {
		if !row[r.first-2].Exists() {
			continue
		}
		for i := range r.periods {
			if v := r.value(row, i); v > r.greatest[i] {
				r.greatest[i] = v
				if !r.whole(i) {
					all = max(all, v)
				}
			}
		}
	}
	if r.Shape.Cells == CellsCount {
		for i := range r.greatest {
			r.greatest[i] = all
		}
	}
}

// value is what cell i of a row shows: a share, a sum or a mean; not a number where there is none.
func (r *retention) value(row []event.Value, i int) float64 {
	v, size := row[r.first+i], row[r.first-1]
	switch {
	case !v.IsNumber():
		return math.NaN()
	case r.Shape.Cells != CellsCount:
		return v.AsFloat()
	case !size.IsNumber():
		return math.NaN()
	default:
		return ratio(v.AsFloat(), size.AsFloat())
	}
}

// whole reports whether cell i is the cohort itself.
func (r *retention) whole(i int) bool { return r.Shape.Cells == CellsCount && r.periods[i] == 0 }

func (r *retention) grid(decimals int, blocks, colour bool) *grid {
	g := &grid{columns: []gridColumn{{title: "cohort", kind: columnName}, {title: "size"}}}
	for i, period := range r.periods {
		column := gridColumn{title: "p" + strconv.Itoa(period), goes: len(r.periods) - i}
		switch {
		case colour:
			column.title, column.tight = " "+column.title+" ", true
		case blocks && !r.whole(i):
			column.title += "  "
		}
		g.columns = append(g.columns, column)
	}
	layout := r.layout()
	for _, rows := range groupsOf(r.Table) {
		addGroup(g, r.Table, rows[0])
		for _, row := range rows {
			cells := []gridCell{
				{text: humanValue(row[r.first-2], r.Meta.Zone(), layout, false)},
				{text: shortNumber(row[r.first-1]), style: styleBold},
			}
			if !row[r.first-2].Exists() {
				g.addRule()
				cells[0] = gridCell{text: "mean", style: styleBold}
			}
			for i := range r.periods {
				cells = append(cells, r.cell(row, i, decimals, blocks, colour))
			}
			g.add(cells...)
		}
	}
	return g
}

func (r *retention) cell(row []event.Value, i, decimals int, blocks, colour bool) gridCell {
	if !row[r.first+i].Exists() {
		return gridCell{}
	}
	value := r.value(row, i)
	text := shortNumber(row[r.first+i])
	if r.Shape.Cells == CellsCount {
		text = percent(value, decimals)
	}
	part := value / r.greatest[i]
	switch {
	case colour && r.whole(i):
		return gridCell{text: " " + text + " "}
	case colour:
		return gridCell{text: " " + text + " ", style: shadeStyles[shade(part, len(shadeStyles)-1)]}
	case blocks && !r.whole(i):
		block := shadeBlocks[shade(part, len(shadeBlocks)-1)]
		return gridCell{text: text + block}
	default:
		return gridCell{text: text}
	}
}

// shadeBlocks and shadeStyles are the shades, from none to the deepest.
var (
	shadeBlocks = [...]string{"  ", "░░", "▒▒", "▓▓", "██"}
	shadeStyles = [...]style{"", "48;5;60;38;5;255", "48;5;67;38;5;16", "48;5;74;38;5;16", "48;5;39;38;5;16", "48;5;45;38;5;16"}
)

// shade gives a part of the greatest value one of the shades 1 … deepest, 0 to nothing.
func shade(part float64, deepest int) int { return int(math.Ceil(clamp(part) * float64(deepest))) }

// shortNumber writes a number for a cell: integers as they are, floats with four digits or all of the
// whole part, whichever is more.
func shortNumber(v event.Value) string {
	if !v.IsNumber() {
		return textNull
	}
	if v.Kind() == event.KindInt {
		return humanCount(v.AsInt())
	}
	f := v.AsFloat()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return textNull
	}
	decimals := 3
	for limit := 10.0; decimals > 0 && math.Abs(f) >= limit; limit *= 10 {
		decimals--
	}
	scale := math.Pow10(decimals)
	if rounded := math.Round(f*scale) / scale; !math.IsInf(rounded, 0) {
		f = rounded
	}
	return strings.TrimSuffix(humanFloat(f, true), ".0")
}
