package engine

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"cairn/engine/column"
	"cairn/engine/keys"
)

// blockedNames are the names, by their hash, whose events are refused since they were erased. It is safe
// for concurrent use.
type blockedNames struct {
	mu         sync.RWMutex
	hashes     map[[sha256.Size]byte]struct{}
	generation uint64 // grows with the names
}

func (n *blockedNames) add(names []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range names {
		n.put(sha256.Sum256([]byte(name)))
	}
}

func (n *blockedNames) put(hash [sha256.Size]byte) {
	if n.hashes == nil {
		n.hashes = make(map[[sha256.Size]byte]struct{})
	}
	n.hashes[hash] = struct{}{}
	n.generation++
}

// among returns which strings of a dictionary are blocked, nil if none is, and the generation of the names.
func (n *blockedNames) among(dict *column.Dict) (bad []bool, generation uint64) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if len(n.hashes) == 0 {
		return nil, n.generation
	}
	for i := range dict.Len() {
		if _, ok := n.hashes[sha256.Sum256(dict.Bytes(uint32(i)))]; ok {
			if bad == nil {
				bad = make([]bool, dict.Len())
			}
			bad[i] = true
		}
	}
	return bad, n.generation
}

// has reports whether a name is blocked.
func (n *blockedNames) has(name string) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if len(n.hashes) == 0 {
		return false
	}
	_, ok := n.hashes[sha256.Sum256([]byte(name))]
	return ok
}

// changed reports whether there are other names than at a generation.
func (n *blockedNames) changed(generation uint64) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.generation != generation
}

// blockedUsers rejects the rows of blocked users.
func (c *checker) blockedUsers(bad []bool) {
	if bad == nil {
		return
	}
	user := &c.batch.User
	for i, code := range user.Bits {
		if bad[code] {
			c.reject(uint32(user.Row(i)), ReasonUserErased, "user", "the user was erased, and later events are refused")
		}
	}
}

// refuse takes rows of users out who were blocked since the append was prepared.
func (p *pending) refuse(names *blockedNames) {
	var parts []part
	for _, old := range p.parts {
		blocked, generation := names.among(&old.batch.User.Dict)
		p.blocked = generation
		if blocked == nil {
			parts = append(parts, old)
			continue
		}
		check := checker{batch: old.batch, result: &Result{}}
		check.blockedUsers(blocked)
		for _, v := range check.result.Verdicts {
			if old.index != nil {
				v.Index = int(old.index[v.Index])
			}
			p.result.Rejected++
			p.result.Verdicts = append(p.result.Verdicts, v)
		}
		if len(check.bad) == 0 {
			parts = append(parts, old)
			continue
		}
		for _, next := range splitByDay(nil, old.batch, p.settings.calendar, check.bad) {
			next.place(&old)
			parts = append(parts, next)
		}
	}
	p.parts = parts
}

// place makes a part of one that was cut from another's batch, whose rows the append knows by other indexes.
func (p *part) place(old *part) {
	p.owner = old.owner
	if old.index == nil {
		return
	}
	if p.index == nil {
		p.index = old.index
		return
	}
	for i, row := range p.index {
		p.index[i] = old.index[row]
	}
}

// readErasures loads what the tenant has of erasures: the numbers, what is pending, and blocked names. It
// fails if it cannot tell whom to hide.
func (t *Tenant) readErasures() (e erasures, names map[[sha256.Size]byte]struct{}, err error) {
	err = t.db.store.scan(keys.ErasureSpan(t.id, keys.ErasurePending), func(key, value []byte) error {
		k, err := keys.ParseErasure(key)
		if err != nil {
			return &CorruptionError{Key: slices.Clone(key), Err: err}
		}
		users, err := decodeUsers(key, value)
		if err != nil {
			return err
		}
		e.pending = append(e.pending, pendingErasure{k.Number, users})
		return nil
	})
	if err != nil {
		return e, nil, err
	}
	if e.last, err = t.lastReceipt(); err != nil {
		return e, nil, err
	}
	if e.last > 0 {
		receipt, err := t.Erasure(e.last)
		switch {
		case err == nil:
			_, _ = fmt.Sscanf(receipt.UpTo, "0:%d", &e.sequence)
		case !isContained(err): // a receipt that cannot be read hides nothing
			return e, nil, err
		}
	}
	err = t.db.store.scan(keys.ErasureSpan(t.id, keys.ErasureName), func(key, value []byte) error {
		k, err := keys.ParseErasure(key)
		if err != nil {
			return &CorruptionError{Key: slices.Clone(key), Err: err}
		}
		// The name of what cannot be read may be blocked.
		if known, err := decodeErasedName(key, value); err != nil || known.blocked {
			if names == nil {
				names = make(map[[sha256.Size]byte]struct{})
			}
			names[k.Hash] = struct{}{}
		}
		return nil
	})
	return e, names, err
}

// lastReceipt returns the number of the latest erasure, 0 without one.
func (t *Tenant) lastReceipt() (uint64, error) {
	span := keys.ErasureSpan(t.id, keys.ErasureReceipt)
	it, err := t.db.store.iterate(span)
	if err != nil {
		return 0, fmt.Errorf("iterate receipts: %w", err)
	}
	defer it.Close()
	if !it.Last() {
		if err := it.Error(); err != nil {
			return 0, t.db.store.readError(span.Start, err)
		}
		return 0, nil
	}
	k, err := keys.ParseErasure(it.Key())
	if err != nil {
		return 0, &CorruptionError{Key: slices.Clone(it.Key()), Err: err}
	}
	return k.Number, nil
}
