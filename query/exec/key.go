package exec

import (
	"context"

	"cairn/engine/event"
	"cairn/engine/segment"
)

// keyColumn numbers the values of one group key for a worker: every distinct value gets a number
// (gid) that holds for all segments.
type keyColumn struct {
	*input
	ids *interner
	// byCode, of the open segment, is gid+1 by code+1, 0 where not asked for yet; byUser is the same by
	// dense user id, for all segments, and byMade by the number of a computed column's value.
	byUser   []uint32
	byNumber []uint32 // gid + 1 by number of the property, for an inputPerUser
	byMade   []uint32
	// sessions are the same for the sessions of a chunk.
	sessions chunkGids
	ints     numberMap // raw numbers to gid
	intIDs   []uint32
	floats   numberMap
	fltIDs   []uint32
	rows     []uint16
}

// unnamed is a group key that is still the dense id of a user. It becomes a name when the groups
// are finished.
const kindUnnamed event.Kind = 255

func unnamedUser(id uint32) event.Value { return event.FromBits(kindUnnamed, uint64(id), "") }

func (x *Execution) newKeyColumn(in *input) *keyColumn {
	return &keyColumn{input: in, ids: newInterner(x.Budget, "group keys")}
}

func (k *keyColumn) open(v *view) error {
	if err := k.input.open(v); err != nil {
		return err
	}
	if k.kept != nil && k.byCode != nil {
		return nil
	}
	switch k.kind {
	case inputCodes:
		k.byCode = zeroed(k.byCode, k.dict.Len()+1)
	case inputBins:
		k.byCode = zeroed(k.byCode, len(k.starts))
	case inputUser:
		k.growUsers(v.info.UserMax)
	}
	return nil
}

// growUsers makes room for users up to one.
func (k *keyColumn) growUsers(last uint32) {
	if n := int(last) + 1; len(k.byUser) < n {
		n = max(n, int(k.x.Source.UserCount())+1)
		k.byUser = append(k.byUser, make([]uint32, n-len(k.byUser))...)
		k.ids.account.add(4 * n)
	}
}

func zeroed(s []uint32, n int) []uint32 {
	if cap(s) < n {
		return make([]uint32, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// gids returns the number of the key of every row of a batch. The slice is valid until the next
// call.
func (k *keyColumn) gids(b *batch) ([]uint32, error) {
	switch k.kind {
	case inputConst:
		gid := k.ids.intern(k.value)
		out := k.codeBuffer[:0]
		for range b.n {
			out = append(out, gid)
		}
		k.codeBuffer = out
		return out, nil
	case inputCodes:
		if b.sel == nil {
			if out, ok, err := k.blockGids(b); ok || err != nil {
				return out, err
			}
		}
		codes, err := k.codes(b)
		if err != nil {
			return nil, err
		}
		byCode := k.byCode
		for i, c := range codes {
			gid := byCode[c+1]
			if gid == 0 {
				gid = k.ids.intern(k.codeValue(c)) + 1
				byCode[c+1] = gid
			}
			codes[i] = gid - 1
		}
		return codes, nil
	case inputBins:
		codes, err := k.binCodes(b)
		if err != nil {
			return nil, err
		}
		for i, c := range codes {
			gid := k.byCode[c]
			if gid == 0 {
				gid = k.ids.intern(k.binValue(c)) + 1
				k.byCode[c] = gid
			}
			codes[i] = gid - 1
		}
		return codes, nil
	case inputUser:
		out, err := b.users(k.codeBuffer[:0])
		if err != nil {
			return nil, err
		}
		k.codeBuffer = out
		k.userGids(out)
		return out, nil
	case inputPerUser:
		out, err := b.users(k.codeBuffer[:0])
		if err != nil {
			return nil, err
		}
		k.codeBuffer = out
		k.perUserGids(out)
		return out, nil
	case inputNumbers:
		return k.numberGids(b)
	case inputMade:
		return k.madeGids(b)
	}
	values, err := k.each(b)
	if err != nil {
		return nil, err
	}
	out := k.codeBuffer[:0]
	for _, v := range values {
		out = append(out, k.ids.intern(v))
	}
	k.codeBuffer = out
	return out, nil
}

// userGids puts the numbers of users in the place of their dense ids.
func (k *keyColumn) userGids(users []uint32) {
	for i, u := range users {
		gid := k.byUser[u]
		if gid == 0 {
			v := event.Value{}
			if u != segment.NoUser {
				v = unnamedUser(u)
			}
			gid = k.ids.intern(v) + 1
			k.byUser[u] = gid
		}
		users[i] = gid - 1
	}
}

// gid returns the number of the key behind a code.
func (k *keyColumn) gid(code uint32) uint32 {
	gid := k.byCode[code+1]
	if gid == 0 {
		gid = k.ids.intern(k.codeValue(code)) + 1
		k.byCode[code+1] = gid
	}
	return gid - 1
}

// blockGids is gids of a whole block in which every row has a value: runs are written as such.
func (k *keyColumn) blockGids(b *batch) (out []uint32, ok bool, err error) {
	v, err := k.vector(b.block)
	if err != nil || v.Present != nil {
		return nil, false, err
	}
	if cap(k.codeBuffer) < b.n {
		k.codeBuffer = make([]uint32, b.n)
	}
	out = k.codeBuffer[:b.n]
	switch v.Form {
	case segment.FormConst:
		fillWith(out, k.gid(uint32(v.Const)))
	case segment.FormRuns:
		from := uint32(0)
		for i, end := range v.Ends {
			fillWith(out[from:end], k.gid(v.RunCodes[i]))
			from = end
		}
	case segment.Form8:
		mapCodes(k, out, v.U8)
	case segment.Form16:
		mapCodes(k, out, v.U16)
	default:
		return nil, false, nil
	}
	return out, true, nil
}

func fillWith(out []uint32, gid uint32) {
	for i := range out {
		out[i] = gid
	}
}

func mapCodes[T uint8 | uint16](k *keyColumn, out []uint32, codes []T) {
	byCode := k.byCode[1:]
	codes = codes[:len(out)]
	for i, c := range codes {
		gid := byCode[c]
		if gid == 0 {
			gid = k.gid(uint32(c)) + 1
		}
		out[i] = gid - 1
	}
}

func (k *keyColumn) numberGids(b *batch) ([]uint32, error) {
	n, _, err := k.numbers(b)
	if err != nil {
		return nil, err
	}
	out := k.codeBuffer[:0]
	for i := range b.n {
		if n.ok != nil && !n.ok[i] {
			out = append(out, k.ids.intern(event.Value{}))
			continue
		}
		var v event.Value
		if n.kind == event.KindFloat {
			if v = event.Float(n.floats[i]); !k.ids.exact {
				v = v.Canonical()
			}
		} else {
			v = event.FromBits(n.kind, uint64(n.ints[i]), "")
		}
		table, ids := &k.ints, &k.intIDs
		if v.Kind() == event.KindFloat {
			table, ids = &k.floats, &k.fltIDs
		}
		number := table.number(v.Bits())
		if int(number) == len(*ids) {
			*ids = append(*ids, k.ids.intern(v))
			k.ids.account.add(24)
		}
		out = append(out, (*ids)[number])
	}
	k.codeBuffer = out
	return out, nil
}

// groupTable numbers the distinct combinations of group keys for a worker.
type groupTable struct {
	keys    []*keyColumn
	pairs   []pairTable // level i numbers (level i-1, key i+1)
	dense   []uint32    // two keys: group+1 by gid1<<shift | gid2, while small enough
	shift   uint
	account account
	single  bool // no keys: all rows are one group
}

// denseMax is the largest number of cells of a table that maps two keys to groups directly.
const denseMax = 1 << 20

func (x *Execution) newGroupTable(inputs []*input) *groupTable {
	t := &groupTable{account: account{budget: x.Budget, purpose: "groups"}, single: len(inputs) == 0}
	for _, in := range inputs {
		t.keys = append(t.keys, x.newKeyColumn(in))
	}
	if len(inputs) > 1 {
		t.pairs = make([]pairTable, len(inputs)-1)
	}
	return t
}

func (t *groupTable) open(v *view) error {
	for _, k := range t.keys {
		if err := k.open(v); err != nil {
			return err
		}
	}
	return nil
}

// len returns the number of groups so far.
func (t *groupTable) len() int {
	switch {
	case t.single:
		return 1
	case len(t.keys) == 1:
		return len(t.keys[0].ids.values)
	}
	return t.pairs[len(t.pairs)-1].len()
}

// groups returns the group of every row of a batch; nil if there are no keys. The slice is valid
// until the next call.
func (t *groupTable) groups(b *batch) ([]uint32, error) {
	if t.single {
		return nil, nil
	}
	first, err := t.keys[0].gids(b)
	if err != nil || len(t.keys) == 1 {
		return first, err
	}
	for level := range t.pairs {
		second, err := t.keys[level+1].gids(b)
		if err != nil {
			return nil, err
		}
		if level == 0 && t.fits() {
			t.lookup(first, second)
			continue
		}
		table := &t.pairs[level]
		before := table.sizeBytes()
		for i, gid := range second {
			first[i] = table.number(first[i], gid)
		}
		t.account.add(table.sizeBytes() - before)
	}
	return first, nil
}

// fits makes the dense table large enough for the keys seen, if that is small enough.
func (t *groupTable) fits() bool {
	rows, columns := len(t.keys[0].ids.values), len(t.keys[1].ids.values)
	shift := t.shift
	for columns > 1<<shift {
		shift++
	}
	if rows<<shift > denseMax {
		t.dense = nil
		return false
	}
	if shift != t.shift || len(t.dense) < rows<<shift {
		size := 64
		for size < rows<<shift {
			size *= 2
		}
		t.dense = make([]uint32, size)
		t.shift = shift
		for n, pair := range t.pairs[0].pairs.keys {
			t.dense[int(pair>>32)<<shift|int(uint32(pair))] = uint32(n) + 1
		}
	}
	return true
}

func (t *groupTable) lookup(first, second []uint32) {
	dense, shift := t.dense, t.shift
	second = second[:len(first)]
	for i, a := range first {
		cell := int(a)<<shift | int(second[i])
		group := dense[cell]
		if group == 0 {
			group = t.pairs[0].number(a, second[i]) + 1
			dense[cell] = group
			t.account.add(16)
		}
		first[i] = group - 1
	}
}

// group returns the group of constant keys, one value for each.
func (t *groupTable) group(values []event.Value) uint32 {
	if t.single {
		return 0
	}
	group := t.keys[0].ids.intern(values[0])
	for level := range t.pairs {
		group = t.pairs[level].number(group, t.keys[level+1].ids.intern(values[level+1]))
	}
	return group
}

// groupOf returns the group of keys by their numbers.
func (t *groupTable) groupOf(gids []uint32) uint32 {
	group := gids[0]
	for level := range t.pairs {
		group = t.pairs[level].number(group, gids[level+1])
	}
	return group
}

// values appends the keys of a group to dst.
func (t *groupTable) values(group uint32, dst []event.Value) []event.Value {
	if t.single {
		return dst
	}
	n := len(t.keys)
	start := len(dst)
	dst = append(dst, make([]event.Value, n)...)
	for level := len(t.pairs) - 1; level >= 0; level-- {
		a, gid := t.pairs[level].pair(group)
		dst[start+level+1] = t.keys[level+1].ids.values[gid]
		group = a
	}
	dst[start] = t.keys[0].ids.values[group]
	return dst
}

// merge adds the groups of o and returns which of the table's groups each has become.
func (t *groupTable) merge(ctx context.Context, o *groupTable) ([]uint32, error) {
	to := make([]uint32, o.len())
	var values []event.Value
	for g := range to {
		if err := interrupted(ctx, g); err != nil {
			return nil, err
		}
		values = o.values(uint32(g), values[:0])
		to[g] = t.group(values)
	}
	t.dense, t.shift = nil, 0
	return to, nil
}
