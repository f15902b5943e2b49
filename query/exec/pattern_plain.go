package exec

// plainMatcher finds the chains of plain patterns, whose steps are single events joined by arrows without
// limits: the earliest event of each step after that of the step before. Starts come in order, so that the
// event found for a step only ever moves on, and all starts of a unit together cost no more than a look at
// each event for each step.
type plainMatcher struct {
	m      *matcher
	masks  []uint64 // by class: the steps that its events match
	known  []bool
	ready  bool
	ties   bool
	cursor []int32 // by step
}

func newPlainMatcher(m *matcher) *plainMatcher {
	return &plainMatcher{m: m, cursor: make([]int32, len(m.p.steps))}
}

func (p *plainMatcher) reset(*userRows) { p.ready = false }

// can reports whether the events at hand are simple enough: no simultaneous ones, nothing held and no
// exclusions.
func (p *plainMatcher) can() bool {
	if len(p.m.p.parts) > 0 || len(p.m.p.excepts) > 0 || p.m.used != nil {
		return false
	}
	if !p.ready {
		p.ready = true
		clear(p.cursor)
		times := p.m.r.times
		p.ties = false
		for i := 1; i < len(times); i++ {
			if times[i] == times[i-1] {
				p.ties = true
				break
			}
		}
	}
	return !p.ties
}

// mask returns the steps that the events of a class match.
func (p *plainMatcher) mask(class uint32) uint64 {
	for int(class) >= len(p.masks) {
		p.masks, p.known = append(p.masks, 0), append(p.known, false)
	}
	if !p.known[class] {
		p.known[class] = true
		set := p.m.set(class)
		for k := range p.m.p.steps {
			if s := p.m.p.steps[k].selectors[0]; set[s>>6]&(1<<(s&63)) != 0 {
				p.masks[class] |= 1 << k
			}
		}
	}
	return p.masks[class]
}

// find finds the chain of a start, which matches the first step.
func (p *plainMatcher) find(start int, a *attempt) bool {
	r, n := p.m.r, len(p.m.p.steps)
	a.start, a.deadline, a.furthest = int32(start), p.m.p.deadline(r.times[start]), 0
	deadline := min(a.deadline, p.m.end)
	if cap(a.at) < n {
		a.at = make([]int32, n)
	}
	a.at = a.at[:n]
	a.at[0] = int32(start)
	a.events, a.steps = append(a.events[:0], int32(start)), append(a.steps[:0], 0)
	at := int32(start)
	k := 1
	for ; k < n; k++ {
		at = max(at+1, p.cursor[k])
		bit := uint64(1) << k
		for int(at) < len(r.class) && p.mask(r.class[at])&bit == 0 {
			at++
		}
		p.cursor[k] = at
		if int(at) == len(r.class) || r.times[at] > deadline {
			break
		}
		a.at[k], a.furthest = at, k
		a.events, a.steps = append(a.events, at), append(a.steps, int32(k))
	}
	for ; k < n; k++ {
		a.at[k] = -1
	}
	return true
}
