package engine

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/keys"
)

// linkLog is the log of identity links of one tenant in memory: some 40 bytes a row, and 8 for each number of a
// user that lies near a linked one. It is changed under the tenant's commit lock.
type linkLog struct {
	mu    sync.RWMutex // guards rows and heads, which the holder of the commit lock may read without
	rows  []linkRow    // by sequence
	heads numbers      // by dense number: 1 + the newest row that names it

	last     uint64 // newest sequence, of rows that are gone too
	resolver resolver
	damaged  error // why rows could not be read
}

// numbers maps dense numbers of users to others, 0 where nothing is set. It shares what has not changed with the
// maps that it was copied to.
type numbers struct{ pages []*numberPage }

const numberPageSize = 1 << 9

type numberPage [numberPageSize]uint32

func (n *numbers) get(i uint32) uint32 {
	if p := int(i / numberPageSize); p < len(n.pages) && n.pages[p] != nil {
		return n.pages[p][i%numberPageSize]
	}
	return 0
}

// set changes a value in place. Pages in own are the caller's; others are copied, unless own is nil: then all are.
func (n *numbers) set(i, value uint32, own map[int]bool) {
	p := int(i / numberPageSize)
	for len(n.pages) <= p {
		n.pages = append(n.pages, nil)
	}
	switch {
	case n.pages[p] == nil:
		n.pages[p] = new(numberPage)
	case own != nil && !own[p]:
		next := *n.pages[p]
		n.pages[p] = &next
	}
	if own != nil {
		own[p] = true
	}
	n.pages[p][i%numberPageSize] = value
}

// linkView is what a view knows of links. It is immutable.
type linkView struct {
	sequence  uint64  // newest row
	canonical numbers // of ids that stand for another one
	moved     *roaring.Bitmap
	damaged   error
}

// add appends a row. The caller holds mu.
func (l *linkLog) add(r linkRow) {
	n := int32(len(l.rows))
	r.nextUser, r.nextID = int32(l.heads.get(r.user))-1, int32(l.heads.get(r.id))-1
	l.rows = append(l.rows, r)
	l.heads.set(r.user, uint32(n)+1, nil)
	l.heads.set(r.id, uint32(n)+1, nil)
}

// cut takes the rows behind the first n back. The caller holds mu.
func (l *linkLog) cut(n int) {
	for i := len(l.rows) - 1; i >= n; i-- {
		r := &l.rows[i]
		l.heads.set(r.user, uint32(r.nextUser+1), nil)
		l.heads.set(r.id, uint32(r.nextID+1), nil)
	}
	l.rows = l.rows[:n]
}

// each calls yield for the rows that name a number, the newest first, until it returns false.
func (l *linkLog) each(number uint32, yield func(r *linkRow) bool) {
	for i := int32(l.heads.get(number)) - 1; i >= 0; {
		r := &l.rows[i]
		if r.kind != linkGone && !yield(r) {
			return
		}
		if r.user == number {
			i = r.nextUser
		} else {
			i = r.nextID
		}
	}
}

// between returns the rows about two numbers, in either direction, the newest first. It goes through no more rows
// than twice those of the number that has fewer.
func (l *linkLog) between(a, b uint32) []*linkRow {
	pair := pairOf(a, b)
	var found [2][]*linkRow
	at := [2]int32{int32(l.heads.get(a)) - 1, int32(l.heads.get(b)) - 1}
	for {
		for i, number := range [2]uint32{a, b} {
			if at[i] < 0 {
				return found[i]
			}
			r := &l.rows[at[i]]
			if r.kind != linkGone && pairOf(r.user, r.id) == pair {
				found[i] = append(found[i], r)
			}
			if at[i] = r.nextID; r.user == number {
				at[i] = r.nextUser
			}
		}
	}
}

// stands reports what the log has already of a link: the same, or one of the kind that is earlier and was not taken
// away; and for an unlink whether there is something that it takes away.
func (l *linkLog) stands(kind linkCode, user, id uint32, at int64) (same, linked bool) {
	rows := l.between(user, id)
	gone := int64(math.MinInt64) // the latest unlink; links are later than that
	for _, r := range rows {
		if r.kind == linkUnlink {
			gone = max(gone, r.time)
			same = same || kind == linkUnlink && r.time == at
		}
	}
	for _, r := range rows {
		if r.kind != linkUnlink && r.time <= at && r.time > gone {
			linked = true
			same = same || r.kind == kind && r.user == user
		}
	}
	return same, linked
}

// follows reports whether the id of a row, which is not in the log yet, is with its user whatever else the log has,
// and changes nothing for others: it was never heard of, and the user was known before.
func (l *linkLog) follows(r *linkRow) bool {
	if r.kind == linkUnlink || l.heads.get(r.id) != 0 {
		return false
	}
	if r.kind == linkMerge {
		return true
	}
	known := false
	tries := 0
	l.each(r.user, func(before *linkRow) bool {
		if before.kind != linkMerge && before.kind != linkUnlink && before.user == r.user && before.time < r.time {
			known, _ = l.stands(before.kind, before.user, before.id, before.time)
		}
		tries++
		return !known && tries < followTries
	})
	return known
}

// followTries is how many rows of a user are looked at for one that makes him known.
const followTries = 16

// component appends to rows all that is about a number and the numbers that rows connect with it, unlinks
// included; seen gets these numbers.
func (l *linkLog) component(rows []linkRow, number uint32, seen map[uint32]bool) []linkRow {
	seen[number] = true
	for queue := []uint32{number}; len(queue) > 0; {
		number, queue = queue[len(queue)-1], queue[:len(queue)-1]
		l.each(number, func(r *linkRow) bool {
			if r.user == number { // every row is found from both its ends, and taken once
				rows = append(rows, *r)
			}
			for _, next := range [2]uint32{r.user, r.id} {
				if !seen[next] {
					seen[next] = true
					queue = append(queue, next)
				}
			}
			return true
		})
	}
	return rows
}

// resolved works out the clusters around numbers and calls yield for each of their ids.
func (l *linkLog) resolved(around []uint32, names func([]uint32) ([]string, error), yield func(id, canonical uint32)) error {
	seen := make(map[uint32]bool)
	var rows []linkRow
	for _, number := range around {
		if seen[number] {
			continue
		}
		one := make(map[uint32]bool)
		rows = l.component(rows[:0], number, one)
		if err := l.resolver.nameTies(rows, names); err != nil {
			return err
		}
		l.resolver.resolve(rows)
		for id := range one {
			seen[id] = true
			yield(id, l.resolver.canonical(id))
		}
	}
	return nil
}

// nameTies makes the resolver know the names that tell links of one kind and time apart.
func (r *resolver) nameTies(rows []linkRow, names func([]uint32) ([]string, error)) error {
	type moment struct {
		time int64
		kind linkCode
	}
	var numbers []uint32
	if len(rows) > 1 {
		count := make(map[moment]int)
		for i := range rows {
			count[moment{rows[i].time, rows[i].kind}]++
		}
		for i := range rows {
			if count[moment{rows[i].time, rows[i].kind}] > 1 {
				numbers = append(numbers, rows[i].user, rows[i].id)
			}
		}
	}
	r.names = nil
	if len(numbers) == 0 {
		return nil
	}
	list, err := names(numbers)
	if err != nil {
		return err
	}
	byNumber := make(map[uint32]string, len(numbers))
	for i, n := range numbers {
		byNumber[n] = list[i]
	}
	r.names = func(a, b uint32) int { return cmp.Compare(byNumber[a], byNumber[b]) }
	return nil
}

// with returns a view in which ids go with others, as follows has it, and the ids around some numbers are worked
// out anew.
func (v *linkView) with(l *linkLog, follow [][2]uint32, around []uint32, names func([]uint32) ([]string, error)) (*linkView, error) {
	next := &linkView{sequence: l.last, damaged: l.damaged}
	if v != nil {
		next.canonical.pages = slices.Clone(v.canonical.pages)
		next.moved = v.moved
	}
	if next.moved == nil {
		next.moved = roaring.New()
	}
	own, cloned := make(map[int]bool), false
	put := func(id, canonical uint32) {
		if canonical == id {
			canonical = 0
		}
		if next.canonical.get(id) == canonical {
			return
		}
		if !cloned {
			next.moved, cloned = next.moved.Clone(), true
		}
		next.canonical.set(id, canonical, own)
		if canonical == 0 {
			next.moved.Remove(id)
		} else {
			next.moved.Add(id)
		}
	}
	for _, pair := range follow {
		put(pair[0], next.of(pair[1]))
	}
	return next, l.resolved(around, names, put)
}

// of returns the number that a number stands for.
func (v *linkView) of(number uint32) uint32 {
	if v == nil {
		return number
	}
	if canonical := v.canonical.get(number); canonical != 0 {
		return canonical
	}
	return number
}

var errLinkUser = errors.New("link of a user that is not known")

// readLinks reads the log into memory.
func (t *Tenant) readLinks(u *users) (*linkLog, *linkView, error) {
	l := &linkLog{}
	err := t.db.store.scan(keys.LinkSpan(t.id, 0), func(key, value []byte) error {
		_, _, sequence, err := keys.ParseLink(key)
		if err != nil {
			return &CorruptionError{Key: slices.Clone(key), Err: err}
		}
		l.last = sequence
		r, _, err := decodeLink(value)
		if err == nil && max(r.user, r.id) > u.last {
			err = errLinkUser
		}
		switch {
		case err != nil:
			if l.damaged == nil {
				l.damaged = &CorruptionError{Key: slices.Clone(key), Err: err}
			}
		case r.kind != linkGone:
			r.sequence = sequence
			l.add(r)
		}
		return nil
	})
	if err != nil || l.last == 0 {
		return l, nil, err
	}
	all := make([]uint32, 0, len(l.rows))
	for i := range l.rows {
		all = append(all, l.rows[i].user)
	}
	v, err := (*linkView)(nil).with(l, nil, all, u.names)
	return l, v, err
}

// linkCommit is the share that links have in a commit.
type linkCommit struct {
	log   *linkLog
	rows  int // of the log before
	last  uint64
	view  *linkView
	added []linkRequest // by row from rows on; those that are logged
}

// writeLinks puts the links of a group into the batch and works out what they change. The log has them already
// when it returns; see linkCommit.forget.
func (c *commitState) writeLinks(b *pebble.Batch, group []*pending, added *newUsers) error {
	t := c.tenant
	l := t.links
	c.links = &linkCommit{log: l, rows: len(l.rows), last: l.last}
	l.mu.Lock()
	defer l.mu.Unlock()
	var follow [][2]uint32
	var around []uint32
	for _, p := range group {
		for _, request := range p.links {
			if t.blocked.has(request.User) || t.blocked.has(request.ID) {
				*request.verdict = Verdict{Rejected, ReasonUserErased, "", "the user was erased, and later events are refused"}
				continue
			}
			user, err := t.users.number([]byte(request.User), added)
			if err != nil {
				return err
			}
			id, err := t.users.number([]byte(request.ID), added)
			if err != nil {
				return err
			}
			same, linked := l.stands(request.code, user, id, request.Time)
			switch {
			case same:
				*request.verdict = Verdict{Kind: Duplicate}
				continue
			case request.code == linkUnlink && !linked:
				*request.verdict = Verdict{Rejected, ReasonNotLinked, "", "no link between the two was there to be taken away"}
			default:
				*request.verdict = Verdict{}
			}
			l.last++
			r := linkRow{time: request.Time, sequence: l.last, user: user, id: id, kind: request.code}
			if err := b.Set(keys.Link(t.id, 0, l.last), encodeLink(&r, request.Source), nil); err != nil {
				return err
			}
			if l.follows(&r) {
				follow = append(follow, [2]uint32{id, user})
			} else {
				around = append(around, user)
			}
			l.add(r)
			c.links.added = append(c.links.added, request)
		}
	}
	if len(c.links.added) == 0 {
		return nil
	}
	var err error
	c.links.view, err = t.view.Load().links.with(l, follow, around, func(numbers []uint32) ([]string, error) {
		names, err := t.users.names(numbers)
		for i, n := range numbers {
			if len(added.names) > 0 && n >= added.first && err == nil {
				names[i] = string(added.names[n-added.first])
			}
		}
		return names, err
	})
	for i, request := range c.links.added {
		r := &l.rows[c.links.rows+i]
		if v := c.links.view; err == nil && r.kind != linkUnlink && v.of(r.user) != v.of(r.id) {
			*request.verdict = Verdict{Rejected, ReasonAlreadyIdentified, "id", "the id is known itself or somebody else's"}
		}
	}
	return err
}

// linked reports whether the commit adds links.
func (c *commitState) linked() bool { return c.links != nil && len(c.links.added) > 0 }

// forget takes links back whose commit has failed.
func (c *linkCommit) forget() {
	if c == nil {
		return
	}
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.log.cut(c.rows)
	c.log.last = c.last
}
