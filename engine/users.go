package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/column"
	"cairn/engine/keys"
)

// namesMax is the most names of one run in the store: a run is read whole to find one of them.
const namesMax = 256

// users is the dictionary of one tenant's users: a string to a dense number from 1 on, and back. New
// numbers are given under the tenant's commit lock and written in the batch of the frame that needs
// them.
type users struct {
	store     *store
	budget    *userBudget
	tenant    keys.Tenant
	partition keys.Partition

	mu struct {
		sync.RWMutex
		// Strings known in memory, in two generations: young fills up, then becomes old.
		young, old userCache
		complete   bool
		// generation counts how often all was forgotten: what was read before is not remembered after.
		generation uint64
	}
	cached atomic.Int64 // entries of both generations
	last   uint32       // highest number given; guarded by the commit lock
}

// userCache maps strings to numbers without a pointer per entry.
type userCache struct {
	strings column.Dict
	numbers []uint32
}

func (c *userCache) find(user []byte) (uint32, bool) {
	if i, ok := c.strings.Find(user); ok {
		return c.numbers[i], true
	}
	return 0, false
}

func openUsers(s *store, t keys.Tenant, budget *userBudget) (*users, error) {
	u := &users{store: s, tenant: t, budget: budget}
	span := keys.NamesSpan(t, 0)
	it, err := s.iterate(span)
	if err != nil {
		return nil, fmt.Errorf("iterate user names: %w", err)
	}
	defer it.Close()
	if it.Last() {
		_, _, first, err := keys.ParseNames(it.Key())
		if err != nil {
			return nil, &CorruptionError{Key: bytes.Clone(it.Key()), Err: err}
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, s.readError(bytes.Clone(it.Key()), err)
		}
		n, err := countNames(value)
		if err != nil {
			return nil, &CorruptionError{Key: bytes.Clone(it.Key()), Err: err}
		}
		u.last = first + uint32(n) - 1
	}
	if err := it.Error(); err != nil {
		return nil, s.readError(span.Start, err)
	}
	u.mu.complete = u.last == 0
	return u, nil
}

// lookup returns the number of a user, or false if there is none.
func (u *users) lookup(user []byte) (uint32, bool, error) {
	u.mu.RLock()
	n, ok := u.mu.young.find(user)
	if !ok {
		n, ok = u.mu.old.find(user)
	}
	complete, generation := u.mu.complete, u.mu.generation
	u.mu.RUnlock()
	if ok || complete {
		return n, ok, nil
	}
	key := keys.AppendUser(make([]byte, 0, 64), u.tenant, u.partition, user)
	value, err := u.store.get(key)
	if err != nil || value == nil {
		return 0, false, err
	}
	if len(value) != 4 {
		return 0, false, &CorruptionError{Key: key, Err: fmt.Errorf("user number of %d bytes", len(value))}
	}
	n = binary.BigEndian.Uint32(value)
	u.rememberOf(user, n, generation)
	return n, true, nil
}

// remember keeps a number that is given under the commit lock.
func (u *users) remember(user []byte, n uint32) {
	u.mu.RLock()
	generation := u.mu.generation
	u.mu.RUnlock()
	u.rememberOf(user, n, generation)
}

// rememberOf keeps a number that was read in a generation, if it is still that.
func (u *users) rememberOf(user []byte, n uint32, generation uint64) {
	u.mu.Lock()
	if u.mu.generation != generation {
		u.mu.Unlock()
		return
	}
	if len(u.mu.young.numbers) >= u.budget.limit/2 {
		u.age()
	}
	added, first := false, false
	if i := u.mu.young.strings.Intern(user); int(i) == len(u.mu.young.numbers) {
		u.mu.young.numbers = append(u.mu.young.numbers, n)
		added, first = true, u.cached.Add(1) == 1
	}
	u.mu.Unlock()
	if added {
		u.budget.take(u, first)
	}
}

// age lets go of the old generation and makes the young one old. It returns the number of entries let
// go. The caller holds mu.
func (u *users) age() int {
	gone := len(u.mu.old.numbers)
	if gone > 0 {
		u.mu.complete = false
	}
	u.mu.old, u.mu.young = u.mu.young, userCache{}
	u.cached.Add(-int64(gone))
	u.budget.entries.Add(-int64(gone))
	return gone
}

// forget drops what is in memory, after a commit that gave new numbers has failed, or one that took names
// away has not.
func (u *users) forget(last uint32) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.budget.entries.Add(-u.cached.Swap(0))
	u.mu.young, u.mu.old, u.mu.complete = userCache{}, userCache{}, false
	u.mu.generation++
	u.last = last
}

// newUsers collects the users that a commit adds.
type newUsers struct {
	first uint32
	names [][]byte
}

// resolve returns the number of every string of the dictionary that is used, giving new ones to new users; nil
// uses all. The caller holds the commit lock.
func (u *users) resolve(dict *column.Dict, used []bool, added *newUsers) ([]uint32, error) {
	numbers := make([]uint32, dict.Len())
	for i := range numbers {
		if used != nil && !used[i] {
			continue
		}
		var err error
		if numbers[i], err = u.number(dict.Bytes(uint32(i)), added); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

// number is resolve for one name, which must not change any more.
func (u *users) number(name []byte, added *newUsers) (uint32, error) {
	n, ok, err := u.lookup(name)
	if err != nil || ok {
		return n, err
	}
	if u.last == 1<<32-2 {
		return 0, fmt.Errorf("engine: a tenant has no more than %d users", u.last)
	}
	u.last++
	n = u.last
	if len(added.names) == 0 {
		added.first = n
	}
	added.names = append(added.names, name)
	u.remember(name, n)
	return n, nil
}

// write puts the added users into the batch.
func (u *users) write(b *pebble.Batch, added *newUsers) error {
	var key []byte
	var number [4]byte
	for i, name := range added.names {
		key = keys.AppendUser(key[:0], u.tenant, u.partition, name)
		binary.BigEndian.PutUint32(number[:], added.first+uint32(i))
		if err := b.Set(key, number[:], nil); err != nil {
			return err
		}
	}
	for from := 0; from < len(added.names); from += namesMax {
		run := added.names[from:min(from+namesMax, len(added.names))]
		if err := b.Set(keys.Names(u.tenant, u.partition, added.first+uint32(from)), encodeNames(run), nil); err != nil {
			return err
		}
	}
	return nil
}

// erase takes names out of the dictionary, as part of the batch, and returns their numbers. Numbers are not
// given again. The caller holds the commit lock, and calls forget when the batch is written.
func (u *users) erase(b *pebble.Batch, names []string) ([]uint32, error) {
	var ids []uint32
	for _, name := range names {
		n, ok, err := u.lookup([]byte(name))
		if err != nil {
			return nil, err
		}
		if !ok || slices.Contains(ids, n) {
			continue
		}
		ids = append(ids, n)
		if err := b.Delete(keys.User(u.tenant, u.partition, name), nil); err != nil {
			return nil, err
		}
	}
	slices.Sort(ids)
	it, err := u.store.iterate(keys.NamesSpan(u.tenant, u.partition))
	if err != nil {
		return nil, fmt.Errorf("iterate user names: %w", err)
	}
	defer it.Close()
	for rest := ids; len(rest) > 0; {
		run, first, err := u.seekRun(it, rest[0], 0)
		if err != nil {
			return nil, err
		}
		if run == nil {
			rest = rest[1:] // it has no name
			continue
		}
		for len(rest) > 0 && rest[0]-first < uint32(len(run)) {
			run[rest[0]-first] = nil
			rest = rest[1:]
		}
		if err := b.Set(keys.Names(u.tenant, u.partition, first), encodeNames(run), nil); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// encodeNames writes a count, the sizes, and the names end to end.
func encodeNames(names [][]byte) []byte {
	out := binary.AppendUvarint(nil, uint64(len(names)))
	for _, name := range names {
		out = binary.AppendUvarint(out, uint64(len(name)))
	}
	for _, name := range names {
		out = append(out, name...)
	}
	return out
}

func countNames(value []byte) (int, error) {
	n, size := binary.Uvarint(value)
	if size <= 0 || n == 0 || n > uint64(len(value)) {
		return 0, fmt.Errorf("run of user names")
	}
	return int(n), nil
}

func decodeNames(value []byte) ([][]byte, error) {
	n, err := countNames(value)
	if err != nil {
		return nil, err
	}
	_, size := binary.Uvarint(value)
	rest := value[size:]
	names := make([][]byte, n)
	sizes := make([]int, n)
	for i := range sizes {
		length, size := binary.Uvarint(rest)
		if size <= 0 || length > uint64(len(value)) {
			return nil, fmt.Errorf("size of user name %d", i)
		}
		sizes[i], rest = int(length), rest[size:]
	}
	for i, length := range sizes {
		if length > len(rest) {
			return nil, fmt.Errorf("user name %d is cut off", i)
		}
		names[i], rest = rest[:length:length], rest[length:]
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes after the user names", len(rest))
	}
	return names, nil
}

// names returns the strings of the given numbers, "" for a number that was never given.
func (u *users) names(ids []uint32) ([]string, error) {
	out := make([]string, len(ids))
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(int64(ids[a]) - int64(ids[b])) })
	span := keys.NamesSpan(u.tenant, u.partition)
	it, err := u.store.iterate(span)
	if err != nil {
		return nil, fmt.Errorf("iterate user names: %w", err)
	}
	defer it.Close()
	var run [][]byte
	var first uint32
	for _, i := range order {
		id := ids[i]
		if id == 0 {
			continue
		}
		if run == nil || id-first >= uint32(len(run)) {
			if run, first, err = u.seekRun(it, id, first+uint32(len(run))); err != nil {
				return nil, err
			}
		}
		if id >= first && id-first < uint32(len(run)) {
			out[i] = string(run[id-first])
		}
	}
	return out, nil
}

// seekRun moves to the run that holds id; next is the first number after the present run.
func (u *users) seekRun(it iterator, id, next uint32) ([][]byte, uint32, error) {
	found := false
	if it.Valid() && id-next < namesMax {
		found = it.Next()
	}
	for range 2 {
		if !found {
			found = it.SeekLT(keys.Names(u.tenant, u.partition, id+1))
		}
		if !found {
			return nil, 0, it.Error()
		}
		_, _, first, err := keys.ParseNames(it.Key())
		if err != nil {
			return nil, 0, &CorruptionError{Key: bytes.Clone(it.Key()), Err: err}
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, 0, u.store.readError(bytes.Clone(it.Key()), err)
		}
		run, err := decodeNames(bytes.Clone(value))
		if err != nil {
			return nil, 0, &CorruptionError{Key: bytes.Clone(it.Key()), Err: err}
		}
		if id >= first && id-first < uint32(len(run)) {
			return run, first, nil
		}
		found = false // the next run does not hold it: seek
	}
	return nil, 0, nil
}
