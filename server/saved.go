package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cairn/engine"
	"cairn/query/syntax"
	"cairn/server/api"
)

const (
	// savedKind is the kind of the records that saved queries are.
	savedKind = "query"
	// documentsMax is how many saved queries, and how many side tables, a tenant may have.
	documentsMax = 1000
	// documentNameMax bounds their names.
	documentNameMax = 128
)

// savedRecord is the value of such a record.
type savedRecord struct {
	Query string    `json:"query"`
	Saved time.Time `json:"saved"`
}

// checkName refuses what a saved query or a side table should not be called.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > documentNameMax || !utf8.ValidString(name):
		return &api.Error{Code: api.CodeBadParameter, Message: fmt.Sprintf("a name has 1 to %d bytes of UTF-8", documentNameMax)}
	case strings.Trim(name, ".") == "" || strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || unicode.IsControl(r) }):
		return &api.Error{Code: api.CodeBadParameter, Message: fmt.Sprintf("%q is not a name: it has no slashes, control characters, or dots alone", name)}
	}
	return nil
}

// storedTenant is knownTenant for what is kept with a tenant: it has to exist to be kept with.
func (r *request) storedTenant() (*tenant, error) {
	t, err := r.knownTenant()
	if err == nil && !r.s.db.Exists(t.name) {
		err = t.Configure(t.Settings())
	}
	return t, err
}

// roomFor refuses another document of a kind where there are as many as there may be.
func (s *Server) roomFor(key engine.RecordKey) error {
	known, err := s.db.Record(key)
	if err != nil || known != nil {
		return err
	}
	all, err := s.db.Records(key.Kind, key.Tenant)
	if err != nil || len(all) < documentsMax {
		return err
	}
	return &api.Error{Code: api.CodeBadParameter, Message: fmt.Sprintf("the tenant has %d of them, which is all it may have", len(all)), Hint: "delete some"}
}

// putQuery saves a query that can be understood.
func putQuery(r *request) error {
	name := r.params[0]
	if err := checkName(name); err != nil {
		return err
	}
	t, err := r.storedTenant()
	if err != nil {
		return err
	}
	body, err := r.unpackBody(smallBody, false)
	if err != nil {
		return err
	}
	text := string(body)
	if strings.TrimSpace(text) == "" {
		return &api.Error{Code: api.CodeBadParameter, Message: "there is no query", Hint: "the body is its text"}
	}
	if _, err := syntax.Parse(text); err != nil {
		return err
	}
	key := engine.RecordKey{Kind: savedKind, Tenant: t.name, Name: name}
	if err := r.s.roomFor(key); err != nil {
		return err
	}
	value, err := json.Marshal(savedRecord{Query: text, Saved: r.s.opt.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := r.s.db.WriteRecords(engine.Record{RecordKey: key, Value: value}); err != nil {
		return err
	}
	return r.none(204)
}

// savedQuery returns a saved query of the tenant.
func (r *request) savedQuery(name string) (*savedRecord, error) {
	t, err := r.knownTenant()
	if err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	value, err := r.s.db.Record(engine.RecordKey{Kind: savedKind, Tenant: t.name, Name: name})
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("there is no saved query %q", name), Hint: "GET /v1/queries lists them"}
	}
	saved := &savedRecord{}
	if err := json.Unmarshal(value, saved); err != nil {
		return nil, fmt.Errorf("saved query %q: %w", name, err)
	}
	return saved, nil
}

// getQuery answers with the text of a saved query.
func getQuery(r *request) error {
	saved, err := r.savedQuery(r.params[0])
	if err != nil {
		return err
	}
	r.SetContentType(formats["text"])
	r.SetBodyString(saved.Query)
	return nil
}

func deleteQuery(r *request) error {
	if _, err := r.savedQuery(r.params[0]); err != nil {
		return err
	}
	key := engine.RecordKey{Kind: savedKind, Tenant: r.owner.name, Name: r.params[0]}
	if err := r.s.db.WriteRecords(engine.Record{RecordKey: key}); err != nil {
		return err
	}
	return r.none(204)
}

func listQueries(r *request) error {
	t, err := r.knownTenant()
	if err != nil {
		return err
	}
	records, err := r.s.db.Records(savedKind, t.name)
	if err != nil {
		return err
	}
	answer := api.SavedQueriesAnswer{Queries: []api.SavedQuery{}}
	for _, one := range records {
		var saved savedRecord
		if err := json.Unmarshal(one.Value, &saved); err != nil {
			return fmt.Errorf("saved query %q: %w", one.Name, err)
		}
		answer.Queries = append(answer.Queries, api.SavedQuery{Name: one.Name, Query: saved.Query, Saved: saved.Saved})
	}
	return r.json(200, answer)
}
