package api

import (
	"encoding/json"
	"time"
)

// RejectsAnswer answers GET /v1/rejects: the latest rejected events, the newest first.
type RejectsAnswer struct {
	Rejects []RejectedEvent `json:"rejects"`
}

// RejectedEvent is an event that was not stored.
type RejectedEvent struct {
	Received time.Time       `json:"received"`
	Protocol string          `json:"protocol"`
	Reason   string          `json:"reason"`
	Message  string          `json:"message,omitempty"`
	Event    json.RawMessage `json:"event,omitempty"` // as it came, if that was JSON of a moderate size
	Text     string          `json:"text,omitempty"`  // else its beginning
}

// RunningAnswer answers GET /v1/query/running: the tenant's queries, the oldest first.
type RunningAnswer struct {
	Queries []RunningQuery `json:"queries"`
}

// RunningQuery is a query that has not ended. Its ID is that of the request that asked it.
type RunningQuery struct {
	ID      string    `json:"id"`
	Query   string    `json:"query"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
}

// ReadyAnswer answers GET /readyz.
type ReadyAnswer struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"` // "recovering", "stopping" or "store failed"
}

// NewBackup is the body of POST /v1/backup.
type NewBackup struct {
	Name string `json:"name"` // letters, digits, dots, dashes and underscores
}

// Backup describes a backup of all tenants.
type Backup struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Bytes   int64     `json:"bytes"`
	Files   int       `json:"files"`
	// Snapshot is a watermark that it surely has; "" if nothing was stored.
	Snapshot string `json:"snapshot"`
}

// BackupMade answers POST /v1/backup.
type BackupMade struct {
	Backup
	Seconds float64 `json:"seconds"`
}

// BackupsAnswer answers GET /v1/backup, the oldest first.
type BackupsAnswer struct {
	Backups []Backup `json:"backups"`
}
