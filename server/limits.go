package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"cairn/engine/ingest"
	"cairn/server/api"
)

// limitsTable names every limit of a tenant, with its default and the place of its value. A limit of 0
// in settings means the default, so that none can be switched off by mistake; -1 means none where that
// is possible.
func limitsTable(l *api.Limits) []limit {
	const (
		kib = 1 << 10
		mib = 1 << 20
	)
	return []limit{
		{"body_bytes", &l.BodyBytes, 8 * mib, 1 * kib, 256 * mib},
		{"bulk_body_bytes", &l.BulkBodyBytes, 20 * mib, 1 * kib, 256 * mib},
		{"import_body_bytes", &l.ImportBodyBytes, 10 * mib, 1 * kib, 256 * mib},
		{"unpacked_bytes", &l.UnpackedBytes, 64 * mib, 1 * kib, 512 * mib},
		{"events", &l.Events, 20_000, 1, 1_000_000},
		{"event_bytes", &l.EventBytes, 1 * mib, 64, 16 * mib},
		{"fields", &l.Fields, 1024, 1, 2000},
		{"field_name_bytes", &l.FieldNameBytes, 256, 1, 1 * kib},
		{"string_bytes", &l.StringBytes, 64 * kib, 1, 1 * mib},
		{"depth", &l.Depth, 16, 1, 64},
		{"user_bytes", &l.UserBytes, 512, 1, 1 * kib},
		{"event_name_bytes", &l.EventNameBytes, 256, 1, 1 * kib},
		{"id_bytes", &l.IDBytes, 256, 1, 1 * kib},
		{"in_flight_bytes", &l.InFlightBytes, 64 * mib, 1 * kib, 1024 * mib},
		{"events_per_second", &l.EventsPerSecond, -1, 1, 1 << 40},
		{"query_memory_bytes", &l.QueryMemoryBytes, 512 * mib, 1 * kib, 1 << 40},
		{"query_milliseconds", &l.QueryMilliseconds, 30_000, 1, 3_600_000},
		{"rows", &l.Rows, 100_000, 1, 100_000_000},
		{"event_rows", &l.EventRows, 1_000_000, 1, 1 << 40},
		{"queries", &l.Queries, -1, 1, 10_000},
		{"lookup_bytes", &l.LookupBytes, 64 * mib, 1 * kib, 64 * mib},
		{"lookup_rows", &l.LookupRows, 1_000_000, 1, 10_000_000},
	}
}

type limit struct {
	name               string
	value              *int64
	standard, min, max int64 // standard -1: none
}

// standardLimits are the limits of a tenant that sets none.
func standardLimits() api.Limits {
	var l api.Limits
	for _, x := range limitsTable(&l) {
		*x.value = x.standard
	}
	return l
}

// over returns base with what own sets in its place.
func over(base, own api.Limits) api.Limits {
	set := limitsTable(&own)
	for i, x := range limitsTable(&base) {
		if v := *set[i].value; v != 0 {
			*x.value = v
		}
	}
	return base
}

// checkLimits refuses limits that are out of range.
func checkLimits(l api.Limits) error {
	for _, x := range limitsTable(&l) {
		v := *x.value
		if v == 0 || v == -1 && x.standard == -1 {
			continue
		}
		if v < x.min || v > x.max {
			return &api.Error{Code: api.CodeBadParameter, Message: fmt.Sprintf("limits.%s: %d is not in %d to %d", x.name, v, x.min, x.max)}
		}
	}
	return nil
}

// decodeLimits reads a tenant's limits, strictly: a misspelt limit would be none.
func decodeLimits(text []byte) (api.Limits, error) {
	var l api.Limits
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return l, unknownLimit("limits: " + err.Error())
	}
	return l, checkLimits(l)
}

// unknownLimit is the error of a limit that there is not, or not with such a value.
func unknownLimit(message string) error {
	var names []string
	for _, x := range limitsTable(&api.Limits{}) {
		names = append(names, x.name)
	}
	slices.Sort(names)
	return &api.Error{Code: api.CodeBadParameter, Message: message, Hint: "the limits are " + strings.Join(names, ", ")}
}

// scanLimits are the options of a scanner under these limits.
func scanLimits(l *api.Limits) ingest.Options {
	return ingest.Options{
		KeepRaw:        true,
		EventBytesMax:  int(l.EventBytes),
		FieldsMax:      int(l.Fields),
		NameBytesMax:   int(l.FieldNameBytes),
		StringBytesMax: int(l.StringBytes),
		DepthMax:       int(l.Depth),
		EventNameMax:   int(l.EventNameBytes),
		UserBytesMax:   int(l.UserBytes),
		IDBytesMax:     int(l.IDBytes),
	}
}

func queryTimeout(l *api.Limits) time.Duration {
	return time.Duration(l.QueryMilliseconds) * time.Millisecond
}

// ParseLimits turns limits by name into api.Limits.
func ParseLimits(named map[string]int64) (api.Limits, error) {
	text, err := json.Marshal(named)
	if err != nil || len(named) == 0 {
		return api.Limits{}, err
	}
	return decodeLimits(text)
}
