package result

import (
	"cmp"
	"fmt"
	"slices"

	"cairn/engine/event"
)

var pathsColumns = []want{
	{"step", isInt},
	{"source", isAny},
	{"target", isAny},
	{"count", isCount},
	{"users", isCount},
	{"avg_time", isDurationOrNull},
}

// Texts of branches that lead to no node.
const (
	pathEnds   = "∎ end"
	pathBegins = "▸ start"
)

// pathEdge is one row.
type pathEdge struct {
	step           int64
	source, target event.Value // target null: the path's last node
	count, users   int64
	time           event.Value
}

// pathLayer is the nodes of one step, the most frequent first.
type pathLayer struct {
	step  int64
	nodes []*pathNode
}

// pathNode is a node at one step with its branches: where paths go next or, counted back from the
// end, where they come from. As rows tell of no more than pairs, branches have none of their own.
type pathNode struct {
	value    event.Value
	total    int64 // paths that have the node at this step
	branches []pathBranch
}

type pathBranch struct {
	text  string // instead of a node, where there is none
	node  event.Value
	count int64
	users int64
	time  event.Value
}

// appendPaths draws a block for each step: its nodes with their number of paths and a bar, and below
// each where its paths go next, with their share of it. Steps counted back from the end begin with the
// last, and show where paths come from.
func appendPaths(dst []byte, t *Table, opt TextOptions) ([]byte, bool) {
	if !hasColumns(t, pathsColumns) {
		return dst, false
	}
	isBack := func(v event.Value) bool { return v.AsInt() <= 0 }
	back := isBack(t.Rows[0][t.Shape.Groups])
	if back && !holdsAll(t, t.Shape.Groups, isBack) {
		return dst, false
	}
	g := &grid{columns: []gridColumn{
		{title: "node", kind: columnName},
		{title: "paths"},
		{title: "share", goes: 4},
		{title: "", kind: columnBar, goes: 3},
		{title: "users", goes: 1},
		{title: "avg time", goes: 2},
	}}
	lost := false
	for _, rows := range groupsOf(t) {
		addGroup(g, t, rows[0])
		incomplete := t.Meta.Truncated || t.Shape.Top > 0 && len(rows) >= t.Shape.Top
		lost = lost || incomplete
		if edges := readEdges(t, rows); back {
			addLayers(g, t, layersBack(edges, int64(t.Shape.Max), incomplete), "←", -1)
		} else {
			addLayers(g, t, layersOn(edges, int64(t.Shape.Max)), "→", 1)
		}
	}
	if lost {
		g.addText("", "")
		g.addText("rarer edges may be missing: paths of a node and shares are of the edges shown", styleDim)
	}
	g.fit(opt.Width)
	return g.append(dst, opt.Width, opt.Colour), true
}

func readEdges(t *Table, rows [][]event.Value) []pathEdge {
	edges := make([]pathEdge, len(rows))
	for i, row := range rows {
		row = row[t.Shape.Groups:]
		edges[i] = pathEdge{row[0].AsInt(), row[1], row[2], row[3].AsInt(), row[4].AsInt(), row[5]}
	}
	return edges
}

// layersOn makes the layers of steps 1, 2, …. A path that goes on behind max nodes was cut there:
// whether it ended is not known, so that step has no layer, or as the only one no branches.
func layersOn(edges []pathEdge, most int64) []pathLayer {
	var b layerBuilder
	for _, e := range edges {
		if most > 1 && e.step >= most {
			continue
		}
		node := b.node(e.step, e.source)
		node.total += e.count
		switch {
		case most == 1:
		case e.target.Exists():
			node.branches = append(node.branches, pathBranch{node: e.target, count: e.count, users: e.users, time: e.time})
		default:
			node.branches = append(node.branches, pathBranch{text: pathEnds, count: e.count, users: e.users})
		}
	}
	slices.SortFunc(b.layers, func(a, b pathLayer) int { return cmp.Compare(a.step, b.step) })
	return b.sorted()
}

// layersBack makes the layers of steps 0, -1, …. What of a node's paths came from no other node began
// there, unless edges are missing. What came before the first of max nodes is not known, so that step
// has no layer, or as the only one no branches.
func layersBack(edges []pathEdge, most int64, incomplete bool) []pathLayer {
	var b layerBuilder
	for _, e := range edges {
		if most <= 1 || e.step > 1-most {
			b.node(e.step, e.source).total += e.count
		}
		if e.target.Exists() {
			node := b.node(e.step+1, e.target)
			node.branches = append(node.branches, pathBranch{node: e.source, count: e.count, users: e.users, time: e.time})
		}
	}
	for _, layer := range b.layers {
		for _, node := range layer.nodes {
			came := int64(0)
			for _, branch := range node.branches {
				came += branch.count
			}
			switch {
			case incomplete && came > 0:
				node.total = came
			case !incomplete && most != 1 && node.total > came:
				node.branches = append(node.branches, pathBranch{text: pathBegins, count: node.total - came})
			}
		}
	}
	slices.SortFunc(b.layers, func(a, b pathLayer) int { return cmp.Compare(b.step, a.step) })
	return b.sorted()
}

// layerBuilder finds the nodes of layers by step and value.
type layerBuilder struct {
	layers []pathLayer
	nodes  map[pathPlace]*pathNode
}

type pathPlace struct {
	step  int64
	value event.Value
}

// node returns the node, which it makes where there is none.
func (b *layerBuilder) node(step int64, value event.Value) *pathNode {
	place := pathPlace{step, value.Canonical()}
	if n := b.nodes[place]; n != nil {
		return n
	}
	if b.nodes == nil {
		b.nodes = map[pathPlace]*pathNode{}
	}
	n := &pathNode{value: value}
	b.nodes[place] = n
	l := slices.IndexFunc(b.layers, func(l pathLayer) bool { return l.step == step })
	if l < 0 {
		l = len(b.layers)
		b.layers = append(b.layers, pathLayer{step: step})
	}
	b.layers[l].nodes = append(b.layers[l].nodes, n)
	return n
}

// sorted puts the most frequent nodes and branches first, beginnings and ends last.
func (b *layerBuilder) sorted() []pathLayer {
	for _, layer := range b.layers {
		slices.SortStableFunc(layer.nodes, func(a, b *pathNode) int { return cmp.Compare(b.total, a.total) })
		for _, node := range layer.nodes {
			slices.SortStableFunc(node.branches, func(a, b pathBranch) int {
				return cmp.Or(cmp.Compare(len(a.text), len(b.text)), cmp.Compare(b.count, a.count))
			})
		}
	}
	return b.layers
}

// addLayers writes the layers; the arrow leads to the step that lies next further on.
func addLayers(g *grid, t *Table, layers []pathLayer, arrow string, next int64) {
	most := int64(1)
	for _, layer := range layers {
		for _, node := range layer.nodes {
			most = max(most, node.total)
		}
	}
	part := func(count int64) float64 { return float64(count) / float64(most) }
	for i, layer := range layers {
		if i > 0 {
			g.addText("", "")
		}
		heading := fmt.Sprintf("step %d", layer.step)
		if slices.ContainsFunc(layer.nodes, func(n *pathNode) bool { return n.branches != nil }) {
			heading += fmt.Sprintf(" %s %d", arrow, layer.step+next)
		}
		g.addText(heading, styleDim)
		all := 0.0
		for _, node := range layer.nodes {
			all += float64(node.total)
		}
		for _, node := range layer.nodes {
			g.add(
				gridCell{text: humanNode(t, node.value), style: styleBold},
				gridCell{text: humanCount(node.total), style: styleBold},
				gridCell{text: percent(ratio(float64(node.total), all), 1)},
				gridCell{bar: part(node.total), style: styleBar},
				gridCell{}, gridCell{},
			)
			for i, branch := range node.branches {
				tree := "├─ "
				if i == len(node.branches)-1 {
					tree = "└─ "
				}
				cells := []gridCell{
					{text: tree + branch.text, style: styleDim},
					{text: humanCount(branch.count)},
					{text: percent(ratio(float64(branch.count), float64(node.total)), 1)},
					{bar: part(branch.count), style: styleSoft},
					{text: countOrEmpty(event.Int(branch.users))},
					{text: humanOrEmpty(branch.time)},
				}
				if branch.text == "" {
					cells[0] = gridCell{text: tree + humanNode(t, branch.node)}
				}
				g.add(cells...)
			}
		}
	}
}

// humanNode writes what a path went through.
func humanNode(t *Table, v event.Value) string {
	return humanKey(v, t.Meta.Zone(), "2006-01-02 15:04:05")
}
