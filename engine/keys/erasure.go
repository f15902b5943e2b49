package keys

import (
	"encoding/binary"
	"fmt"
)

// ErasureKind tells the keys of a tenant's erasures apart.
type ErasureKind byte

// The kinds of erasure keys, and what follows the kind in the key:
//
//	'b' bygone id   SHA-256 of an insert id     arrival, of an event that retention or an erasure took away
//	'n' name        SHA-256 of a user's name    number of the latest erasure, whether the name is blocked
//	'p' pending     number u64                  dense numbers of users whose rows are hidden, not yet gone
//	'r' receipt     number u64                  what was asked for, by whom, and how far it is
const (
	ErasureID      ErasureKind = 'b'
	ErasureName    ErasureKind = 'n'
	ErasurePending ErasureKind = 'p'
	ErasureReceipt ErasureKind = 'r'
)

// ErasureKey is a parsed key of the erasures.
type ErasureKey struct {
	Tenant Tenant
	Kind   ErasureKind
	Number uint64   // of ErasurePending and ErasureReceipt
	Hash   [32]byte // of ErasureID and ErasureName
}

// Bytes returns the key.
func (k ErasureKey) Bytes() []byte {
	key := ErasureSpan(k.Tenant, k.Kind).Start
	if k.Kind == ErasurePending || k.Kind == ErasureReceipt {
		return binary.BigEndian.AppendUint64(key, k.Number)
	}
	return append(key, k.Hash[:]...)
}

func (k ErasureKey) String() string {
	switch k.Kind {
	case ErasureID:
		return fmt.Sprintf("erased id tenant=%d %x", k.Tenant, k.Hash)
	case ErasureName:
		return fmt.Sprintf("erased name tenant=%d %x", k.Tenant, k.Hash)
	case ErasurePending:
		return fmt.Sprintf("pending erasure tenant=%d %d", k.Tenant, k.Number)
	}
	return fmt.Sprintf("erasure tenant=%d %d", k.Tenant, k.Number)
}

// ErasureSpan covers the keys of one kind.
func ErasureSpan(t Tenant, kind ErasureKind) Span {
	return prefixSpan(append(TenantSpan(SpaceErasure, t).Start, byte(kind)))
}

// ParseErasure reads a key of the erasures.
func ParseErasure(key []byte) (ErasureKey, error) {
	if len(key) < 6 || key[0] != SpaceErasure {
		return ErasureKey{}, badKey("erasures", key)
	}
	k := ErasureKey{Tenant: Tenant(binary.BigEndian.Uint32(key[1:])), Kind: ErasureKind(key[5])}
	rest := key[6:]
	switch {
	case (k.Kind == ErasurePending || k.Kind == ErasureReceipt) && len(rest) == 8:
		k.Number = binary.BigEndian.Uint64(rest)
	case (k.Kind == ErasureID || k.Kind == ErasureName) && len(rest) == 32:
		k.Hash = [32]byte(rest)
	default:
		return ErasureKey{}, badKey("erasures", key)
	}
	return k, nil
}
