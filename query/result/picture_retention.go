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

// retention is how the cells of a table are drawn. Its rows are without the columns of the groups:
// cohort, size, cells.
type retention struct {
	cells    Cells
	periods  []int     // numbers of the cells' columns
	greatest []float64 // what has the deepest shade, for each cell of a row
	decimals int       // of shares
	blocks   bool      // shades are blocks beside the numbers
	colour   bool      // shades are the ground of the cells
}

// appendRetention draws a line for each cohort: its time, its size, and a cell for each period,
// shaded: with a coloured ground, or without colours by a block beside the number. The mean is set
// apart by a rule.
func appendRetention(dst []byte, t *Table, opt TextOptions) ([]byte, bool) {
	periods, ok := periodsOf(t)
	if !ok || !hasColumns(t, retentionColumns) {
		return dst, false
	}
	r := &retention{cells: t.Shape.Cells, periods: periods, decimals: 1, blocks: !opt.Colour, colour: opt.Colour}
	r.measure(t)
	// Where all cells do not fit, decimals go first, then the blocks, then the last cells.
	p := r.picture(t)
	if !p.fits(opt.Width) {
		r.decimals = 0
		p = r.picture(t)
	}
	if r.blocks && !p.fits(opt.Width) {
		r.blocks = false
		p = r.picture(t)
	}
	return p.draw(dst, opt), true
}

// periodsOf returns the numbers of the columns behind the size, and whether these are all cells.
func periodsOf(t *Table) (periods []int, ok bool) {
	for c := t.Shape.Groups + len(retentionColumns); c < len(t.Columns); c++ {
		period, err := strconv.Atoi(strings.TrimPrefix(t.Columns[c].Name, "p"))
		if err != nil || t.Columns[c].Name != "p"+strconv.Itoa(period) || !holdsAll(t, c, isNumberOrNull) {
			return nil, false
		}
		periods = append(periods, period)
	}
	return periods, len(periods) > 0
}

// measure finds the greatest value of each column or, as shares compare with each other, of all.
// Means have no say.
func (r *retention) measure(t *Table) {
	r.greatest = make([]float64, len(r.periods))
	all := 0.0
	for _, row := range t.Rows {
		row = row[t.Shape.Groups:]
		for i := range r.periods {
			v := r.value(row, i)
			if !row[0].Exists() || !(v > 0) {
				continue
			}
			r.greatest[i] = max(r.greatest[i], v)
			if !r.isCohort(i) {
				all = max(all, v)
			}
		}
	}
	if r.cells == CellsCount {
		for i := range r.greatest {
			r.greatest[i] = all
		}
	}
}

// value is what cell i of a row shows: a share, a sum or a mean; not a number where there is none.
func (r *retention) value(row []event.Value, i int) float64 {
	v, size := row[2+i], row[1]
	switch {
	case !v.IsNumber(), r.cells == CellsCount && !size.IsNumber():
		return math.NaN()
	case r.cells == CellsCount:
		return ratio(v.AsFloat(), size.AsFloat())
	default:
		return v.AsFloat()
	}
}

// meanShares returns the mean row with the shares of all cohorts together in place of counts.
func (r *retention) meanShares(mean []event.Value, rows [][]event.Value) []event.Value {
	if r.cells != CellsCount {
		return mean
	}
	shares := append([]event.Value{mean[0], event.Int(1)}, mean[2:]...)
	for i := range r.periods {
		users, size := 0.0, 0.0
		for _, row := range rows {
			if row[0].Exists() && row[1].IsNumber() && row[2+i].IsNumber() {
				users, size = users+row[2+i].AsFloat(), size+row[1].AsFloat()
			}
		}
		if shares[2+i] = event.Null; size > 0 {
			shares[2+i] = event.Float(users / size)
		}
	}
	return shares
}

// isCohort reports whether cell i counts the cohort itself.
func (r *retention) isCohort(i int) bool { return r.cells == CellsCount && r.periods[i] == 0 }

func (r *retention) picture(t *Table) *picture {
	p := newPicture(t, gridColumn{title: "cohort", kind: columnLabel}, gridColumn{title: "size"})
	for i, period := range r.periods {
		p.columns = append(p.columns, gridColumn{
			title: r.padded(i, "p"+strconv.Itoa(period), shadeBlocks[0]), tight: r.colour, goes: len(r.periods) - i,
		})
	}
	layout := t.layout()
	p.groups(func(rows [][]event.Value) {
		for _, row := range rows {
			cells := []gridCell{
				{text: humanValue(row[0], t.Meta.Zone(), layout, false)},
				{text: shortNumber(row[1]), style: styleBold},
			}
			if !row[0].Exists() {
				p.addRule()
				cells[0] = gridCell{text: "mean", style: styleBold}
				row = r.meanShares(row, rows)
			}
			for i := range r.periods {
				cells = append(cells, r.cell(row, i))
			}
			p.add(cells...)
		}
	})
	return p
}

func (r *retention) cell(row []event.Value, i int) gridCell {
	if !row[2+i].Exists() {
		return gridCell{}
	}
	value := r.value(row, i)
	text := shortNumber(row[2+i])
	if r.cells == CellsCount {
		text = percent(value, r.decimals)
	}
	part := value / r.greatest[i]
	if r.isCohort(i) {
		part = 0
	}
	return gridCell{
		text:  r.padded(i, text, shadeBlocks[shade(part, len(shadeBlocks)-1)]),
		style: shadeStyles[shade(part, len(shadeStyles)-1)],
	}
}

// padded makes room around the text of column i: for the ground, or for a block.
func (r *retention) padded(i int, text, block string) string {
	switch {
	case r.colour:
		return " " + text + " "
	case r.blocks && !r.isCohort(i):
		return text + block
	default:
		return text
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
