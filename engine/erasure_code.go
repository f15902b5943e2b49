package engine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"cairn/engine/keys"
)

// What the keys of erasures hold (see keys.ErasureKind):
//
//	receipt     Erasure as JSON
//	name        number u64, 1 if later events of the name are refused
//	pending     count, then the users: the first, then gaps less one; varints
//	bygone id   arrival u64

func encodeErasure(e *Erasure) ([]byte, error) { return json.Marshal(e) }

func decodeErasure(key, value []byte) (*Erasure, error) {
	e := &Erasure{}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(e)
	if err == nil && decoder.More() {
		err = fmt.Errorf("bytes after a receipt")
	}
	if k, keyErr := keys.ParseErasure(key); err == nil && (keyErr != nil || k.Number != e.Number || k.Number == 0) {
		err = fmt.Errorf("the receipt of another erasure")
	}
	if err == nil && e.State != ErasureHidden && e.State != ErasureErased {
		err = fmt.Errorf("a receipt in the state %q", e.State)
	}
	if err != nil {
		return nil, &CorruptionError{Key: slices.Clone(key), Err: err}
	}
	return e, nil
}

// erasedName is what is known of a name that was erased.
type erasedName struct {
	number  uint64 // of the latest erasure
	blocked bool
}

func (n erasedName) encode() []byte {
	out := binary.BigEndian.AppendUint64(nil, n.number)
	if n.blocked {
		return append(out, 1)
	}
	return append(out, 0)
}

func decodeErasedName(key, value []byte) (erasedName, error) {
	if len(value) != 9 || value[8] > 1 || binary.BigEndian.Uint64(value) == 0 {
		return erasedName{}, &CorruptionError{Key: slices.Clone(key), Err: fmt.Errorf("an erased name of %d bytes", len(value))}
	}
	return erasedName{binary.BigEndian.Uint64(value), value[8] == 1}, nil
}

// encodeUsers writes ascending users.
func encodeUsers(users []uint32) []byte {
	out := binary.AppendUvarint(nil, uint64(len(users)))
	next := uint32(0)
	for _, u := range users {
		out = binary.AppendUvarint(out, uint64(u-next))
		next = u + 1
	}
	return out
}

func decodeUsers(key, value []byte) ([]uint32, error) {
	bad := &CorruptionError{Key: slices.Clone(key), Err: fmt.Errorf("users of a pending erasure")}
	n, size := binary.Uvarint(value)
	if size <= 0 || n > uint64(len(value)) {
		return nil, bad
	}
	value = value[size:]
	users := make([]uint32, n)
	next := uint64(0)
	for i := range users {
		gap, size := binary.Uvarint(value)
		if size <= 0 || gap >= 1<<32 || next+gap >= 1<<32 || next+gap == 0 {
			return nil, bad
		}
		users[i], next, value = uint32(next+gap), next+gap+1, value[size:]
	}
	if len(value) > 0 {
		return nil, bad
	}
	return users, nil
}
