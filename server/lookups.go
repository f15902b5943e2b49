package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/lookup"
	"cairn/query/result"
	"cairn/server/api"
)

// putLookup puts a side table in the place of the one of that name, if there is one: queries see the one
// or the other, and nothing between.
func putLookup(r *request) error {
	name := r.params[0]
	if err := checkName(name); err != nil {
		return err
	}
	var keys []string
	for _, list := range r.QueryArgs().PeekMulti("key") {
		for _, key := range strings.Split(string(list), ",") {
			keys = append(keys, strings.TrimSpace(key))
		}
	}
	if len(keys) == 0 {
		return &api.Error{Code: api.CodeBadParameter, Message: "there is no key", Hint: "key=campaign,day names the columns by which rows are found"}
	}
	t, err := r.storedTenant()
	if err != nil {
		return err
	}
	text, err := r.unpackBody(lookupBody, false)
	if err != nil {
		return err
	}
	limits := t.limits()
	if int64(len(text)) > limits.LookupBytes {
		return &api.Error{Code: api.CodeUnpackedLarge, Message: fmt.Sprintf("the table has more than the limit of %d bytes; the one before is kept", limits.LookupBytes)}
	}
	table, err := lookup.Parse(text, keys, int(limits.LookupRows))
	if err != nil {
		return lookupError(err)
	}
	stored, err := table.Encode()
	if err != nil {
		return lookupError(err)
	}
	if len(stored) > lookupStoredMax {
		return lookupError(lookup.ErrTooLarge)
	}
	info, err := json.Marshal(lookup.Info{
		Keys: table.Keys(), Columns: table.Columns(), Rows: table.Rows(), Bytes: len(stored), Updated: r.s.opt.Now().UnixNano(),
	})
	if err != nil {
		return err
	}
	about := engine.RecordKey{Kind: lookup.InfoKind, Tenant: t.name, Name: name}
	if err := r.s.roomFor(about); err != nil {
		return err
	}
	key := engine.RecordKey{Kind: lookup.RecordKind, Tenant: t.name, Name: name}
	if err := r.s.db.WriteRecords(engine.Record{RecordKey: key, Value: stored}, engine.Record{RecordKey: about, Value: info}); err != nil {
		return err
	}
	return r.none(204)
}

// lookupStoredMax is the most bytes of a stored table: what a record of the engine holds, less its info.
const lookupStoredMax = 64<<20 - 1<<20

// lookupError gives an error about a table its code.
func lookupError(err error) error {
	var line *lookup.LineError
	var many *lookup.RowsError
	switch {
	case errors.As(err, &line):
		return &api.Error{Code: api.CodeBadParameter, Message: err.Error() + "; the table before is kept", Line: line.Line}
	case errors.As(err, &many), errors.Is(err, lookup.ErrTooLarge):
		return &api.Error{Code: api.CodeBodyTooLarge, Message: err.Error() + "; the one before is kept"}
	case errors.Is(err, lookup.ErrInvalid):
		return &api.Error{Code: api.CodeBadParameter, Message: err.Error() + "; the table before is kept"}
	}
	return err
}

// lookupTable reads a side table of the tenant.
func (r *request) lookupTable(name string) (*lookup.Table, error) {
	t, err := r.knownTenant()
	if err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	stored, err := r.s.db.Record(engine.RecordKey{Kind: lookup.RecordKind, Tenant: t.name, Name: name})
	if err != nil {
		return nil, err
	}
	if stored == nil {
		return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("there is no side table %q", name), Hint: "GET /v1/lookups lists them"}
	}
	table, err := lookup.Decode(stored)
	if err != nil {
		return nil, &api.Error{Code: api.CodeCorruption, Message: fmt.Sprintf("side table %q: %v", name, err), Hint: "put it again"}
	}
	return table, nil
}

// getLookup answers with the rows of a side table. As NDJSON or CSV they can be put again as they are.
func getLookup(r *request) error {
	format, err := formatOf(r.param("format"), string(r.Request.Header.Peek("Accept")))
	if err != nil {
		return err
	}
	table, err := r.lookupTable(r.params[0])
	if err != nil {
		return err
	}
	switch format {
	case "ndjson":
		r.SetContentType(formats[format])
		r.Response.SetBodyRaw(table.AppendNDJSON(nil))
		return nil
	case "csv":
		r.SetContentType(formats[format])
		r.Response.SetBodyRaw(table.AppendCSV(nil))
		return nil
	}
	rows := &result.Table{Meta: result.Meta{Exact: true}}
	for _, name := range table.Columns() {
		rows.Columns = append(rows.Columns, result.Column{Name: name})
	}
	for row := range table.Rows() {
		rows.Rows = append(rows.Rows, table.Row(row))
	}
	rows.Infer()
	if format != "json" {
		return r.writeTable(rows, format)
	}
	r.SetContentType(formats[format])
	r.Response.SetBodyRaw(appendLookup(nil, table.Keys(), rows))
	return nil
}

// appendLookup writes an api.LookupAnswer.
func appendLookup(dst []byte, keys []string, t *result.Table) []byte {
	dst = append(dst, `{"keys":[`...)
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = event.AppendString(dst, key)
	}
	dst = append(dst, `],"columns":[`...)
	for i, c := range t.Columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = event.AppendString(append(dst, `{"name":`...), c.Name)
		dst = event.AppendString(append(dst, `,"type":`...), string(c.Type))
		dst = append(dst, '}')
	}
	dst = append(dst, `],"rows":[`...)
	for i, row := range t.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '\n')
		for j, v := range row {
			if j == 0 {
				dst = append(dst, '[')
			} else {
				dst = append(dst, ',')
			}
			dst = result.AppendValue(dst, v, time.UTC)
		}
		dst = append(dst, ']')
	}
	return append(dst, "]}\n"...)
}

func deleteLookup(r *request) error {
	t, err := r.knownTenant()
	if err != nil {
		return err
	}
	name := r.params[0]
	if err := checkName(name); err != nil {
		return err
	}
	about := engine.RecordKey{Kind: lookup.InfoKind, Tenant: t.name, Name: name}
	known, err := r.s.db.Record(about)
	if err != nil {
		return err
	}
	if known == nil {
		return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("there is no side table %q", name), Hint: "GET /v1/lookups lists them"}
	}
	key := engine.RecordKey{Kind: lookup.RecordKind, Tenant: t.name, Name: name}
	if err := r.s.db.WriteRecords(engine.Record{RecordKey: key}, engine.Record{RecordKey: about}); err != nil {
		return err
	}
	return r.none(204)
}

func listLookups(r *request) error {
	t, err := r.knownTenant()
	if err != nil {
		return err
	}
	records, err := r.s.db.Records(lookup.InfoKind, t.name)
	if err != nil {
		return err
	}
	answer := api.LookupsAnswer{Lookups: []api.Lookup{}}
	for _, one := range records {
		var info lookup.Info
		if err := json.Unmarshal(one.Value, &info); err != nil {
			return &api.Error{Code: api.CodeCorruption, Message: fmt.Sprintf("what is known of side table %q: %v", one.Name, err), Hint: "put it again"}
		}
		answer.Lookups = append(answer.Lookups, api.Lookup{
			Name: one.Name, Keys: info.Keys, Columns: info.Columns, Rows: info.Rows, Bytes: info.Bytes, Updated: time.Unix(0, info.Updated).UTC(),
		})
	}
	return r.json(200, answer)
}
