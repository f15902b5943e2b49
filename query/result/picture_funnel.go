package result

import (
	"strconv"

	"cairn/engine/event"
)

var funnelColumns = []want{
	{"step", isInt},
	{"event", isString},
	{"count", isCount},
	{"rate", isNumberOrNull},
	{"step_rate", isNumberOrNull},
	{"dropped", isCount},
	{"pending", isCount},
	{"avg_time", isDurationOrNull},
	{"median_time", isDurationOrNull},
}

// appendFunnel draws a line for each step: its number, event and count, a bar in proportion to the
// group's greatest count (step 1, if it is not an open funnel), the rates, what was dropped and is
// pending, where anything is, the median time from the step before, and the sums.
func appendFunnel(dst []byte, t *Table, opt TextOptions) ([]byte, bool) {
	if !hasColumns(t, funnelColumns) {
		return dst, false
	}
	first := t.Shape.Groups
	sums := t.Columns[first+len(funnelColumns):]
	unit := t.Shape.Unit
	if unit == "" {
		unit = "count"
	}
	g := &grid{columns: []gridColumn{
		{title: ""},
		{title: "event", kind: columnName},
		{title: unit},
		{title: "", kind: columnBar, goes: 6},
		{title: "rate"},
		{title: "step rate", goes: 5},
		{title: "dropped", goes: 3},
		{title: "pending", goes: 1},
		{title: "median", goes: 2},
	}}
	for i := range sums {
		g.columns = append(g.columns, gridColumn{title: oneLine(sums[i].Name), goes: 4})
	}
	apart := make([]bool, len(sums))
	for i := range sums {
		apart[i] = thousandsApart(t, first+len(funnelColumns)+i)
	}
	pending, timed := false, false
	for _, rows := range groupsOf(t) {
		addGroup(g, t, rows[0])
		var most, before int64
		for _, row := range rows {
			most = max(most, row[first+2].AsInt())
		}
		for i, row := range rows {
			row = row[first:]
			count := row[2].AsInt()
			cells := []gridCell{
				{text: strconv.FormatInt(row[0].AsInt(), 10), style: styleDim},
				{text: oneLine(row[1].AsString())},
				{text: humanCount(count), style: styleBold},
				{bar: float64(count) / float64(max(most, 1)), lost: float64(before) / float64(max(most, 1)), style: styleBar},
				{text: percentOf(row[3], 1)},
				{},
				{text: countOrEmpty(row[5])},
				{text: countOrEmpty(row[6])},
				{text: humanOrEmpty(row[8])},
			}
			if i > 0 {
				cells[5].text = percentOf(row[4], 1)
			}
			for i, v := range row[len(funnelColumns):] {
				cells = append(cells, gridCell{text: humanValue(v, t.Meta.Zone(), timeLayout(t, first+len(funnelColumns)+i), apart[i])})
			}
			g.add(cells...)
			before = count
			pending = pending || cells[7].text != ""
			timed = timed || cells[8].text != ""
		}
	}
	if !timed {
		g.columns[8].width = hidden
	}
	if !pending {
		g.columns[7].width = hidden
	}
	g.fit(opt.Width)
	return g.append(dst, opt.Width, opt.Colour), true
}

// countOrEmpty writes a count, and nothing for 0.
func countOrEmpty(v event.Value) string {
	if v.AsInt() == 0 {
		return ""
	}
	return humanCount(v.AsInt())
}
