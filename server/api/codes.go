package api

import "net/http"

// Codes of Error.Code. A client may repeat a request after a status of 429, 500, 503 or 504, but for
// CodeCorruption.
const (
	CodeBadJSON         = "bad_json"
	CodeBadEncoding     = "bad_encoding"
	CodeBadParameter    = "bad_parameter"
	CodeBadQuery        = "bad_query"
	CodeEmptyBatch      = "empty_batch"
	CodeBadRequest      = "bad_request" // not HTTP
	CodeHeaderTooLarge  = "header_too_large"
	CodeRequestTimeout  = "request_timeout" // the request did not come in time
	CodeNotFound        = "not_found"
	CodeMethod          = "method"
	CodeBodyTooLarge    = "body_too_large"
	CodeUnpackedLarge   = "decompressed_too_large"
	CodeTooManyEvents   = "too_many_events"
	CodeUnknownEncoding = "unknown_encoding"
	CodeAllRejected     = "all_rejected"
	CodeQueryMemory     = "query_memory"
	CodeOverloaded      = "overloaded"
	CodeQueriesRunning  = "queries_running"
	CodeInternal        = "internal"
	CodeCorruption      = "corruption"
	CodeStarting        = "starting"
	CodeStopping        = "stopping"
	CodeQueryTimeout    = "query_timeout"
)

var statuses = map[string]int{
	CodeBadJSON:         http.StatusBadRequest,
	CodeBadEncoding:     http.StatusBadRequest,
	CodeBadParameter:    http.StatusBadRequest,
	CodeBadQuery:        http.StatusBadRequest,
	CodeEmptyBatch:      http.StatusBadRequest,
	CodeBadRequest:      http.StatusBadRequest,
	CodeHeaderTooLarge:  http.StatusRequestHeaderFieldsTooLarge,
	CodeRequestTimeout:  http.StatusRequestTimeout,
	CodeNotFound:        http.StatusNotFound,
	CodeMethod:          http.StatusMethodNotAllowed,
	CodeBodyTooLarge:    http.StatusRequestEntityTooLarge,
	CodeUnpackedLarge:   http.StatusRequestEntityTooLarge,
	CodeTooManyEvents:   http.StatusRequestEntityTooLarge,
	CodeUnknownEncoding: http.StatusUnsupportedMediaType,
	CodeAllRejected:     http.StatusUnprocessableEntity,
	CodeQueryMemory:     http.StatusUnprocessableEntity,
	CodeOverloaded:      http.StatusTooManyRequests,
	CodeQueriesRunning:  http.StatusTooManyRequests,
	CodeInternal:        http.StatusInternalServerError,
	CodeCorruption:      http.StatusInternalServerError,
	CodeStarting:        http.StatusServiceUnavailable,
	CodeStopping:        http.StatusServiceUnavailable,
	CodeQueryTimeout:    http.StatusGatewayTimeout,
}

// Status is the HTTP status that goes with a code; of an unknown code it is 500.
func Status(code string) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}
