package api

import (
	"encoding/json"
	"time"
)

// ErasuresAnswer answers GET /v1/erasures: the receipts, the oldest first.
type ErasuresAnswer struct {
	Erasures []Erasure `json:"erasures"`
}

// Erasure is the receipt of an erasure. It is kept after the data is gone, and names the user by a hash
// only.
type Erasure struct {
	Erasure    uint64     `json:"erasure"`
	UserSHA256 string     `json:"user_sha256"`
	Requested  time.Time  `json:"requested"`
	By         string     `json:"by"`
	Hidden     time.Time  `json:"hidden"` // from when on no query sees the user
	Events     int64      `json:"events"`
	Days       int        `json:"days"`
	UpTo       string     `json:"up_to"`  // watermark of what it covers
	Erased     *time.Time `json:"erased"` // null until no file has bytes of the user
	State      string     `json:"state"`  // "hidden" or "erased"
	Blocked    bool       `json:"blocked,omitempty"`
	Linked     bool       `json:"linked,omitempty"`
}

// UserAnswer answers GET /v1/users/{id}.
type UserAnswer struct {
	User    string                     `json:"user"` // canonical
	First   time.Time                  `json:"first"`
	Last    time.Time                  `json:"last"`
	Events  int64                      `json:"events"`
	Profile map[string]json.RawMessage `json:"profile"`
	Links   []UserLink                 `json:"links"`
}

// UserLink says how a user and another id became one.
type UserLink struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`
	Time   time.Time `json:"time"`
	Source string    `json:"source"`
}

// UserEventsAnswer answers GET /v1/users/{id}/events.
type UserEventsAnswer struct {
	Events []map[string]json.RawMessage `json:"events"`
	Cursor *string                      `json:"cursor"` // of the next page; null on the last
}
