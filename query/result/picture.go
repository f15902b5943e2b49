package result

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
)

// pictureWidth is the width of a picture for a screen of which nothing is known.
const pictureWidth = 100

// AppendPicture appends the table as what its Shape has a picture for:
//
//   - a funnel as bars, one a step, with the part lost since the step before shaded;
//   - a retention as a triangle of shaded cells, counts as their share of the cohort;
//   - the edges of paths as trees one step high, the nodes of each step with where they go next (or,
//     with steps counted back from the end, where they come from);
//   - a trend, a lifecycle and a stickiness as tables with bars.
//
// It ends with the same lines as AppendText. Every other table, and one whose columns are not those
// of its Shape, is written by AppendText. A picture is TextOptions.Width wide, 100 when that is 0; where
// figures do not fit it leaves out columns, the least important first, but never cuts a number.
func AppendPicture(dst []byte, t *Table, opt TextOptions) []byte {
	if opt.Width <= 0 {
		opt.Width = pictureWidth
	}
	drawn, ok := dst, false
	if len(t.Rows) > 0 && t.Shape.Groups >= 0 && t.Shape.Groups <= len(t.Columns) {
		switch t.Shape.Kind {
		case ShapeFunnel:
			drawn, ok = appendFunnel(dst, t, opt)
		case ShapeRetention:
			drawn, ok = appendRetention(dst, t, opt)
		case ShapePaths:
			drawn, ok = appendPaths(dst, t, opt)
		case ShapeTrend:
			drawn, ok = appendTrend(dst, t, opt)
		case ShapeLifecycle:
			drawn, ok = appendLifecycle(dst, t, opt)
		case ShapeStickiness:
			drawn, ok = appendStickiness(dst, t, opt)
		}
	}
	if !ok {
		return AppendText(dst, t, opt)
	}
	return appendFooter(drawn, t)
}

// want is a column that a picture builds on.
type want struct {
	name  string
	holds func(event.Value) bool
}

// hasColumns reports whether these columns stand behind those of the groups.
func hasColumns(t *Table, wanted []want) bool {
	columns := t.Columns[t.Shape.Groups:]
	if len(columns) < len(wanted) {
		return false
	}
	for i, w := range wanted {
		if columns[i].Name != w.name || !holdsAll(t, t.Shape.Groups+i, w.holds) {
			return false
		}
	}
	return true
}

func holdsAll(t *Table, column int, holds func(event.Value) bool) bool {
	return !slices.ContainsFunc(t.Rows, func(row []event.Value) bool { return !holds(row[column]) })
}

func isAny(event.Value) bool { return true }

func isInt(v event.Value) bool { return v.Kind() == event.KindInt }

func isCount(v event.Value) bool { return isInt(v) && v.AsInt() >= 0 }

func isString(v event.Value) bool { return v.Kind() == event.KindString }

func isNumberOrNull(v event.Value) bool { return !v.Exists() || v.IsNumber() }

func isDurationOrNull(v event.Value) bool { return !v.Exists() || v.Kind() == event.KindDuration }

func isTimeOrNull(v event.Value) bool { return !v.Exists() || v.Kind() == event.KindTime }

// picture is a table while it is drawn.
type picture struct {
	*Table
	grid
	first      int      // the first column behind those of the groups
	keyLayouts []string // how the times among the groups' values are written
}

func newPicture(t *Table, columns ...gridColumn) *picture {
	p := &picture{Table: t, grid: grid{columns: columns}, first: t.Shape.Groups}
	for c := range p.first {
		p.keyLayouts = append(p.keyLayouts, timeLayout(t, c))
	}
	return p
}

// groups calls draw with the rows of each group, without the group's columns, under a line that says
// which group it is, where there are any.
func (p *picture) groups(draw func(rows [][]event.Value)) {
	var rows [][]event.Value
	for r, row := range p.Rows {
		rows = append(rows, row[p.first:])
		if r+1 < len(p.Rows) && slices.Equal(row[:p.first], p.Rows[r+1][:p.first]) {
			continue
		}
		if p.first > 0 {
			p.addHeading(row)
		}
		draw(rows)
		rows = rows[:0]
	}
}

func (p *picture) addHeading(row []event.Value) {
	if len(p.lines) > 0 {
		p.addText("", "")
	}
	keys := make([]string, p.first)
	for c := range keys {
		keys[c] = oneLine(p.Columns[c].Name) + " = " + humanKey(row[c], p.Meta.Zone(), p.keyLayouts[c])
	}
	p.addText(strings.Join(keys, ", "), styleBold)
}

// layout is how the times right behind the groups are written.
func (t *Table) layout() string {
	if t.Shape.Layout != "" {
		return t.Shape.Layout
	}
	return timeLayout(t, t.Shape.Groups)
}

// humanKey writes a value that names something; the empty string, which cannot be seen, in quotes.
func humanKey(v event.Value, zone *time.Location, layout string) string {
	if v == event.String("") {
		return `""`
	}
	return humanValue(v, zone, layout, false)
}

func humanCount(n int64) string { return string(appendThousands(nil, n)) }

// ratio is a / b, or not a number where there is none.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}

// percent writes a ratio with so many decimals, or a dash where there is none. 0% and 100% are
// exactly that: a little more than nothing is <0.1%, a little less than all 99.9%.
func percent(ratio float64, decimals int) string {
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		return textNull
	}
	if ratio == 0 || ratio == 1 {
		return strconv.Itoa(int(ratio)*100) + "%"
	}
	unit := math.Pow10(-decimals)
	hundredths := ratio * 100
	prefix := ""
	switch {
	case hundredths > 0 && hundredths < unit/2:
		prefix, hundredths = "<", unit
	case hundredths < 100 && hundredths > 100-unit:
		hundredths = 100 - unit
	case math.Abs(hundredths) >= 1e15:
		return strconv.FormatFloat(hundredths, 'g', 3, 64) + "%"
	}
	return prefix + strconv.FormatFloat(hundredths, 'f', decimals, 64) + "%"
}

// percentOf is percent of a value that is a number or null.
func percentOf(v event.Value, decimals int) string {
	if !v.IsNumber() {
		return textNull
	}
	return percent(v.AsFloat(), decimals)
}

// countOrEmpty and durationOrEmpty write nothing for none: in pictures an empty cell says that there is
// nothing to say.
func countOrEmpty(n int64) string {
	if n == 0 {
		return ""
	}
	return humanCount(n)
}

func durationOrEmpty(v event.Value) string {
	if v.Kind() != event.KindDuration {
		return ""
	}
	return humanDuration(v.AsInt())
}
