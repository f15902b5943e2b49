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
	p := newPicture(
		t,
		gridColumn{title: "time", kind: columnLabel},
		gridColumn{title: "entered"},
		gridColumn{title: "converted"},
		gridColumn{title: "rate"},
		gridColumn{title: "", kind: columnBar, goes: 1},
	)
	layout, greatest := t.layout(), 0.0
	for _, row := range t.Rows {
		if rate := row[p.first+3]; rate.IsNumber() {
			greatest = max(greatest, rate.AsFloat())
		}
	}
	p.groups(func(rows [][]event.Value) {
		for _, row := range rows {
			rate := gridCell{style: styleBar}
			if row[3].IsNumber() {
				rate.bar = ratio(row[3].AsFloat(), greatest)
			}
			p.add(
				gridCell{text: humanValue(row[0], t.Meta.Zone(), layout, false)},
				gridCell{text: humanCount(row[1].AsInt())},
				gridCell{text: humanCount(row[2].AsInt())},
				gridCell{text: percentOf(row[3], 1), style: styleBold},
				rate,
			)
		}
	})
	return p.draw(dst, opt), true
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
	p := newPicture(t, gridColumn{title: "time", kind: columnLabel})
	for i, s := range lifecycleSegments {
		p.columns = append(p.columns, gridColumn{title: s.fill + " " + lifecycleColumns[i+1].name})
	}
	p.columns = append(p.columns, gridColumn{title: "", kind: columnBar, goes: 1})
	layout, left, right := t.layout(), 0.0, 0.0
	for _, row := range t.Rows {
		row = row[p.first:]
		left = max(left, row[4].AsFloat())
		right = max(right, row[1].AsFloat()+row[2].AsFloat()+row[3].AsFloat())
	}
	p.groups(func(rows [][]event.Value) {
		for _, row := range rows {
			cells := []gridCell{{text: humanValue(row[0], t.Meta.Zone(), layout, false)}}
			for _, count := range row[1:len(lifecycleColumns)] {
				cells = append(cells, gridCell{text: humanCount(count.AsInt())})
			}
			segments := []segment{{part: ratio(left-row[4].AsFloat(), left+right), fill: " "}}
			for _, c := range [...]int{4, 2, 3, 1} {
				s := lifecycleSegments[c-1]
				s.part = ratio(row[c].AsFloat(), left+right)
				segments = append(segments, s)
			}
			p.add(append(cells, gridCell{segments: segments})...)
		}
	})
	return p.draw(dst, opt), true
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
	p := newPicture(t, gridColumn{title: "periods"}, gridColumn{title: "users"}, gridColumn{title: "", kind: columnBar, goes: 1})
	most := 0.0
	for _, row := range t.Rows {
		most = max(most, row[p.first+1].AsFloat())
	}
	p.groups(func(rows [][]event.Value) {
		for _, row := range rows {
			p.add(
				gridCell{text: strconv.FormatInt(row[0].AsInt(), 10)},
				gridCell{text: humanCount(row[1].AsInt()), style: styleBold},
				gridCell{bar: ratio(row[1].AsFloat(), most), style: styleBar},
			)
		}
	})
	return p.draw(dst, opt), true
}
