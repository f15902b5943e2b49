package result

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"
	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"cairn/engine/event"
)

// TestPictures draws the tables of testdata/picture. A test is
//
//	picture funnel groups=1 unit=users width=80
//	channel  step  event     count
//	qr       1     app_open  12
//	----
//
// with cells apart by two blanks or more. What stands in a cell tells its type: 3, 3.0, 1m30s,
// 2025-06-01, 2025-06-01T10:00, null, - for absent, and strings bare or in quotes. ESC is written ␛.
func TestPictures(t *testing.T) {
	datadriven.Walk(t, "testdata/picture", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			table, opt := parsePicture(t, d)
			plain := string(AppendPicture(nil, table, TextOptions{Width: opt.Width}))
			colour := string(AppendPicture(nil, table, TextOptions{Width: opt.Width, Colour: true}))
			if table.Shape.Kind != ShapeRetention && uncoloured(colour) != plain {
				t.Errorf("with colours the text is another:\n%s\nwithout\n%s", uncoloured(colour), plain)
			}
			for _, line := range strings.Split(uncoloured(plain+colour), "\n") {
				if n := displaywidth.String(line); opt.Width >= 30 && n > opt.Width {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			if opt.Colour {
				return strings.ReplaceAll(colour, "\x1b", "␛")
			}
			return plain
		})
	})
}

var shapeKinds = []string{"table", "funnel", "retention", "paths", "trend", "lifecycle", "stickiness"}

func parsePicture(t *testing.T, d *datadriven.TestData) (*Table, TextOptions) {
	table, opt := &Table{Meta: Meta{Exact: true}}, TextOptions{}
	for _, arg := range d.CmdArgs {
		value := ""
		if len(arg.Vals) > 0 {
			value = arg.Vals[0]
		}
		number, _ := strconv.Atoi(value)
		switch arg.Key {
		case "groups":
			table.Shape.Groups = number
		case "unit":
			table.Shape.Unit = value
		case "cells":
			table.Shape.Cells = Cells(slices.Index([]string{"count", "sum", "mean"}, value))
		case "layout":
			table.Shape.Layout = value
		case "max":
			table.Shape.Max = number
		case "top":
			table.Shape.Top = number
		case "width":
			opt.Width = number
		case "colour":
			opt.Colour = true
		case "warning":
			table.Meta.Warnings = append(table.Meta.Warnings, value)
		case "truncated":
			table.Meta.Truncated = true
		default:
			kind := slices.Index(shapeKinds, arg.Key)
			if kind < 0 {
				d.Fatalf(t, "unknown argument %s", arg.Key)
			}
			table.Shape.Kind = ShapeKind(kind)
		}
	}
	for i, line := range strings.Split(d.Input, "\n") {
		cells := regexp.MustCompile(`\s\s+`).Split(strings.TrimSpace(line), -1)
		if i == 0 {
			for _, name := range cells {
				table.Columns = append(table.Columns, Column{Name: name})
			}
			continue
		}
		if len(cells) != len(table.Columns) {
			d.Fatalf(t, "%d cells in %s", len(cells), line)
		}
		row := make([]event.Value, len(cells))
		for c, text := range cells {
			row[c] = parseCell(text)
		}
		table.Rows = append(table.Rows, row)
	}
	table.Infer()
	return table, opt
}

func parseCell(text string) event.Value {
	switch text {
	case "null":
		return event.Null
	case "-":
		return event.Value{}
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return event.Int(i)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return event.Float(f)
	}
	if d, err := time.ParseDuration(text); err == nil {
		return event.Duration(int64(d))
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return event.Time(at.UnixNano())
		}
	}
	if s, err := strconv.Unquote(text); err == nil {
		return event.String(s)
	}
	return event.String(text)
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// uncoloured takes the colours out, and the blanks at the ends of lines that they kept.
func uncoloured(text string) string {
	return regexp.MustCompile(`(?m) +$`).ReplaceAllString(escapes.ReplaceAllString(text, ""), "")
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		ratio    float64
		decimals int
		want     string
	}{
		{0, 1, "0%"},
		{1, 1, "100%"},
		{0.5, 1, "50.0%"},
		{0.12345, 1, "12.3%"},
		{0.12345, 0, "12%"},
		{0.0001, 1, "<0.1%"},
		{0.001, 0, "<1%"},
		{0.99999, 1, "99.9%"},
		{0.999, 0, "99%"},
		{1.00001, 1, "100.0%"},
		{2.5, 1, "250.0%"},
		{-0.25, 1, "-25.0%"},
		{1e300, 1, "1e+302%"},
		{math.NaN(), 1, "–"},
		{math.Inf(1), 1, "–"},
	} {
		if got := percent(c.ratio, c.decimals); got != c.want {
			t.Errorf("percent(%v, %d) = %s, want %s", c.ratio, c.decimals, got, c.want)
		}
	}
}

func TestShortNumber(t *testing.T) {
	for v, want := range map[event.Value]string{
		event.Int(1234567):                "1,234,567",
		event.Int(math.MinInt64):          "-9,223,372,036,854,775,808",
		event.Float(1234.567):             "1,235",
		event.Float(123.456):              "123.5",
		event.Float(12.3456):              "12.35",
		event.Float(1.25):                 "1.25",
		event.Float(2):                    "2",
		event.Float(-0.5):                 "-0.5",
		event.Float(1e20):                 "1e+20",
		event.Float(math.MaxFloat64):      "1.79769e+308",
		event.Float(math.Inf(-1)):         "–",
		event.FromBits(0, 0, ""):          "–",
		event.Float(0.00001):              "0",
		event.Float(999.96):               "1,000",
		event.Float(12345678901234567890): "1.23457e+19",
	} {
		if got := shortNumber(v); got != want {
			t.Errorf("shortNumber(%v) = %s, want %s", v, got, want)
		}
	}
}

// TestBarsAreExact checks that a bar is as long as its part, to half an eighth of a column.
func TestBarsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part, lost := rapid.Float64Range(0, 1).Draw(t, "part"), rapid.Float64Range(0, 1).Draw(t, "lost")
		width := rapid.IntRange(1, 100).Draw(t, "width")
		filled, shaded, used := bar(part, lost, width)
		if n := displaywidth.String(filled + shaded); n != used || n > width {
			t.Fatalf("%d columns of %d, said to be %d", n, width, used)
		}
		eighths := 0
		for _, r := range filled {
			eighths += 1 + strings.Index("▏▎▍▌▋▊▉█", string(r))/len("█")
		}
		if off := math.Abs(float64(eighths) - part*float64(8*width)); off > 0.5 && (eighths != 1 || part == 0) {
			t.Fatalf("%d eighths for %v of %d columns", eighths, part, width)
		}
	})
}

// pictureTable draws a table that is often what its shape asks for, and often not quite.
func pictureTable(t *rapid.T) *Table {
	kind := ShapeKind(rapid.IntRange(0, len(shapeKinds)).Draw(t, "kind"))
	columns := map[ShapeKind][]want{
		ShapeFunnel: funnelColumns, ShapeRetention: append(retentionColumns[:2:2], want{"p0", isNumberOrNull}, want{"p1", isNumberOrNull}, want{"p7", isNumberOrNull}),
		ShapePaths: pathsColumns, ShapeTrend: trendColumns, ShapeLifecycle: lifecycleColumns, ShapeStickiness: stickinessColumns,
	}[kind]
	table := &Table{Shape: Shape{
		Kind:   kind,
		Groups: rapid.SampledFrom([]int{0, 0, 0, 1, 2, -1, 20}).Draw(t, "groups"),
		Cells:  Cells(rapid.IntRange(0, 3).Draw(t, "cells")),
		Max:    rapid.IntRange(0, 5).Draw(t, "max"),
		Top:    rapid.IntRange(0, 5).Draw(t, "top"),
	}}
	holds := []func(event.Value) bool{}
	for range min(max(table.Shape.Groups, 0), 3) {
		table.Columns = append(table.Columns, Column{Name: rapid.SampledFrom([]string{"channel", "渠道", ""}).Draw(t, "group")})
		holds = append(holds, isAny)
	}
	odd := rapid.IntRange(0, 30).Draw(t, "odd")
	for i, c := range columns {
		if odd == i {
			c = want{rapid.String().Draw(t, "name"), isAny}
		}
		table.Columns = append(table.Columns, Column{Name: c.name})
		holds = append(holds, c.holds)
	}
	if rapid.Bool().Draw(t, "more") {
		table.Columns = append(table.Columns, Column{Name: "sum_amount"})
		holds = append(holds, isAny)
	}
	for range rapid.IntRange(0, 6).Draw(t, "rows") {
		var row []event.Value
		for _, hold := range holds {
			v := pictureValue.Draw(t, "value")
			for tries := 0; !hold(v) && tries < 20 && odd != 29; tries++ {
				v = pictureValue.Draw(t, "value")
			}
			row = append(row, v)
		}
		table.Rows = append(table.Rows, row)
	}
	table.Infer()
	return table
}

var pictureValue = rapid.OneOf(
	rapid.Map(rapid.Int64Range(-3, 9), event.Int),
	rapid.Map(rapid.Int64(), event.Int),
	rapid.Map(rapid.Float64(), event.Float),
	rapid.Map(rapid.Float64Range(0, 1), event.Float),
	rapid.Map(rapid.String(), event.String),
	rapid.Map(rapid.Int64(), event.Duration),
	rapid.Map(rapid.Int64(), event.Time),
	rapid.SampledFrom([]event.Value{event.Null, {}, event.Bool(true), event.List(`["a",1]`), event.EmptyObject, event.String("app_open"), event.Int(0), event.Int(math.MaxInt64)}),
)

// drawsAny checks that any table has a picture, that it ends as the text table does, and that no
// control character gets through to the terminal.
func drawsAny(t *rapid.T) {
	table := pictureTable(t)
	opt := TextOptions{Width: rapid.SampledFrom([]int{-1, 0, 1, 2, 7, 20, 40, 80, 300}).Draw(t, "width"), Colour: rapid.Bool().Draw(t, "colour")}
	got := string(AppendPicture([]byte("before"), table, opt))
	if !strings.HasPrefix(got, "before") || !strings.HasSuffix(got, string(appendFooter(nil, table))) {
		t.Fatal(got)
	}
	for _, r := range escapes.ReplaceAllString(got, "") {
		if r < ' ' && r != '\n' || r == 0x7f {
			t.Fatalf("%q", got)
		}
	}
	if strings.Contains(got, "NaN") && !strings.Contains(fmt.Sprint(table), "NaN") {
		t.Fatal(got)
	}
}

func TestPicturesOfAnyTable(t *testing.T) { rapid.Check(t, drawsAny) }

func FuzzPictures(f *testing.F) { f.Fuzz(rapid.MakeFuzz(drawsAny)) }
