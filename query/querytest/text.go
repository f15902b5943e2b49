package querytest

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/query/result"
)

// Text writes a table as golden files show it.
func Text(t *result.Table) string {
	lines := make([][]string, 1, len(t.Rows)+1)
	for _, c := range t.Columns {
		lines[0] = append(lines[0], c.Name)
	}
	for _, row := range t.Rows {
		var line []string
		for _, v := range row {
			line = append(line, cell(v, t.Meta.Zone()))
		}
		lines = append(lines, line)
	}
	widths := make([]int, len(t.Columns))
	for _, line := range lines {
		for i, text := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		var padded strings.Builder
		for i, text := range line {
			padded.WriteString(text + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
		}
		b.WriteString(strings.TrimRight(padded.String(), " ") + "\n")
	}
	if len(t.Rows) == 0 {
		b.WriteString("(no rows)\n")
	}
	for _, w := range t.Meta.Warnings {
		b.WriteString("warning: " + w + "\n")
	}
	return b.String()
}

// bare are the strings that cannot be taken for anything else.
var bare = regexp.MustCompile(`^[\pL_/<#][^\s"]*$`)

func cell(v event.Value, zone *time.Location) string {
	switch v.Kind() {
	case event.KindAbsent:
		return "-"
	case event.KindString:
		s := v.AsString()
		if bare.MatchString(s) && s != "null" && s != "true" && s != "false" {
			return s
		}
		return string(event.AppendString(nil, s))
	case event.KindTime:
		return time.Unix(0, v.AsInt()).In(zone).Format(time.RFC3339Nano)
	case event.KindDuration:
		return time.Duration(v.AsInt()).String()
	}
	return string(event.AppendValue(nil, v))
}

// floatTolerance is the relative difference allowed between floats: a few times the rounding of the
// last of several operations. Sums are exact in both evaluators; stddev and quotients are not.
const floatTolerance = 1e-12

// Difference describes how an answer differs from the one wanted; "" when it does not. Floats may
// differ in the last digits. Of the meta data only Exact counts. Errors have to read the same.
func Difference(want *result.Table, wantErr error, got *result.Table, gotErr error) string {
	if wantErr != nil || gotErr != nil {
		if wantErr == nil || gotErr == nil || wantErr.Error() != gotErr.Error() {
			return fmt.Sprintf("want error %v\ngot error  %v", wantErr, gotErr)
		}
		return ""
	}
	if !sameShape(want, got) {
		return "want\n" + Text(want) + "got\n" + Text(got)
	}
	for i, row := range want.Rows {
		for j, v := range row {
			if !same(v, got.Rows[i][j]) {
				return fmt.Sprintf("row %d, column %s\nwant\n%sgot\n%s", i+1, want.Columns[j].Name, Text(want), Text(got))
			}
		}
	}
	if want.Meta.Exact != got.Meta.Exact {
		return fmt.Sprintf("want exact %v, got %v", want.Meta.Exact, got.Meta.Exact)
	}
	return ""
}

func sameShape(want, got *result.Table) bool {
	if len(want.Columns) != len(got.Columns) || len(want.Rows) != len(got.Rows) {
		return false
	}
	for i := range want.Columns {
		if want.Columns[i] != got.Columns[i] {
			return false
		}
	}
	return true
}

func same(a, b event.Value) bool {
	if a == b {
		return true
	}
	if a.Kind() != event.KindFloat || b.Kind() != event.KindFloat {
		return false
	}
	x, y := a.AsFloat(), b.AsFloat()
	return math.Abs(x-y) <= floatTolerance*math.Max(math.Abs(x), math.Abs(y))
}
