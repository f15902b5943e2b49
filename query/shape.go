package query

import (
	"cairn/query/result"
	"cairn/query/syntax"
)

// shapeOf says what the rows are that a pipeline's last stage makes, for those who draw them.
func shapeOf(p *syntax.Pipeline) result.Shape {
	if len(p.Stages) == 0 {
		return result.Shape{}
	}
	switch s := p.Stages[len(p.Stages)-1].(type) {
	case *syntax.Funnel:
		return result.Shape{Kind: result.ShapeFunnel, Groups: len(s.By), Unit: funnelUnits[s.Count]}
	case *syntax.Retention:
		return result.Shape{Kind: result.ShapeRetention, Groups: len(s.By), Cells: cellsOf(s.Value), Layout: layoutOf(s.Every)}
	case *syntax.Paths:
		if s.View == syntax.PathEdges {
			return result.Shape{Kind: result.ShapePaths, Groups: len(s.By), Max: s.Max, Top: s.Top}
		}
	case *syntax.Trend:
		return result.Shape{Kind: result.ShapeTrend, Groups: trendGroups(p), Layout: layoutOf(s.Every)}
	case *syntax.Lifecycle:
		return result.Shape{Kind: result.ShapeLifecycle, Layout: layoutOf(s.Every)}
	case *syntax.Stickiness:
		return result.Shape{Kind: result.ShapeStickiness}
	}
	return result.Shape{}
}

var funnelUnits = [...]string{syntax.CountUsers: "users", syntax.CountTotals: "attempts", syntax.CountSessions: "sessions"}

func cellsOf(value syntax.AggFunc) result.Cells {
	switch value {
	case syntax.AggSum:
		return result.CellsSum
	case syntax.AggAvg:
		return result.CellsMean
	default:
		return result.CellsCount
	}
}

// layoutOf writes the beginnings of periods that are always the first of a month without its day.
func layoutOf(every syntax.Span) string {
	switch every.Unit {
	case syntax.Month, syntax.Quarter:
		return "2006-01"
	case syntax.Year:
		return "2006"
	default:
		return ""
	}
}

// trendGroups is the number of groups of the funnel that a trend at the end is a view of.
func trendGroups(p *syntax.Pipeline) int {
	if len(p.Stages) > 1 {
		if funnel, ok := p.Stages[len(p.Stages)-2].(*syntax.Funnel); ok {
			return len(funnel.By)
		}
	}
	return 0
}
