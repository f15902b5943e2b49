package api

import "time"

// SavedQueriesAnswer answers GET /v1/queries: the tenant's saved queries, by name.
type SavedQueriesAnswer struct {
	Queries []SavedQuery `json:"queries"`
}

// SavedQuery is a query with a name. GET /v1/query?name= runs it.
type SavedQuery struct {
	Name  string    `json:"name"`
	Query string    `json:"query"`
	Saved time.Time `json:"saved"`
}
