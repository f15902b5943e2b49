package exec

import (
	"context"
	"math"
	"math/big"
	"math/bits"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// pathsRun is one run of paths.
type pathsRun struct {
	x     *Execution
	stage *syntax.Paths
	rng   event.TimeRange
	wide  wideRun
	users bool // the rows are users

	from, to int   // selectors, -1 for none
	except   []int // selectors
	by       []int // columns
	node     int   // column
	selects  bool  // there are selectors
	most     int   // nodes of a path that matter, from the first
}

// paths runs a paths, in the view of the stage behind it if that is users.
func (x *Execution) paths(ctx context.Context, f feed, s *syntax.Paths, view syntax.Stage) (*table, error) {
	r := &pathsRun{x: x, stage: s, rng: f.bounds()}
	_, r.users = view.(*syntax.Users)
	r.compile(f)
	err := r.wide.run(ctx, func(w *streamWorker) (streamConsumer, error) { return r.newWorker(w), nil })
	if err != nil {
		return nil, err
	}
	return r.table(ctx)
}

func (r *pathsRun) compile(f feed) {
	s := r.stage
	spec := &streamSpec{whole: true}
	selector := func(sel *syntax.Selector) int {
		if sel == nil {
			return -1
		}
		return spec.selector(syntax.FirstNone, sel)
	}
	r.from, r.to = selector(s.From), selector(s.To)
	for _, e := range s.Except {
		r.except = append(r.except, selector(e))
	}
	for _, n := range s.By {
		r.by = append(r.by, spec.column(n.Expr))
	}
	if s.Of != nil {
		r.node = spec.column(s.Of)
	} else {
		r.node = len(spec.columns)
		spec.columns = append(spec.columns, eventName)
	}
	r.selects, r.most = len(spec.selectors) > 0, s.Max
	if s.View != syntax.PathEdges || r.backwards() {
		r.most = math.MaxInt
	}
	r.wide = wideRun{x: r.x, feed: f, spec: spec, before: s.Within == 0, after: true, pause: max(s.Gap, s.Within)}
}

// backwards reports whether steps are counted back from the end.
func (r *pathsRun) backwards() bool { return r.from < 0 && r.to >= 0 }

// pathsWorker is a pathsRun's consumer.
type pathsWorker struct {
	r     *pathsRun
	w     *streamWorker
	flags []pathFlags // by class
	set   groupSet
	gids  []uint32
	later []uint32 // users left for another pass
	part  userRows
	// The path at hand.
	nodes []pathNode
	group uint32

	edges    edgeTable
	journeys journeyTable
	visits   visitTable
	listed   []pathUser // if users are to be listed
	account  account
}

// pathNode is a node of the path at hand: the number of its value, and its time.
type pathNode struct {
	gid uint32
	at  int64
}

// pathUser says that a user is one of those of a row in the making.
type pathUser struct{ tally, user uint32 }

// pathFlags say which selectors an event matches.
type pathFlags uint8

const (
	pathFrom pathFlags = 1 << iota
	pathTo
	pathExcept
)

// pathTally is what is counted for a row in the making.
type pathTally struct {
	count  int64 // paths
	users  int64
	last   uint32 // the user counted last, plus 1
	visits int64  // views of nodes: paths that visit the node
	took   spanSum
}

// spanSum is an exact sum of nanoseconds.
type spanSum struct {
	hi int64
	lo uint64
}

func (s *spanSum) add(nanos int64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(nanos), 0)
	s.hi += nanos>>63 + int64(carry)
}

func (s *spanSum) merge(o spanSum) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, o.lo, 0)
	s.hi += o.hi + int64(carry)
}

// mean returns the mean of n durations.
func (s *spanSum) mean(n int64) event.Value {
	total := new(big.Int).Lsh(big.NewInt(s.hi), 64)
	total.Add(total, new(big.Int).SetUint64(s.lo))
	return durationOf(new(big.Rat).SetFrac(total, big.NewInt(n)))
}

func (r *pathsRun) newWorker(w *streamWorker) *pathsWorker {
	return &pathsWorker{
		r: r, w: w, gids: make([]uint32, len(r.by)),
		account: account{budget: r.x.Budget, purpose: "paths"},
	}
}

// left implements wideConsumer.
func (w *pathsWorker) left() []uint32 { return w.later }

// flagsOf returns which selectors events of a class match.
func (w *pathsWorker) flagsOf(class uint32) pathFlags {
	if int(class) >= len(w.flags) {
		w.learn(class)
	}
	return w.flags[class]
}

// learn works out the flags of the classes up to one.
func (w *pathsWorker) learn(class uint32) {
	for n := uint32(len(w.flags)); n <= class; n++ {
		set := w.w.stream.classes.set(n)
		f := pathFlags(0)
		add := func(selector int, flag pathFlags) {
			if selector >= 0 && set != nil && set[selector/64]&(1<<(selector%64)) != 0 {
				f |= flag
			}
		}
		add(w.r.from, pathFrom)
		add(w.r.to, pathTo)
		for _, selector := range w.r.except {
			add(selector, pathExcept)
		}
		w.flags = append(w.flags, f)
	}
}

// user implements streamConsumer.
func (w *pathsWorker) user(r *userRows) error {
	if only := w.w.stream.only; only != nil && !only.has(r.user) {
		return nil
	}
	switch {
	case w.r.stage.Within > 0:
		w.within(r)
	case w.leave(r):
		w.later = append(w.later, r.user)
	default:
		w.sessions(r)
	}
	return nil
}

// sessions takes the paths of a user that end with a pause.
func (w *pathsWorker) sessions(r *userRows) {
	gap, times := w.r.stage.Gap, r.times
	for from := 0; from < len(times); {
		to := from + 1
		for to < len(times) && times[to]-times[to-1] <= gap {
			to++
		}
		if inRange(w.r.rng, times[from]) {
			w.path(r, from, to)
		}
		from = to
	}
}

// pieces implements pieceConsumer: where a pause parts the pieces of a user, each is taken by itself.
func (w *pathsWorker) pieces(c *chunk, pieces []piece) (bool, error) {
	if w.r.stage.Within > 0 || w.w.stream.only != nil || w.r.wide.endsOpen(c.times[pieces[len(pieces)-1].to-1]) {
		return false, nil
	}
	for i, p := range pieces {
		if i > 0 && c.times[p.from]-c.times[pieces[i-1].to-1] <= w.r.stage.Gap || w.ties(c, p) {
			return false, nil
		}
	}
	for _, p := range pieces {
		w.part.take(c, p)
		w.sessions(&w.part)
	}
	return true, nil
}

// ties reports whether a piece has simultaneous events that differ.
func (w *pathsWorker) ties(c *chunk, p piece) bool {
	times := c.times[p.from:p.to]
	for i := 1; i < len(times); i++ {
		if times[i] == times[i-1] && c.differ(int(p.from)+i-1, int(p.from)+i) {
			return true
		}
	}
	return false
}

// differ reports whether a consumer can tell two simultaneous events apart.
func (c *chunk) differ(i, j int) bool {
	if c.class[i] != c.class[j] {
		return true
	}
	for _, k := range c.keys {
		if k[i] != k[j] {
			return true
		}
	}
	return false
}

// take makes the rows those of a piece, without refs.
func (r *userRows) take(c *chunk, p piece) {
	r.user, r.times, r.class = p.user, c.times[p.from:p.to], c.class[p.from:p.to]
	r.keys = r.keys[:0]
	for _, k := range c.keys {
		r.keys = append(r.keys, k[p.from:p.to])
	}
}

// leave reports whether the last path of a user may go on behind what was read, and change by it.
func (w *pathsWorker) leave(r *userRows) bool {
	times := r.times
	last := len(times) - 1
	if !w.r.wide.endsOpen(times[last]) {
		return false
	}
	from := last
	for from > 0 && times[from]-times[from-1] <= w.r.stage.Gap {
		from--
	}
	if !inRange(w.r.rng, times[from]) {
		return false
	}
	_, settled := w.walk(r, from, len(times))
	return !settled
}

// within takes the paths of a user that last for a while from an event that no path before holds.
func (w *pathsWorker) within(r *userRows) {
	times := r.times
	for from := 0; from < len(times); {
		to := from + 1
		if inRange(w.r.rng, times[from]) && (w.r.from < 0 || w.flagsOf(r.class[from])&pathFrom != 0) {
			for to < len(times) && times[to]-times[from] <= w.r.stage.Within {
				to++
			}
			w.path(r, from, to)
		}
		from = to
	}
}

// walk collects the nodes of the path that lies in the events [from, to) of a user, and its group; ok is
// false if there is none, settled says that events after them would not change it.
func (w *pathsWorker) walk(r *userRows, from, to int) (ok, settled bool) {
	times, classes, gids := r.times[from:to], r.class[from:to], r.keys[w.r.node][from:to]
	most, repeats := w.r.most, w.r.stage.Repeats
	begun, found := w.r.from < 0, w.r.to < 0
	capped := found && w.r.stage.View == syntax.PathEdges
	nodes := w.nodes[:0]
	last := uint32(0) // of nodes
	for i, gid := range gids {
		if gid == 0 {
			continue
		}
		first := false
		flags := pathFlags(0)
		if w.r.selects {
			if flags = w.flagsOf(classes[i]); flags&pathExcept != 0 {
				continue
			}
			if !begun {
				if flags&pathFrom == 0 {
					continue
				}
				begun, first = true, true
			}
		}
		if len(nodes) == 0 {
			w.setGroup(r, from+i)
		}
		if (gid != last || repeats) && len(nodes) < most {
			nodes, last = append(nodes, pathNode{gid, times[i]}), gid
			if capped && len(nodes) == most {
				settled = true
				break
			}
		}
		if flags&pathTo != 0 && !first {
			found, settled = true, true
			break
		}
	}
	w.nodes = nodes
	return len(nodes) > 0 && found, settled
}

// setGroup makes the values of an event the group of the path at hand.
func (w *pathsWorker) setGroup(r *userRows, i int) {
	if len(w.r.by) == 0 {
		return
	}
	for k, c := range w.r.by {
		w.gids[k] = r.keys[c][i]
	}
	w.group, _ = w.set.group(w.gids)
}

// path counts the path in the events [from, to) of a user.
func (w *pathsWorker) path(r *userRows, from, to int) {
	if ok, _ := w.walk(r, from, to); !ok {
		return
	}
	nodes := w.nodes
	switch s := w.r.stage; s.View {
	case syntax.PathShortest:
		n, t := w.journeys.tally(w.group, nodes)
		t.took.add(nodes[len(nodes)-1].at - nodes[0].at)
		w.count(n, t, r.user)
	case syntax.PathLoops, syntax.PathDeadEnds:
		w.visit(r.user)
	default:
		if w.r.backwards() && len(nodes) > s.Max {
			nodes = nodes[len(nodes)-s.Max:]
		}
		w.addEdges(nodes, r.user)
	}
}

// endChunk implements chunkConsumer.
func (w *pathsWorker) endChunk(*chunk) error {
	w.account.add(w.edges.grown() + w.journeys.grown() + w.visits.grown())
	return nil
}

// count counts the path at hand in a row.
func (w *pathsWorker) count(n uint32, t *pathTally, user uint32) {
	t.count++
	if t.last == user+1 {
		return
	}
	t.last = user + 1
	t.users++
	if w.r.users {
		w.listed = append(w.listed, pathUser{n, user})
		w.account.add(8)
	}
}

// addEdges counts every step from one node to the next, and the last node.
func (w *pathsWorker) addEdges(nodes []pathNode, user uint32) {
	places := w.edges.places(w.group, len(nodes))
	backwards := w.r.backwards()
	for i, node := range nodes {
		place, target, took := places[i], uint32(0), int64(0)
		if backwards {
			place = places[len(nodes)-1-i]
		}
		if i+1 < len(nodes) {
			target, took = nodes[i+1].gid, nodes[i+1].at-node.at
		}
		n := w.edges.number(place, node.gid, target)
		t := &w.edges.tallies[n]
		t.took.add(took)
		w.count(n, t, user)
	}
}

// visit counts the nodes that the path at hand visits, and of these those that it returns to or ends in.
func (w *pathsWorker) visit(user uint32) {
	last := w.nodes[len(w.nodes)-1].gid
	v := &w.visits
	v.begin()
	for _, node := range w.nodes {
		times := v.pass(node.gid)
		if times > 2 {
			continue
		}
		n := v.number(w.group, node.gid)
		t := &v.tallies[n]
		if times == 1 {
			t.visits++
			if w.r.stage.View == syntax.PathDeadEnds && node.gid == last {
				w.count(n, t, user)
			}
		} else if w.r.stage.View == syntax.PathLoops {
			w.count(n, t, user)
		}
	}
}
