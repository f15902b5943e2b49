package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"cairn/engine/frame"
	"cairn/engine/keys"
)

// CheckReport is what Check has looked at.
type CheckReport struct {
	Tenants, Segments, Frames int
	Links                     int // rows of logs of identity links
	Rows                      int
	Bytes                     int64
}

// Check reads everything that is stored and verifies every checksum, every index against its columns,
// and that the parts fit each other. It returns all that it finds wrong, joined, each a
// CorruptionError. It may run beside appends and queries.
func (db *DB) Check(ctx context.Context) (CheckReport, error) {
	var report CheckReport
	var found []error
	if err := db.store.err(); errors.Is(err, ErrClosed) {
		return report, err
	}
	for _, t := range db.storedTenants() {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		report.Tenants++
		errs, err := t.check(ctx, &report)
		found = append(found, errs...)
		if err != nil {
			if !isContained(err) {
				return report, err
			}
			found = append(found, err)
		}
	}
	return report, errors.Join(found...)
}

func (t *Tenant) check(ctx context.Context, report *CheckReport) (found []error, err error) {
	snap := t.Snapshot()
	defer snap.Close()
	if snap.err != nil {
		return nil, snap.err
	}
	for _, s := range snap.view.spans {
		if s.damaged != nil {
			found = append(found, s.damaged)
		}
		for _, h := range s.sealed {
			if err := ctx.Err(); err != nil {
				return found, err
			}
			report.Segments++
			report.Rows += h.Rows
			report.Bytes += int64(h.Bytes)
			if err := h.check(snap.view.users); err != nil {
				found = append(found, err)
			}
		}
	}
	frames, err := t.checkFrames(ctx, report)
	found = append(found, frames...)
	if err != nil {
		return found, err
	}
	links, err := t.checkLinks(ctx, snap.view, report)
	found = append(found, links...)
	if err == nil {
		err = t.checkUsers(snap.view.users)
	}
	if err == nil {
		err = t.checkErasures(snap.view.users)
	}
	return found, err
}

// checkLinks reads the rows of the log of identity links that the view has.
func (t *Tenant) checkLinks(ctx context.Context, v *view, report *CheckReport) (found []error, err error) {
	if v.links == nil {
		return nil, nil
	}
	err = t.db.store.scan(keys.LinkSpan(t.id, 0), func(key, value []byte) error {
		_, _, sequence, err := keys.ParseLink(key)
		if err == nil && sequence > v.links.sequence {
			return nil
		}
		report.Links++
		report.Bytes += int64(len(value))
		var r linkRow
		if err == nil {
			r, _, err = decodeLink(value)
		}
		if err == nil && max(r.user, r.id) > v.users {
			err = errLinkUser
		}
		if err != nil {
			found = append(found, &CorruptionError{Key: slices.Clone(key), Err: err})
		}
		return ctx.Err()
	})
	return found, err
}

// checkErasures decodes all there is of erasures.
func (t *Tenant) checkErasures(last uint32) error {
	return t.db.store.scan(keys.TenantSpan(keys.SpaceErasure, t.id), func(key, value []byte) error {
		k, err := keys.ParseErasure(key)
		if err != nil {
			return &CorruptionError{Key: slices.Clone(key), Err: err}
		}
		switch k.Kind {
		case keys.ErasureReceipt:
			_, err = decodeErasure(key, value)
		case keys.ErasureName:
			_, err = decodeErasedName(key, value)
		case keys.ErasurePending:
			var users []uint32
			if users, err = decodeUsers(key, value); err == nil && len(users) > 0 && users[len(users)-1] > last {
				err = &CorruptionError{Key: slices.Clone(key), Err: fmt.Errorf("user %d, but only %d are known", users[len(users)-1], last)}
			}
		case keys.ErasureID:
			if len(value) != 8 {
				err = &CorruptionError{Key: slices.Clone(key), Err: fmt.Errorf("arrival of %d bytes", len(value))}
			}
		}
		return err
	})
}

func (h *segmentHandle) check(users uint32) error {
	r, err := h.openOnce()
	if err != nil {
		return err
	}
	wrong := func(err error) error { return &CorruptionError{Key: h.manifestKey(), Err: err} }
	if err := r.Verify(); err != nil { // it names the chunks
		return err
	}
	info := r.Info()
	switch {
	case info.Rows != h.Rows || info.Users != h.Users:
		return wrong(fmt.Errorf("%d rows and %d users where the summary has %d and %d", info.Rows, info.Users, h.Rows, h.Users))
	case info.TimeMin != h.TimeMin || info.TimeMax != h.TimeMax:
		return wrong(fmt.Errorf("times that differ from the summary"))
	case h.TimeMin < h.Day || h.TimeMax >= h.To:
		return wrong(fmt.Errorf("times outside the partition"))
	case info.UserMax > users:
		return wrong(fmt.Errorf("user %d, but only %d are known", info.UserMax, users))
	}
	return nil
}

// checkFrames decodes the frames that are in the hot log now.
func (t *Tenant) checkFrames(ctx context.Context, report *CheckReport) (found []error, err error) {
	err = t.db.store.scan(keys.TenantSpan(keys.SpaceHot, t.id), func(key, value []byte) error {
		report.Frames++
		report.Bytes += int64(len(value))
		if _, _, err := frame.DecodeEntry(value); err != nil {
			found = append(found, &CorruptionError{Key: slices.Clone(key), Err: err})
		}
		return ctx.Err()
	})
	return found, err
}

// checkUsers checks that every number up to last has a name, or had one before it was erased, and that the
// name has the number.
func (t *Tenant) checkUsers(last uint32) error {
	next := uint32(1)
	span := keys.NamesSpan(t.id, 0)
	err := t.db.store.scan(span, func(key, value []byte) error {
		wrong := func(err error) error { return &CorruptionError{Key: slices.Clone(key), Err: err} }
		_, _, first, err := keys.ParseNames(key)
		if err != nil {
			return wrong(err)
		}
		names, err := decodeNames(value)
		if err != nil {
			return wrong(err)
		}
		if first != next {
			return wrong(fmt.Errorf("names of users from %d on where %d is the next", first, next))
		}
		for i, name := range names {
			if len(name) == 0 {
				continue // erased
			}
			stored, err := t.db.store.get(keys.User(t.id, 0, string(name)))
			if err != nil {
				return err
			}
			if len(stored) != 4 || binary.BigEndian.Uint32(stored) != first+uint32(i) {
				return &CorruptionError{Key: keys.User(t.id, 0, string(name)), Err: fmt.Errorf("it is not user %d", first+uint32(i))}
			}
		}
		next += uint32(len(names))
		return nil
	})
	if err == nil && next <= last {
		err = &CorruptionError{Key: span.Start, Err: fmt.Errorf("names of users from %d on are missing", next)}
	}
	return err
}
