package exec

// edgeTable counts edges: steps from a node to the next, by group and number of the step. Numbers of
// nodes are those of their values; target 0 stands for none.
type edgeTable struct {
	steps   [][]uint32 // by group: the place of each step, from the first, or from the last back
	count   uint32     // places
	groups  []edgeStep // by place
	ends    pairTable  // (source, target)
	numbers pairTable  // (place, number of the ends)
	tallies []pathTally
	// dense is the number of an edge plus 1 by place, source and target, each node taking width bits, as
	// long as that is few.
	dense []uint32
	width uint
	size  int // bytes reported
}

// edgeStep is what a place stands for.
type edgeStep struct {
	group uint32
	step  int
}

// places returns the places of the first n steps of a group.
func (t *edgeTable) places(group uint32, n int) []uint32 {
	for int(group) >= len(t.steps) {
		t.steps = append(t.steps, nil)
	}
	list := t.steps[group]
	for len(list) < n {
		t.groups = append(t.groups, edgeStep{group, len(list)})
		list = append(list, t.count)
		t.count++
	}
	t.steps[group] = list
	return list
}

// number returns the number of an edge.
func (t *edgeTable) number(place, source, target uint32) uint32 {
	if (source|target)>>t.width == 0 {
		if cell := (uint64(place)<<t.width|uint64(source))<<t.width | uint64(target); cell < uint64(len(t.dense)) {
			if n := t.dense[cell]; n > 0 {
				return n - 1
			}
		}
	}
	n := t.numbers.number(place, t.ends.number(source, target))
	if int(n) == len(t.tallies) {
		t.tallies = append(t.tallies, pathTally{})
		t.lay(place, source|target)
	}
	return n
}

// lay puts a new edge into the dense table, which it makes larger if it may.
func (t *edgeTable) lay(place, nodes uint32) {
	width := t.width
	for nodes>>width != 0 {
		width++
	}
	if width > 10 || uint64(t.count)<<(2*width) > denseMax {
		return
	}
	from := len(t.tallies) - 1
	if need := int(t.count) << (2 * width); width != t.width || need > len(t.dense) {
		size := max(64, len(t.dense))
		for size < need {
			size *= 2
		}
		t.dense, t.width, from = make([]uint32, size), width, 0
	}
	for n := from; n < len(t.tallies); n++ {
		place, source, target := t.edge(uint32(n))
		t.dense[(uint64(place)<<width|uint64(source))<<width|uint64(target)] = uint32(n) + 1
	}
}

// edge returns what an edge goes from and to.
func (t *edgeTable) edge(n uint32) (place, source, target uint32) {
	place, ends := t.numbers.pair(n)
	source, target = t.ends.pair(ends)
	return place, source, target
}

// grown returns by how many bytes the table has grown since the last call.
func (t *edgeTable) grown() int {
	size := t.ends.sizeBytes() + t.numbers.sizeBytes() + 56*cap(t.tallies) + 4*cap(t.dense) + 24*len(t.groups)
	grown := size - t.size
	t.size = size
	return grown
}

// journeyTable counts whole paths.
type journeyTable struct {
	numbers map[string]uint32 // by text: the group and the nodes
	texts   []string
	tallies []pathTally
	buffer  []byte
	added   int // bytes since the last call of grown
}

// tally returns the row of a path and its number.
func (t *journeyTable) tally(group uint32, nodes []pathNode) (uint32, *pathTally) {
	text := appendNumber(t.buffer[:0], group)
	for _, node := range nodes {
		text = appendNumber(text, node.gid)
	}
	t.buffer = text
	n, ok := t.numbers[string(text)]
	if !ok {
		if t.numbers == nil {
			t.numbers = map[string]uint32{}
		}
		n = uint32(len(t.tallies))
		t.texts = append(t.texts, string(text))
		t.numbers[t.texts[n]] = n
		t.tallies = append(t.tallies, pathTally{})
		t.added += 160 + len(text)
	}
	return n, &t.tallies[n]
}

// journey returns what a row stands for.
func (t *journeyTable) journey(n uint32) (group uint32, nodes []uint32) {
	numbers := numbersOf(t.texts[n])
	return numbers[0], numbers[1:]
}

func (t *journeyTable) grown() int {
	added := t.added
	t.added = 0
	return added
}

func appendNumber(text []byte, n uint32) []byte {
	return append(text, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

// numbersOf takes apart what appendNumber has put together.
func numbersOf(text string) []uint32 {
	list := make([]uint32, 0, len(text)/4)
	for ; len(text) > 0; text = text[4:] {
		list = append(list, uint32(text[0])|uint32(text[1])<<8|uint32(text[2])<<16|uint32(text[3])<<24)
	}
	return list
}

// visitTable counts nodes by group.
type visitTable struct {
	pairs   pairTable // (group, node)
	tallies []pathTally
	size    int
	// How often the path at hand has come by each node: stamps says for which path that is known.
	path   uint32
	stamps []uint32
	times  []uint32
}

// begin turns to another path.
func (t *visitTable) begin() {
	if t.path++; t.path == 0 {
		clear(t.stamps)
		t.path = 1
	}
}

// pass notes that the path at hand comes by a node, and returns for which time.
func (t *visitTable) pass(node uint32) uint32 {
	t.stamps, t.times = extended(t.stamps, int(node)+1), extended(t.times, int(node)+1)
	if t.stamps[node] != t.path {
		t.stamps[node], t.times[node] = t.path, 0
	}
	t.times[node]++
	return t.times[node]
}

// number returns the number of the row of a node.
func (t *visitTable) number(group, node uint32) uint32 {
	n := t.pairs.number(group, node)
	if int(n) == len(t.tallies) {
		t.tallies = append(t.tallies, pathTally{})
	}
	return n
}

func (t *visitTable) grown() int {
	size := t.pairs.sizeBytes() + 56*cap(t.tallies) + 8*cap(t.stamps)
	grown := size - t.size
	t.size = size
	return grown
}
