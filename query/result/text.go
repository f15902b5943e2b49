package result

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"

	"cairn/engine/event"
)

const (
	textNull     = "–"
	cellWidthMax = 60 // a wider cell is cut, so that one long value cannot push the others off the screen
)

// TextOptions shape a text table. The zero value is a table for a person of any width.
type TextOptions struct {
	Width  int  // columns of the terminal; cells are cut so that the table fits; 0 is no limit
	Colour bool // pictures may have ANSI colours; a table never has
}

// AppendText appends the table for people: a header, a rule, aligned rows, numbers to the right with
// thousands apart in columns that reach five digits, times in the table's zone without what all of them share (a midnight, a zero
// fraction), durations in days, hours, minutes and seconds, and a last line that counts the rows and
// says what is not exact or complete.
func AppendText(dst []byte, t *Table, opt TextOptions) []byte {
	cells := make([][]string, len(t.Columns))
	widths := make([]int, len(t.Columns))
	for c, column := range t.Columns {
		layout, apart := timeLayout(t, c), thousandsApart(t, c)
		cells[c] = make([]string, len(t.Rows))
		widths[c] = displaywidth.String(oneLine(column.Name))
		for r, row := range t.Rows {
			text := cut(humanValue(row[c], t.Meta.Zone(), layout, apart), cellWidthMax)
			cells[c][r] = text
			widths[c] = max(widths[c], displaywidth.String(text))
		}
	}
	fit(widths, opt.Width)
	for c, column := range t.Columns {
		dst = appendAligned(dst, cutHead(oneLine(column.Name), widths[c]), widths[c], rightAligned(column.Type), c, len(t.Columns))
	}
	dst = append(dst, '\n')
	for c := range t.Columns {
		if c > 0 {
			dst = append(dst, "  "...)
		}
		for range widths[c] {
			dst = append(dst, "─"...)
		}
	}
	dst = append(dst, '\n')
	for r := range t.Rows {
		for c, column := range t.Columns {
			right := rightAligned(column.Type) || column.Type == TypeMixed && isNumeric(t.Rows[r][c])
			dst = appendAligned(dst, cells[c][r], widths[c], right, c, len(t.Columns))
		}
		dst = append(dst, '\n')
	}
	return appendFooter(dst, t)
}

func appendFooter(dst []byte, t *Table) []byte {
	dst = appendThousands(dst, int64(len(t.Rows)))
	if len(t.Rows) == 1 {
		dst = append(dst, " row"...)
	} else {
		dst = append(dst, " rows"...)
	}
	if t.Meta.Truncated {
		dst = append(dst, ", more were left out"...)
	}
	if t.Meta.Partial {
		dst = append(dst, ", partial: some data could not be read"...)
	}
	if !t.Meta.Exact && t.Meta.ErrorBound > 0 {
		dst = append(dst, ", quantiles within "...)
		dst = strconv.AppendFloat(dst, t.Meta.ErrorBound*100, 'g', 3, 64)
		dst = append(dst, " %"...)
	}
	dst = append(dst, '\n')
	for _, w := range t.Meta.Warnings {
		dst = append(dst, "warning: "...)
		dst = append(dst, w...)
		dst = append(dst, '\n')
	}
	return dst
}

// fit narrows the widest columns until the row fits in total columns of the screen.
func fit(widths []int, total int) {
	const narrowest = 8
	if total <= 0 {
		return
	}
	sum := 2 * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	for sum > total {
		widest := 0
		for c := range widths {
			if widths[c] > widths[widest] {
				widest = c
			}
		}
		if len(widths) == 0 || widths[widest] <= narrowest {
			return
		}
		widths[widest]--
		sum--
	}
}

func appendAligned(dst []byte, text string, width int, right bool, column, columns int) []byte {
	if column > 0 {
		dst = append(dst, "  "...)
	}
	text = cut(text, width)
	pad := width - displaywidth.String(text)
	if right {
		dst = appendSpaces(dst, pad)
		return append(dst, text...)
	}
	dst = append(dst, text...)
	if column == columns-1 {
		return dst
	}
	return appendSpaces(dst, pad)
}

func appendSpaces(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ' ')
	}
	return dst
}

// cut shortens text to width columns of the screen, with an ellipsis in place of what is lost.
func cut(text string, width int) string {
	if len(text) <= width || displaywidth.String(text) <= width {
		return text
	}
	return displaywidth.TruncateString(text, width, "…")
}

// cutHead shortens a column's name as cut does, a dotted one at its front, where session.entry and
// session.exit are the same.
func cutHead(name string, width int) string {
	if !strings.Contains(name, ".") {
		return cut(name, width)
	}
	for rest := name; displaywidth.String(name) > width && rest != ""; {
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
		name = "…" + rest
	}
	return name
}

func rightAligned(t Type) bool { return t == TypeInt || t == TypeFloat || t == TypeDuration }

func isNumeric(v event.Value) bool { return v.IsNumber() || v.Kind() == event.KindDuration }

// timeLayout returns the shortest layout that tells all times of column c.
func timeLayout(t *Table, c int) string {
	layout := "2006-01-02"
	for _, row := range t.Rows {
		if row[c].Kind() != event.KindTime {
			continue
		}
		at := time.Unix(0, row[c].AsInt()).In(t.Meta.Zone())
		switch {
		case at.Nanosecond()%1e6 != 0:
			return "2006-01-02 15:04:05.000000000"
		case at.Nanosecond() != 0:
			layout = "2006-01-02 15:04:05.000"
		case at.Second() != 0 && len(layout) < len("2006-01-02 15:04:05"):
			layout = "2006-01-02 15:04:05"
		case (at.Hour() != 0 || at.Minute() != 0) && len(layout) < len("2006-01-02 15:04"):
			layout = "2006-01-02 15:04"
		}
	}
	return layout
}

func humanValue(v event.Value, zone *time.Location, layout string, apart bool) string {
	switch v.Kind() {
	case event.KindAbsent, event.KindNull:
		return textNull
	case event.KindBool:
		return strconv.FormatBool(v.AsBool())
	case event.KindInt:
		if !apart {
			return strconv.FormatInt(v.AsInt(), 10)
		}
		return string(appendThousands(nil, v.AsInt()))
	case event.KindFloat:
		return humanFloat(v.AsFloat(), apart)
	case event.KindTime:
		return time.Unix(0, v.AsInt()).In(zone).Format(layout)
	case event.KindDuration:
		return humanDuration(v.AsInt())
	default:
		return oneLine(v.Text())
	}
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
}

// thousandsApart reports whether the numbers of column c are written with thousands apart: where one
// has five digits or more. A column with no more than four is often one of years or codes.
func thousandsApart(t *Table, c int) bool {
	return slices.ContainsFunc(t.Rows, func(row []event.Value) bool {
		v := row[c]
		return v.IsNumber() && math.Abs(v.AsFloat()) >= 1e4
	})
}

// appendThousands sets the thousands of a number apart.
func appendThousands(dst []byte, i int64) []byte {
	digits := strconv.FormatInt(i, 10)
	if digits[0] == '-' {
		dst = append(dst, '-')
		digits = digits[1:]
	}
	for n := range len(digits) {
		if n > 0 && (len(digits)-n)%3 == 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, digits[n])
	}
	return dst
}

// humanFloat shows six significant digits, all digits of a whole part, and at least one decimal.
func humanFloat(f float64, apart bool) string {
	magnitude := math.Abs(f)
	if magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e15) {
		return strconv.FormatFloat(f, 'g', 6, 64)
	}
	decimals := 6
	for limit := 1.0; decimals > 1 && magnitude >= limit; limit *= 10 {
		decimals--
	}
	text := strconv.FormatFloat(f, 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	fraction = strings.TrimRight(fraction, "0")
	if fraction == "" {
		fraction = "0"
	}
	negative := strings.HasPrefix(whole, "-")
	i, err := strconv.ParseInt(strings.TrimPrefix(whole, "-"), 10, 64)
	if err != nil {
		return text
	}
	var dst []byte
	if negative {
		dst = append(dst, '-')
	}
	if apart {
		dst = appendThousands(dst, i)
	} else {
		dst = strconv.AppendInt(dst, i, 10)
	}
	return string(dst) + "." + fraction
}

// humanDuration shows the two largest units that matter: 2d 4h, 3h 25m, 1m30s, 1.25s, 340ms.
func humanDuration(nanos int64) string {
	sign := ""
	d := uint64(nanos)
	if nanos < 0 {
		sign, d = "-", -d
	}
	const second, minute, hour, day = 1e9, 60e9, 3600e9, 86400e9
	number := func(n uint64, unit string) string { return strconv.FormatUint(n, 10) + unit }
	pair := func(large uint64, largeUnit string, small uint64, smallUnit, between string) string {
		if small == 0 {
			return sign + number(large, largeUnit)
		}
		return sign + number(large, largeUnit) + between + number(small, smallUnit)
	}
	switch {
	case d >= day:
		return pair(d/day, "d", d%day/hour, "h", " ")
	case d >= hour:
		return pair(d/hour, "h", d%hour/minute, "m", " ")
	case d >= minute:
		return pair(d/minute, "m", d%minute/second, "s", "")
	case d >= second:
		return sign + strconv.FormatFloat(math.Floor(float64(d)/1e7)/100, 'f', -1, 64) + "s"
	case d >= 1e6:
		return sign + strconv.FormatFloat(math.Floor(float64(d)/1e4)/100, 'f', -1, 64) + "ms"
	case d == 0:
		return "0s"
	default:
		return sign + strconv.FormatFloat(float64(d)/1e3, 'f', -1, 64) + "µs"
	}
}
