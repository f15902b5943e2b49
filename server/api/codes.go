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
	CodeNoToken         = "no_token"
	CodeUnknownToken    = "unknown_token"
	CodeMixedTokens     = "mixed_tokens" // several different keys in one request
	CodeScope           = "scope"        // the token is not for this
	CodeOrigin          = "origin"       // … nor for pages of this origin
	CodeTenantSuspended = "tenant_suspended"
	CodeNotFound        = "not_found"
	CodeMethod          = "method"
	CodeExists          = "exists"
	CodeInUse           = "in_use"
	CodeSnapshotGone    = "snapshot_gone"
	CodeUserErased      = "user_erased"
	CodeBodyTooLarge    = "body_too_large"
	CodeUnpackedLarge   = "decompressed_too_large"
	CodeTooManyEvents   = "too_many_events"
	CodeUnknownEncoding = "unknown_encoding"
	CodeAllRejected     = "all_rejected"
	CodeQueryMemory     = "query_memory"
	CodeOverloaded      = "overloaded"
	CodeRate            = "rate" // too many events a second
	CodeQueriesRunning  = "queries_running"
	CodeInternal        = "internal"
	CodeCorruption      = "corruption"
	CodeStarting        = "starting"
	CodeStopping        = "stopping"
	CodeQueryTimeout    = "query_timeout"
	CodeQueryCancelled  = "query_cancelled"
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
	CodeNoToken:         http.StatusUnauthorized,
	CodeUnknownToken:    http.StatusUnauthorized,
	CodeMixedTokens:     http.StatusUnauthorized,
	CodeScope:           http.StatusForbidden,
	CodeOrigin:          http.StatusForbidden,
	CodeTenantSuspended: http.StatusForbidden,
	CodeNotFound:        http.StatusNotFound,
	CodeMethod:          http.StatusMethodNotAllowed,
	CodeExists:          http.StatusConflict,
	CodeInUse:           http.StatusConflict,
	CodeSnapshotGone:    http.StatusGone,
	CodeUserErased:      http.StatusGone,
	CodeBodyTooLarge:    http.StatusRequestEntityTooLarge,
	CodeUnpackedLarge:   http.StatusRequestEntityTooLarge,
	CodeTooManyEvents:   http.StatusRequestEntityTooLarge,
	CodeUnknownEncoding: http.StatusUnsupportedMediaType,
	CodeAllRejected:     http.StatusUnprocessableEntity,
	CodeQueryMemory:     http.StatusUnprocessableEntity,
	CodeOverloaded:      http.StatusTooManyRequests,
	CodeRate:            http.StatusTooManyRequests,
	CodeQueriesRunning:  http.StatusTooManyRequests,
	CodeInternal:        http.StatusInternalServerError,
	CodeCorruption:      http.StatusInternalServerError,
	CodeStarting:        http.StatusServiceUnavailable,
	CodeStopping:        http.StatusServiceUnavailable,
	CodeQueryCancelled:  499, // the client's own doing; there is no standard status
	CodeQueryTimeout:    http.StatusGatewayTimeout,
}

// Status is the HTTP status that goes with a code; of an unknown code it is 500.
func Status(code string) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}
