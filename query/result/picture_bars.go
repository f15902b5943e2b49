package result

import (
	"strconv"

	"cairn/engine/event"
)

var trendColumns = []want{
	{"time", isTimeOrNull},
	{"entered", isCount},
	{"converted", isCount},
	{"rate", isNumberOrNull},
}

// appendTrend draws a line for each bucket of time, with a bar in proportion to the greatest rate.
func appendTrend(dst []byte, t *Table, opt TextOptions) ([]byte, bool) {
	if !hasColumns(t, trendColumns) {
		return dst, false
	}
	g := &grid{columns: []gridColumn{
		{title: "time", kind: columnName},
		{title: "entered"},
		{title: "converted"},
		{title: "rate"},
		{kind: columnBar, goes: 1},
	}}
	first, layout := t.Shape.Groups, t.layout()
	greatest := 0.0
	for _, row := range t.Rows {
		if rate := row[first+3]; rate.IsNumber() {
			greatest = max(greatest, rate.AsFloat())
		}
	}
	for _, rows := range groupsOf(t) {
		addGroup(g, t, rows[0])
		for _, row := range rows {
			row = row[first:]
			rate := gridCell{style: styleBar}
			if row[3].IsNumber() {
				rate.bar = ratio(row[3].AsFloat(), greatest)
			}
			g.add(
				gridCell{text: humanValue(row[0], t.Meta.Zone(), layout, false)},
				gridCell{text: humanCount(row[1].AsInt())},
				gridCell{text: humanCount(row[2].AsInt())},
				gridCell{text: percentOf(row[3], 1), style: styleBold},
				rate,
			)
		}
	}
	g.fit(opt.Width)
	return g.append(dst, opt.Width, opt.Colour), true
}

var lifecycleColumns = []want{
	{"time", isTimeOrNull},
	{"new", isCount},
	{"returning", isCount},
	{"resurrected", isCount},
	{"dormant", isCount},
}

// lifecycleSegments are what a lifecycle's bars are made of, in the order of the columns.
var lifecycleSegments = [...]segment{
	{fill: "▒", style: "38;5;71"},
	{fill: "█", style: styleBar},
	{fill: "▓", style: "38;5;135"},
	{fill: "░", style: "38;5;167"},
}

// appendLifecycle draws a line for each period, with a bar of the users who were there to the right,
// and one of those who were not to the left. The header says which part is whose.
func appendLifecycle(dst []byte, t *Table, opt TextOptions) ([]byte, bool) {
	if !hasColumns(t, lifecycleColumns) {
		return dst, false
	}
	first, layout := t.Shape.Groups, t.layout()
	g := &grid{columns: []gridColumn{{title: "time", kind: columnName}}}
	for i, s := range lifecycleSegments {
		g.columns = append(g.columns, gridColumn{title: s.fill + " " + lifecycleColumns[i+1].name})
	}
	g.columns = append(g.columns, gridColumn{kind: columnBar, goes: 1})
	there := func(row []event.Value) float64 {
		return row[first+1].AsFloat() + row[first+2].AsFloat() + row[first+3].AsFloat()
	}
	var left, right float64
	for _, row := range t.Rows {
		left, right = max(left, row[first+4].AsFloat()), max(right, there(row))
	}
	for _, rows := range groupsOf(t) {
		addGroup(g, t, rows[0])
		for _, row := range rows {
			row = row[first:]
			bar := gridCell{segments: []segment{{part: ratio(left-row[4].AsFloat(), left+right), fill: " "}}}
			for _, i := range [...]int{3, 1, 2, 0} {
				s := lifecycleSegments[i]
				s.part = ratio(row[i+1].AsFloat(), left+right)
				bar.segments = append(bar.segments, s)
			}
			cells := []gridCell{{text: humanValue(row[0], t.Meta.Zone(), layout, false)}}
			for i := range lifecycleSegments {
				cells = append(cells, gridCell{text: humanCount(row[i+1].AsInt())})
			}
			g.add(append(cells, bar)...)
		}
	}
	g.fit(opt.Width)
	return g.append(dst, opt.Width, opt.Colour), true
}

var stickinessColumns = []want{
	{"periods", isInt},
	{"users", isCount},
}

// appendStickiness draws a line for each number of periods, with a bar in proportion to the most
// users.
func appendStickiness(dst []byte, t *Table, opt TextOptions) ([]byte, bool) {
	if !hasColumns(t, stickinessColumns) {
		return dst, false
	}
	g := &grid{columns: []gridColumn{{title: "periods"}, {title: "users"}, {kind: columnBar, goes: 1}}}
	most := int64(0)
	for _, row := range t.Rows {
		most = max(most, row[t.Shape.Groups+1].AsInt())
	}
	for _, rows := range groupsOf(t) {
		addGroup(g, t, rows[0])
		for _, row := range rows {
			row = row[t.Shape.Groups:]
			g.add(
				gridCell{text: strconv.FormatInt(row[0].AsInt(), 10)},
				gridCell{text: humanCount(row[1].AsInt()), style: styleBold},
				gridCell{bar: ratio(row[1].AsFloat(), float64(most)), style: styleBar},
			)
		}
	}
	g.fit(opt.Width)
	return g.append(dst, opt.Width, opt.Colour), true
}
