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
// group's greatest count (that of step 1, but in an open funnel), the rates, what was dropped and is
// pending, the median time from the step before, and the sums.
func appendFunnel(dst []byte, t *Table, opt TextOptions) ([]byte, bool) {
	if !hasColumns(t, funnelColumns) {
		return dst, false
	}
	unit := t.Shape.Unit
	if unit == "" {
		unit = "count"
	}
	p := newPicture(
		t,
		gridColumn{title: ""},
		gridColumn{title: "event", kind: columnName},
		gridColumn{title: unit},
		gridColumn{title: "", kind: columnBar, goes: 6},
		gridColumn{title: "rate"},
		gridColumn{title: "step rate", goes: 5},
		gridColumn{title: "dropped", goes: 3},
		gridColumn{title: "pending", goes: 1},
		gridColumn{title: "median", goes: 2},
	)
	const pending, median = 7, 8
	var sumsApart []bool
	for c := p.first + len(funnelColumns); c < len(t.Columns); c++ {
		p.columns = append(p.columns, gridColumn{title: oneLine(t.Columns[c].Name), goes: 4})
		sumsApart = append(sumsApart, thousandsApart(t, c))
	}
	somePending, someMedian := false, false
	p.groups(func(rows [][]event.Value) {
		greatest, before := 1.0, 0.0
		for _, row := range rows {
			greatest = max(greatest, row[2].AsFloat())
		}
		for i, row := range rows {
			count := row[2].AsFloat()
			cells := []gridCell{
				{text: strconv.FormatInt(row[0].AsInt(), 10), style: styleDim},
				{text: oneLine(row[1].AsString())},
				{text: humanCount(row[2].AsInt()), style: styleBold},
				{bar: count / greatest, lost: before / greatest, style: styleBar},
				{text: percentOf(row[3], 1)},
				{text: percentOf(row[4], 1)},
				{text: countOrEmpty(row[5].AsInt())},
				{text: countOrEmpty(row[6].AsInt())},
				{text: durationOrEmpty(row[8])},
			}
			if i == 0 {
				cells[5] = gridCell{}
			}
			for i, sum := range row[len(funnelColumns):] {
				cells = append(cells, gridCell{text: humanValue(sum, t.Meta.Zone(), "2006-01-02 15:04:05", sumsApart[i])})
			}
			p.add(cells...)
			before = count
			somePending = somePending || cells[pending].text != ""
			someMedian = someMedian || cells[median].text != ""
		}
	})
	if !somePending {
		p.columns[pending].width = hidden
	}
	if !someMedian {
		p.columns[median].width = hidden
	}
	return p.draw(dst, opt), true
}
