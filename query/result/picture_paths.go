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

func (n *pathNode) hasBranches() bool { return n.branches != nil }

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
	back := t.Rows[0][t.Shape.Groups].AsInt() <= 0
	if !holdsAll(t, t.Shape.Groups, func(v event.Value) bool { return v.AsInt() <= 0 == back }) {
		return dst, false
	}
	p := newPicture(
		t,
		gridColumn{title: "node", kind: columnName},
		gridColumn{title: "paths"},
		gridColumn{title: "share", goes: 4},
		gridColumn{title: "", kind: columnBar, goes: 3},
		gridColumn{title: "users", goes: 1},
		gridColumn{title: "avg time", goes: 2},
	)
	missing := false
	p.groups(func(rows [][]event.Value) {
		incomplete := t.Meta.Truncated || t.Shape.Top > 0 && len(rows) >= t.Shape.Top
		missing = missing || incomplete
		if edges := readEdges(rows); back {
			p.addLayers(layersBack(edges, int64(t.Shape.Max), incomplete), "←", -1)
		} else {
			p.addLayers(layersOn(edges, int64(t.Shape.Max)), "→", 1)
		}
	})
	if missing {
		p.addText("rarer edges may be missing: paths of a node and shares are of the edges shown", styleDim)
	}
	return p.draw(dst, opt), true
}

func readEdges(rows [][]event.Value) []pathEdge {
	edges := make([]pathEdge, len(rows))
	for i, row := range rows {
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
// there. Where edges are missing that is not known: then steps of which nothing is are left out. What came before the first of max nodes is not known, so that step
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
	if incomplete {
		b.layers = slices.DeleteFunc(b.layers, func(l pathLayer) bool {
			return l.step < 0 && !slices.ContainsFunc(l.nodes, (*pathNode).hasBranches)
		})
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

// addLayers writes the layers; the arrow points at the step of the branches, next further on.
func (p *picture) addLayers(layers []pathLayer, arrow string, next int64) {
	most := 1.0
	for _, layer := range layers {
		for _, node := range layer.nodes {
			most = max(most, float64(node.total))
		}
	}
	for i, layer := range layers {
		if i > 0 {
			p.addText("", "")
		}
		heading := fmt.Sprintf("step %d", layer.step)
		if slices.ContainsFunc(layer.nodes, (*pathNode).hasBranches) {
			heading += fmt.Sprintf(" %s %d", arrow, layer.step+next)
		}
		p.addText(heading, styleDim)
		all := 0.0
		for _, node := range layer.nodes {
			all += float64(node.total)
		}
		for _, node := range layer.nodes {
			p.addNode(node, all, most)
		}
	}
}

// addNode writes a node, as a share of all paths of its step, and its branches, as shares of its own.
// The longest bar stands for most paths.
func (p *picture) addNode(node *pathNode, all, most float64) {
	total := float64(node.total)
	p.add(
		gridCell{text: p.nodeText(node.value), style: styleBold},
		gridCell{text: humanCount(node.total), style: styleBold},
		gridCell{text: percent(ratio(total, all), 1)},
		gridCell{bar: total / most, style: styleBar},
		gridCell{},
		gridCell{},
	)
	for i, branch := range node.branches {
		name := gridCell{text: branch.text, style: styleDim}
		if branch.text == "" {
			name = gridCell{text: p.nodeText(branch.node)}
		}
		if i < len(node.branches)-1 {
			name.text = "├─ " + name.text
		} else {
			name.text = "└─ " + name.text
		}
		count := float64(branch.count)
		p.add(
			name,
			gridCell{text: humanCount(branch.count)},
			gridCell{text: percent(ratio(count, total), 1)},
			gridCell{bar: count / most, style: styleSoft},
			gridCell{text: countOrEmpty(branch.users)},
			gridCell{text: durationOrEmpty(branch.time)},
		)
	}
}

func (p *picture) nodeText(v event.Value) string {
	return humanKey(v, p.Meta.Zone(), "2006-01-02 15:04:05")
}
