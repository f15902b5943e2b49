package query

import (
	"testing"

	"cairn/query/result"
	"cairn/query/syntax"
)

func TestShapes(t *testing.T) {
	by := []syntax.Named{{Name: "channel"}, {Name: "os"}}
	day, month, year := syntax.Span{Count: 1, Unit: syntax.Day}, syntax.Span{Count: 2, Unit: syntax.Month}, syntax.Span{Count: 1, Unit: syntax.Year}
	for _, c := range []struct {
		name   string
		stages []syntax.Stage
		want   result.Shape
	}{
		{"events", nil, result.Shape{}},
		{"rows", []syntax.Stage{&syntax.Funnel{}, &syntax.Limit{}}, result.Shape{}},
		{"funnel", []syntax.Stage{&syntax.Limit{}, &syntax.Funnel{By: by}}, result.Shape{Kind: result.ShapeFunnel, Groups: 2, Unit: "users"}},
		{"totals", []syntax.Stage{&syntax.Funnel{Count: syntax.CountTotals}}, result.Shape{Kind: result.ShapeFunnel, Unit: "attempts"}},
		{"sessions", []syntax.Stage{&syntax.Funnel{Count: syntax.CountSessions}}, result.Shape{Kind: result.ShapeFunnel, Unit: "sessions"}},
		{"trend", []syntax.Stage{&syntax.Funnel{By: by}, &syntax.Trend{Every: year}}, result.Shape{Kind: result.ShapeTrend, Groups: 2, Layout: "2006"}},
		{"times", []syntax.Stage{&syntax.Funnel{By: by}, &syntax.Times{}}, result.Shape{}},
		{"retention", []syntax.Stage{&syntax.Retention{Every: day, By: by[:1]}}, result.Shape{Kind: result.ShapeRetention, Groups: 1}},
		{"sums", []syntax.Stage{&syntax.Retention{Every: month, Value: syntax.AggSum}}, result.Shape{Kind: result.ShapeRetention, Cells: result.CellsSum, Layout: "2006-01"}},
		{"means", []syntax.Stage{&syntax.Retention{Value: syntax.AggAvg}}, result.Shape{Kind: result.ShapeRetention, Cells: result.CellsMean}},
		{"paths", []syntax.Stage{&syntax.Paths{By: by, Max: 6, Top: 50}}, result.Shape{Kind: result.ShapePaths, Groups: 2, Max: 6, Top: 50}},
		{"loops", []syntax.Stage{&syntax.Paths{View: syntax.PathLoops}}, result.Shape{}},
		{"lifecycle", []syntax.Stage{&syntax.Lifecycle{Every: month}}, result.Shape{Kind: result.ShapeLifecycle, Layout: "2006-01"}},
		{"stickiness", []syntax.Stage{&syntax.Stickiness{}}, result.Shape{Kind: result.ShapeStickiness}},
	} {
		if got := shapeOf(&syntax.Pipeline{Stages: c.stages}); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
