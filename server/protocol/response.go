package protocol

import (
	"encoding/json"

	"cairn/server/api"
)

const (
	typeJSON = "application/json"
	typeText = "text/plain; charset=utf-8"
)

// jsonResponse is an answer with a body that encoding/json writes.
func jsonResponse(status int, body any) Response {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // the bodies are our own types, which have nothing that cannot be written
	}
	return Response{Status: status, ContentType: typeJSON, Body: text}
}

// textResponse is an answer in plain text.
func textResponse(status int, text string) Response {
	return Response{Status: status, ContentType: typeText, Body: []byte(text)}
}

// failOwn answers as Cairn's own API does.
func failOwn(err *api.Error) Response {
	return jsonResponse(api.Status(err.Code), api.ErrorAnswer{Error: *err})
}

// notCommitted is the error of a request of which some items were not committed, nil if all were. Sent again,
// ids keep it exact.
func notCommitted(outcomes []Outcome) *api.Error {
	for _, o := range outcomes {
		if o.Verdict == Retry {
			return &api.Error{Code: api.CodeOverloaded, Message: "some events were not stored; send the request again"}
		}
	}
	return nil
}

// allRejected returns the first reject if nothing else became of a request's items, else nil.
func allRejected(outcomes []Outcome) *Reject {
	for _, o := range outcomes {
		if o.Verdict != Rejected {
			return nil
		}
	}
	if len(outcomes) == 0 {
		return nil
	}
	return &outcomes[0].Reject
}
