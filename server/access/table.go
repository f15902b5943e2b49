package access

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cairn/engine"
	"cairn/server/api"
)

const (
	// recordKind is the kind of the engine's records that tokens are.
	recordKind = "token"
	// usedKind is that of the times of their last use.
	usedKind = "token-used"
	// closedKind is that of the one record that says that there has been a token of a tenant.
	closedKind = "access-closed"
	// textPrefix begins every text that is made here, so that people and scanners of repositories know it.
	textPrefix = "ck_"
	// prefixShown is how much of a text is kept to be shown.
	prefixShown = 6
	// textMax bounds an imported text.
	textMax = 256
)

var (
	// ErrExists is returned by Create for an imported text that is a token already.
	ErrExists = errors.New("the key is a token already")
	// ErrInvalid is in every error about a token that cannot be.
	ErrInvalid = errors.New("not a possible token")
)

// Table holds the tokens of a data directory. It is safe for concurrent use.
type Table struct {
	db  *engine.DB
	now func() time.Time

	mu struct {
		sync.RWMutex
		byHash map[[sha256.Size]byte]*entry
		byID   map[string]*entry
		closed bool
	}
}

// closedKey is the key of the record whose existence says that the directory is closed.
var closedKey = engine.RecordKey{Kind: closedKind, Name: "closed"}

type entry struct {
	token Token
	hash  [sha256.Size]byte
	used  struct {
		sync.Mutex
		last  time.Time
		dirty bool
	}
}

// Open reads the tokens of a data directory. now is the clock that tokens expire by.
func Open(db *engine.DB, now func() time.Time) (*Table, error) {
	t := &Table{db: db, now: now}
	t.mu.byHash = make(map[[sha256.Size]byte]*entry)
	t.mu.byID = make(map[string]*entry)
	records, err := db.AllRecords(recordKind)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	for _, r := range records {
		e := &entry{}
		if err := json.Unmarshal(r.Value, &e.token); err != nil {
			return nil, fmt.Errorf("token %s of tenant %q: %w", r.Name, r.Tenant, err)
		}
		hash, err := hex.DecodeString(e.token.Hash)
		if err != nil || len(hash) != len(e.hash) || e.token.Tenant != r.Tenant || e.token.ID != r.Name {
			return nil, fmt.Errorf("token %s of tenant %q: its record is damaged", r.Name, r.Tenant)
		}
		copy(e.hash[:], hash)
		t.add(e)
	}
	used, err := db.AllRecords(usedKind)
	if err != nil {
		return nil, fmt.Errorf("read the last uses of tokens: %w", err)
	}
	for _, r := range used {
		if e := t.mu.byID[r.Name]; e != nil && e.token.Tenant == r.Tenant {
			// A time that cannot be read is one that is not known.
			e.used.last, _ = time.Parse(time.RFC3339, string(r.Value))
		}
	}
	return t, t.readClosed()
}

// readClosed finds out whether there has ever been a token of a tenant.
func (t *Table) readClosed() error {
	value, err := t.db.Record(closedKey)
	if err != nil {
		return fmt.Errorf("read whether there have been tokens: %w", err)
	}
	t.mu.closed = value != nil
	if t.mu.closed || t.Len() == 0 {
		return nil
	}
	t.mu.closed = true
	return t.db.WriteRecords(t.closing())
}

func (t *Table) closing() engine.Record {
	return engine.Record{RecordKey: closedKey, Value: t.now().UTC().AppendFormat(nil, time.RFC3339)}
}

// Closed reports whether requests need a token: since the first one of a tenant was made, also when all
// have been revoked since or have expired. Else a slip with the last token, or its end in the night,
// would let everybody in.
func (t *Table) Closed() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.mu.closed
}

func (t *Table) add(e *entry) {
	t.mu.byHash[e.hash] = e
	t.mu.byID[e.token.ID] = e
}

// Find returns the token with that text; nil if there is none, or it has expired.
func (t *Table) Find(text string) *Token {
	hash := sha256.Sum256([]byte(text))
	t.mu.RLock()
	e := t.mu.byHash[hash]
	t.mu.RUnlock()
	if e == nil || subtle.ConstantTimeCompare(e.hash[:], hash[:]) != 1 {
		return nil
	}
	now := t.now()
	if !e.token.Expires.IsZero() && !now.Before(e.token.Expires) {
		return nil
	}
	e.used.Lock()
	if now.Sub(e.used.last) >= time.Second {
		e.used.last, e.used.dirty = now, true
	}
	e.used.Unlock()
	return &e.token
}

// Len returns the number of tokens of tenants; the operator's do not count.
func (t *Table) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := 0
	for _, e := range t.mu.byID {
		if !e.token.Operator() {
			n++
		}
	}
	return n
}

// Create makes a token as want says (Tenant, Scopes, Expires, Origins, Protocols and so on; the rest
// is filled in) and returns it with its text, which is not kept. imported, if not empty, is the text.
// The token is durable and works at once.
func (t *Table) Create(want Token, imported string) (*Token, string, error) {
	if err := want.validate(imported); err != nil {
		return nil, "", err
	}
	text := imported
	if text == "" {
		text = newText()
	}
	e := &entry{token: want, hash: sha256.Sum256([]byte(text))}
	e.token.Imported = imported != ""
	e.token.Hash = hex.EncodeToString(e.hash[:])
	e.token.Prefix = text[:min(prefixShown, len(text)/2)]
	e.token.Created = t.now().UTC().Truncate(time.Second)
	e.token.ID = hex.EncodeToString(randomBytes(4))
	value, err := json.Marshal(&e.token)
	if err != nil {
		return nil, "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.byHash[e.hash] != nil {
		return nil, "", ErrExists
	}
	if t.mu.byID[e.token.ID] != nil {
		return nil, "", fmt.Errorf("two tokens got the id %s: try again", e.token.ID)
	}
	records := []engine.Record{{RecordKey: e.key(recordKind), Value: value}}
	closes := !e.token.Operator() && !t.mu.closed
	if closes {
		records = append(records, t.closing())
	}
	if err := t.db.WriteRecords(records...); err != nil {
		return nil, "", err
	}
	t.mu.closed = t.mu.closed || closes
	t.add(e)
	made := e.token
	return &made, text, nil
}

func (t Token) validate(imported string) error {
	switch {
	case t.Scopes == 0 || t.Scopes&^All != 0:
		return fmt.Errorf("%w: it needs at least one scope of ingest, query and admin", ErrInvalid)
	case t.Tenant == "" && t.Scopes != Admin:
		return fmt.Errorf("%w: an operator's token, which has no tenant, has the scope admin and no other", ErrInvalid)
	case len(imported) > textMax:
		return fmt.Errorf("%w: a key has at most %d bytes", ErrInvalid, textMax)
	case imported != "" && len(imported) < 4:
		return fmt.Errorf("%w: a key of fewer than 4 bytes can be guessed", ErrInvalid)
	case imported != "" && strings.ContainsFunc(imported, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("%w: a key has no blanks", ErrInvalid)
	case imported != "" && t.Scopes.Has(Admin):
		return fmt.Errorf("%w: a key of another vendor sits in apps, and may not have the scope admin", ErrInvalid)
	}
	return nil
}

func (e *entry) key(kind string) engine.RecordKey {
	return engine.RecordKey{Kind: kind, Tenant: e.token.Tenant, Name: e.token.ID}
}

// newText returns 32 characters that are safe in addresses, 192 random bits.
func newText() string { return textPrefix + base64.RawURLEncoding.EncodeToString(randomBytes(24)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: the program ends when the system has no random numbers
	return b
}

// Revoke deletes a token: from now on it is unknown. false says that there is none of that id and
// tenant; any is taken for the tenant "*".
func (t *Table) Revoke(tenant, id string) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.mu.byID[id]
	if e == nil || tenant != "*" && e.token.Tenant != tenant {
		return false, nil
	}
	if err := t.db.WriteRecords(engine.Record{RecordKey: e.key(recordKind)}, engine.Record{RecordKey: e.key(usedKind)}); err != nil {
		return false, err
	}
	t.remove(e)
	return true, nil
}

func (t *Table) remove(e *entry) {
	delete(t.mu.byID, e.token.ID)
	delete(t.mu.byHash, e.hash)
}

// Forget drops the tokens of a tenant from memory, after the tenant has been dropped with its records.
func (t *Table) Forget(tenant string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.mu.byID {
		if e.token.Tenant == tenant {
			t.remove(e)
		}
	}
}

// Listed is a token in a list.
type Listed struct {
	Token
	LastUsed time.Time // zero: never
}

// List returns the tokens of a tenant, "" for the operator's, "*" for all; the oldest first.
func (t *Table) List(tenant string) []Listed {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var out []Listed
	for _, e := range t.mu.byID {
		if tenant != "*" && e.token.Tenant != tenant {
			continue
		}
		e.used.Lock()
		out = append(out, Listed{e.token, e.used.last})
		e.used.Unlock()
	}
	slices.SortFunc(out, func(a, b Listed) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Flush writes the times of last uses that are not on disk yet. The server calls it now and then.
func (t *Table) Flush() error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var records []engine.Record
	for _, e := range t.mu.byID {
		e.used.Lock()
		if e.used.dirty {
			records = append(records, engine.Record{RecordKey: e.key(usedKind), Value: e.used.last.UTC().AppendFormat(nil, time.RFC3339)})
			e.used.dirty = false
		}
		e.used.Unlock()
	}
	if len(records) == 0 {
		return nil
	}
	return t.db.WriteRecords(records...)
}

// API returns the token as the HTTP interface describes it.
func (l *Listed) API() api.Token {
	t := l.Token.API()
	if !l.LastUsed.IsZero() {
		used := l.LastUsed.UTC()
		t.LastUsed = &used
	}
	return t
}

// API returns the token as the HTTP interface describes it.
func (t *Token) API() api.Token {
	out := api.Token{
		ID: t.ID, Tenant: t.Tenant, Scopes: t.Scopes.Names(), Prefix: t.Prefix, Created: t.Created, Imported: t.Imported,
		Origins: t.Origins, Protocols: t.Protocols, HashIDs: t.HashIDs, UserMember: t.UserMember,
	}
	if !t.Expires.IsZero() {
		out.Expires = &t.Expires
	}
	return out
}
