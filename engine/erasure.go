package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/keys"
	"cairn/engine/segment"
)

// EraseOptions say whom to erase.
type EraseOptions struct {
	User string
	// Linked erases the ids that are linked to the user as well.
	Linked bool
	// Block refuses later events of the names, with ReasonUserErased, for good. Without it such events are
	// those of a new user of that name.
	Block bool
	By    string // who asks for it, for the receipt
}

// The states of an erasure.
const (
	// ErasureHidden: no query sees the user, but files still hold bytes of his.
	ErasureHidden = "hidden"
	// ErasureErased: every frame and segment with a row of his has been written again without it, and the
	// old ones are off the disk.
	ErasureErased = "erased"
)

// Erasure is the receipt of an erasure. It is kept for as long as the tenant is.
type Erasure struct {
	Number     uint64    `json:"erasure"` // from 1 on, by tenant
	UserSHA256 string    `json:"user_sha256"`
	Requested  time.Time `json:"requested"`
	Hidden     time.Time `json:"hidden"`          // from when on no new snapshot shows the user
	Erased     time.Time `json:"erased,omitzero"` // zero until State is ErasureErased
	By         string    `json:"by"`
	Events     int64     `json:"events"` // that were hidden, of days that can be read
	Days       int       `json:"days"`   // of the tenant's calendar, with such events
	// UpTo is "0:<sequence>": the erasure covers what was stored up to then.
	UpTo    string `json:"up_to"`
	State   string `json:"state"`
	Blocked bool   `json:"blocked,omitempty"`
	Linked  bool   `json:"linked,omitempty"`
}

// erasures is what a tenant knows of erased users while it is in use. Guarded by the commit lock.
type erasures struct {
	last     uint64           // number of the latest
	sequence uint64           // that it was given, when the tenant was loaded
	pending  []pendingErasure // that are hidden only, ascending
	// rewritten is up to which number frames and segments have been written again, and the epoch of the
	// view from which on none has such rows.
	rewritten      uint64
	rewrittenEpoch uint64
	// clean are segments known to have no row of the users of erasures up to a number, as long as something
	// else keeps that number from having been rewritten.
	clean map[keys.Segment]uint64
}

// pendingErasure is an erasure whose rows are hidden, and maybe still stored.
type pendingErasure struct {
	number uint64
	users  []uint32 // ascending
}

// Erase makes a user vanish: when it returns, that is on disk, and every snapshot from then on is as if the
// user's events had never been, in queries, exports and what is known of expired days. Their names are out
// of the dictionary at once. Background work, and Settle, then write all frames and segments with events
// of his again without them and let the receipt say so; the files of before go when the last snapshot
// that was opened before is closed.
//
// Links of the names are gone too: ids that were linked only through an erased one are so no longer.
//
// Snapshots opened before still have the events, of a user without a name. Insert ids of erased events
// stay known for the window of de-duplication, by their hashes, so that a repeat does not bring the event
// back. Erasing a user whom nobody has seen is no error: it leaves a receipt, and blocks if it is to.
func (t *Tenant) Erase(ctx context.Context, opt EraseOptions) (*Erasure, error) {
	if opt.User == "" {
		return nil, errors.New("engine: erase: no user is named")
	}
	names := []string{opt.User}
	if err := t.ensure(); err != nil {
		return nil, err
	}
	if opt.Linked {
		var err error
		if names, err = t.linkedNames(opt.User); err != nil {
			return nil, err
		}
	}
	requested := t.db.now()
	// What is counted below, behind the locks, is in memory by then.
	if err := t.warmCount(ctx, names); err != nil {
		return nil, err
	}
	// No manifest change may write users of expired days meanwhile.
	t.db.installing.Lock()
	defer t.db.installing.Unlock()
	t.commitMu.Lock()
	defer t.commitMu.Unlock()
	if t.isDropped() {
		return nil, errDropped(t.name)
	}
	if opt.Linked { // there may be more by now
		var err error
		if names, err = t.linkedNames(opt.User); err != nil {
			return nil, err
		}
	}
	e, err := t.erase(ctx, names, opt, requested)
	if err != nil {
		return nil, fmt.Errorf("erase a user of tenant %q: %w", t.name, err)
	}
	t.db.worker.noteErasure(t)
	return e, nil
}

// erase writes the erasure and hides the users. The caller holds installing and the commit lock.
func (t *Tenant) erase(ctx context.Context, names []string, opt EraseOptions, requested int64) (*Erasure, error) {
	b := t.db.store.db.NewBatch()
	ids, err := t.users.erase(b, names)
	if err != nil {
		return nil, err
	}
	v := t.view.Load()
	users := roaring.BitmapOf(ids...)
	events, days, err := v.countOf(ctx, users)
	if err != nil {
		return nil, err
	}
	if err := t.eraseExpired(b, users); err != nil {
		return nil, err
	}
	erased := false
	links, undo, err := t.eraseLinks(b, ids)
	if err != nil {
		return nil, err
	}
	defer func() {
		if !erased {
			undo()
		}
	}()
	sequence := t.db.sequence.Add(1)
	hash := sha256.Sum256([]byte(opt.User))
	e := &Erasure{
		Number: t.erasures.last + 1, UserSHA256: hex.EncodeToString(hash[:]), By: opt.By,
		Requested: time.Unix(0, requested).UTC(), Hidden: time.Unix(0, t.db.now()).UTC(),
		Events: events, Days: days, UpTo: fmt.Sprintf("0:%d", sequence), State: ErasureHidden,
		Blocked: opt.Block, Linked: opt.Linked,
	}
	pending := pendingErasure{e.Number, users.ToArray()}
	if err := t.writeErasure(b, e, &pending, names); err != nil {
		return nil, err
	}
	if err := setCounter(b, counterSequence, t.db.sequence.Load()); err != nil {
		return nil, err
	}
	if err := t.db.store.commit(b, true); err != nil {
		return nil, err
	}
	erased = true
	t.users.forget(t.users.last)
	t.unsynced = false
	t.erasures.last = e.Number
	t.erasures.pending = append(t.erasures.pending, pending)
	if opt.Block {
		t.blocked.add(names)
	}
	t.update(func(v *view) {
		if !users.IsEmpty() {
			if v.hidden != nil {
				users.Or(v.hidden)
			}
			v.hidden = users
		}
		v.links = links
		v.sequence = max(v.sequence, sequence) // other events than before: the snapshot has another name
	})
	return e, nil
}

// writeErasure puts the receipt, the names and the users to be hidden into the batch.
func (t *Tenant) writeErasure(b *pebble.Batch, e *Erasure, p *pendingErasure, names []string) error {
	if err := t.writeReceipt(b, e); err != nil {
		return err
	}
	for _, name := range names {
		key := t.erasedName(name)
		before, err := t.readErasedName(key)
		if err != nil && !isContained(err) {
			return err
		}
		if err != nil { // it cannot be read: see readErasures
			before.blocked = true
		}
		next := erasedName{e.Number, e.Blocked || before.blocked}
		if err := b.Set(key, next.encode(), nil); err != nil {
			return err
		}
	}
	key := keys.ErasureKey{Tenant: t.id, Kind: keys.ErasurePending, Number: e.Number}.Bytes()
	return b.Set(key, encodeUsers(p.users), nil)
}

func (t *Tenant) writeReceipt(b *pebble.Batch, e *Erasure) error {
	value, err := encodeErasure(e)
	if err != nil {
		return err
	}
	return b.Set(keys.ErasureKey{Tenant: t.id, Kind: keys.ErasureReceipt, Number: e.Number}.Bytes(), value, nil)
}

// eraseExpired takes users out of what is known of expired days. Numbers of a set that cannot be read have
// no name any more, and no answer comes of them.
func (t *Tenant) eraseExpired(b *pebble.Batch, users *roaring.Bitmap) error {
	if users.IsEmpty() {
		return nil
	}
	return t.db.store.scan(keys.ExpiredSpan(t.id, 0), func(key, value []byte) error {
		set, err := decodeExpired(key, value)
		if err != nil || !set.Intersects(users) {
			return nil
		}
		if set.AndNot(users); set.IsEmpty() {
			return b.Delete(key, nil)
		}
		set.RunOptimize()
		left, err := set.ToBytes()
		if err != nil {
			return err
		}
		return b.Set(key, left, nil)
	})
}

// warmCount reads what countOf needs for the users of some names.
func (t *Tenant) warmCount(ctx context.Context, names []string) error {
	snap := t.Snapshot()
	defer snap.Close()
	if snap.err != nil {
		return snap.err
	}
	users := roaring.New()
	for _, name := range names {
		id, ok, err := snap.Raw().UserID(name)
		if err != nil {
			return err
		}
		if ok {
			users.Add(id)
		}
	}
	_, _, err := snap.view.countOf(ctx, users)
	return err
}

// countOf counts the events of users, and the days that have such events. What cannot be read is left out.
func (v *view) countOf(ctx context.Context, users *roaring.Bitmap) (events int64, days int, err error) {
	if users.IsEmpty() {
		return 0, 0, nil
	}
	seen := make(map[int64]bool)
	err = v.eachReader(func(r *segment.Reader) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows, err := r.Without(users).HiddenRows()
		if err != nil || rows == nil {
			return err
		}
		events += int64(rows.GetCardinality())
		from, to := int64(0), int64(0)
		return eachTime(r, rows, func(at int64) {
			if at < from || at >= to {
				from, to = v.settings.calendar.day(at)
				seen[from] = true
			}
		})
	})
	return events, len(seen), err
}

// Erasures returns the receipts of all erasures, the oldest first.
func (t *Tenant) Erasures() ([]Erasure, error) {
	var out []Erasure
	if !t.stored() {
		return nil, nil
	}
	err := t.db.store.scan(keys.ErasureSpan(t.id, keys.ErasureReceipt), func(key, value []byte) error {
		e, err := decodeErasure(key, value)
		if err == nil {
			out = append(out, *e)
		}
		return err
	})
	return out, err
}

// Erasure returns the receipt with a number, nil if there is none.
func (t *Tenant) Erasure(number uint64) (*Erasure, error) {
	if !t.stored() {
		return nil, nil
	}
	key := keys.ErasureKey{Tenant: t.id, Kind: keys.ErasureReceipt, Number: number}.Bytes()
	value, err := t.db.store.get(key)
	if err != nil || value == nil {
		return nil, err
	}
	return decodeErasure(key, value)
}

// ErasedUser returns the receipt of the latest erasure of a user of that name, nil if there was none. There
// may be a later user of the same name.
func (t *Tenant) ErasedUser(name string) (*Erasure, error) {
	if !t.stored() {
		return nil, nil
	}
	known, err := t.readErasedName(t.erasedName(name))
	if err != nil || known.number == 0 {
		return nil, err
	}
	e, err := t.Erasure(known.number)
	if e == nil {
		err = cmp.Or(err, error(&CorruptionError{Key: t.erasedName(name), Err: fmt.Errorf("receipt %d is missing", known.number)}))
	}
	return e, err
}

func (t *Tenant) erasedName(name string) []byte {
	return keys.ErasureKey{Tenant: t.id, Kind: keys.ErasureName, Hash: sha256.Sum256([]byte(name))}.Bytes()
}

// readErasedName returns what is stored under the key of a name; its number is 0 if nothing is.
func (t *Tenant) readErasedName(key []byte) (erasedName, error) {
	value, err := t.db.store.get(key)
	if err != nil || value == nil {
		return erasedName{}, err
	}
	return decodeErasedName(key, value)
}
