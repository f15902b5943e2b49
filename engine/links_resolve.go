package engine

import (
	"cmp"
	"slices"
)

// resolver works out what the rows of a log of links mean; see Link for the rules. It is used again and again
// to save memory.
type resolver struct {
	order []linkRow
	// names compares the names of two numbers, of links of one kind and time.
	names func(a, b uint32) int

	parent map[uint32]uint32 // towards the canonical number; of itself where it is canonical
	known  map[uint32]bool
	gone   map[[2]uint32]int64 // by pair: the latest unlink
}

// resolverKeeps is the number of ids up to which memory is used again: clearing it takes as long as filling it did.
const resolverKeeps = 1 << 10

// resolve goes through rows, which hold all that is about any of their ids. Then canonical answers.
func (r *resolver) resolve(rows []linkRow) {
	if r.parent == nil || len(r.parent) > resolverKeeps {
		r.parent, r.known, r.gone = make(map[uint32]uint32), make(map[uint32]bool), make(map[[2]uint32]int64)
	}
	clear(r.parent)
	clear(r.known)
	clear(r.gone)
	r.order = append(r.order[:0], rows...)
	slices.SortFunc(r.order, r.compare)
	for i := range r.order {
		l := &r.order[i]
		r.parent[l.user], r.parent[l.id] = l.user, l.id
		if l.kind == linkUnlink {
			r.gone[pairOf(l.user, l.id)] = l.time // the latest comes last
		}
	}
	for i := range r.order {
		if l := &r.order[i]; l.kind != linkUnlink && !r.unlinked(l) {
			r.apply(l)
		}
	}
}

func (r *resolver) compare(a, b linkRow) int {
	switch {
	case a.time != b.time:
		return cmp.Compare(a.time, b.time)
	case a.kind != b.kind:
		return cmp.Compare(a.kind, b.kind)
	case a.user != b.user:
		return r.names(a.user, b.user)
	case a.id != b.id:
		return r.names(a.id, b.id)
	}
	return 0
}

// unlinked reports whether a link was taken away.
func (r *resolver) unlinked(l *linkRow) bool {
	at, ok := r.gone[pairOf(l.user, l.id)]
	return ok && at >= l.time
}

func pairOf(a, b uint32) [2]uint32 { return [2]uint32{min(a, b), max(a, b)} }

func (r *resolver) apply(l *linkRow) {
	user, id := r.canonical(l.user), r.canonical(l.id)
	if l.kind != linkMerge {
		if r.known[l.user] = true; !r.known[user] { // the first known id of its cluster gives it the name
			r.parent[user], r.parent[l.user] = l.user, l.user
			if id == user {
				return
			}
			user = l.user
		}
	}
	if user == id {
		return
	}
	switch l.kind {
	case linkIdentify, linkBind:
		if r.known[id] {
			return // somebody's
		}
	case linkMerge:
		if r.known[id] && !r.known[user] {
			user, id = id, user
		}
	}
	r.parent[id] = user
}

// canonical returns the number that an id stands for. A cluster with a known id is named by one.
func (r *resolver) canonical(id uint32) uint32 {
	up, ok := r.parent[id]
	if !ok || up == id {
		return id
	}
	top := r.canonical(up)
	r.parent[id] = top
	return top
}

// ResolveLinks returns the canonical user of every id that the links name; an id that stands for itself is
// among them. The order of the links does not matter; those of an id to itself, or of no kind, mean nothing.
func ResolveLinks(links []Link) map[string]string {
	var names []string
	numbers := make(map[string]uint32)
	number := func(name string) uint32 {
		n, ok := numbers[name]
		if !ok {
			n = uint32(len(names))
			numbers[name], names = n, append(names, name)
		}
		return n
	}
	rows := make([]linkRow, 0, len(links))
	for _, l := range links {
		if code, ok := l.Kind.code(); ok && l.User != l.ID {
			rows = append(rows, linkRow{time: l.Time, kind: code, user: number(l.User), id: number(l.ID)})
		}
	}
	r := resolver{names: func(a, b uint32) int { return cmp.Compare(names[a], names[b]) }}
	r.resolve(rows)
	out := make(map[string]string, len(names))
	for i, name := range names {
		out[name] = names[r.canonical(uint32(i))]
	}
	return out
}
