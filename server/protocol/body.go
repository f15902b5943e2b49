package protocol

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"cairn/server/api"
)

// Body is a request's JSON taken apart just so far that its events stand alone: what is wrong inside one
// of them, a repeated key or invalid UTF-8, is that event's affair.
type Body struct {
	// Items are the elements of the array that the body is, or of its member that holds the events; or
	// the body itself if it is one event. They are parts of the body.
	Items [][]byte
	// Listed: Items are the elements of the member that holds the events.
	Listed bool
	// Array: the body is an array.
	Array bool

	members []rawMember // of an object
	limits  *Limits
}

type rawMember struct {
	name string
	raw  []byte
}

// ReadBody takes a body apart. list names the member that holds the events, "" if there is none: then the body
// is one event, or an array of them. Errors are *api.Error.
func ReadBody(body []byte, list string, l *Limits) (*Body, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	d := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	b := &Body{limits: l}
	switch kind := d.PeekKind(); kind {
	case '[':
		b.Array = true
		if err := b.elements(d, body); err != nil {
			return nil, err
		}
	case '{':
		if err := b.object(d, body, list); err != nil {
			return nil, err
		}
	default:
		if _, err := d.ReadToken(); err != nil {
			if len(bytes.TrimSpace(body)) == 0 {
				return nil, &api.Error{Code: api.CodeEmptyBatch, Message: "the body is empty"}
			}
			return nil, badJSON(err)
		}
		return nil, &api.Error{Code: api.CodeBadJSON, Message: "expected an object or an array, found " + kindNames[kind]}
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, &api.Error{Code: api.CodeBadJSON, Message: "the body is not JSON: more text after its end"}
	}
	return b, nil
}

func (b *Body) object(d *jsontext.Decoder, body []byte, list string) error {
	if _, err := d.ReadToken(); err != nil {
		return badJSON(err)
	}
	names := make(map[string]bool)
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return badJSON(err)
		}
		name := token.String()
		if len(names) > b.limits.Fields+envelopeMembers {
			return &api.Error{Code: api.CodeBadJSON, Message: "the body has too many members"}
		}
		repeated := names[name]
		names[name] = true
		if name == list && list != "" {
			if repeated {
				return &api.Error{Code: api.CodeBadJSON, Message: fmt.Sprintf("the body has two members %q", name)}
			}
			if kind := d.PeekKind(); kind != '[' && kind != 0 {
				return &api.Error{Code: api.CodeBadJSON, Message: fmt.Sprintf("%q: expected a list, found %s", name, kindNames[kind])}
			}
			b.Listed = true
			if err := b.elements(d, body); err != nil {
				return err
			}
			continue
		}
		raw, err := d.ReadValue()
		if err != nil {
			return badJSON(err)
		}
		end := int(d.InputOffset())
		b.members = append(b.members, rawMember{name, body[end-len(raw) : end]})
	}
	_, _ = d.ReadToken()
	if !b.Listed {
		b.Items = [][]byte{bytes.TrimSpace(body[:d.InputOffset()])}
		return nil
	}
	// One event is looked at as a whole later; an envelope with two keys is not to be guessed at.
	if len(names) != len(b.members)+1 {
		return &api.Error{Code: api.CodeBadJSON, Message: "the body has two members of one name"}
	}
	return nil
}

func (b *Body) elements(d *jsontext.Decoder, body []byte) error {
	if _, err := d.ReadToken(); err != nil {
		return badJSON(err)
	}
	for d.PeekKind() != ']' {
		raw, err := d.ReadValue()
		if err != nil {
			return badJSON(err)
		}
		if len(b.Items) == b.limits.Events {
			return &api.Error{Code: api.CodeTooManyEvents, Message: fmt.Sprintf("the request has more than %d events", b.limits.Events), Hint: "send fewer events a request"}
		}
		end := int(d.InputOffset())
		b.Items = append(b.Items, body[end-len(raw):end])
	}
	if _, err := d.ReadToken(); err != nil {
		return badJSON(err)
	}
	return nil
}

// Get returns a member of the body beside its events; absent if there is none, it is null, or it is bad.
func (b *Body) Get(name string) Value {
	for _, m := range b.members {
		if m.name == name {
			if v, reject := Parse(m.raw, b.limits); reject == nil && v.Kind != 'n' {
				return v
			}
		}
	}
	return Value{}
}

// raw returns the text of a member of the body, or nil.
func (b *Body) raw(name string) []byte {
	for _, m := range b.members {
		if m.name == name {
			return m.raw
		}
	}
	return nil
}

// HasMember reports whether the JSON object that text is has one of the names at its top level. Text that is
// no JSON object has none.
func HasMember(text []byte, names ...string) bool {
	d := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '{' {
		return false
	}
	_, _ = d.ReadToken()
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return false
		}
		for _, name := range names {
			if token.String() == name {
				return true
			}
		}
		if d.SkipValue() != nil {
			return false
		}
	}
	return false
}

// Form reads a body as application/x-www-form-urlencoded; nil if it cannot be one, JSON above all.
func Form(body []byte) url.Values {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] == '{' || trimmed[0] == '[' || bytes.IndexByte(trimmed, '=') < 0 {
		return nil
	}
	form, err := url.ParseQuery(string(trimmed))
	if err != nil {
		return nil
	}
	return form
}

// DecodeBase64 undoes base64 as clients write it: both alphabets, with or without padding, a "+" that a
// form turned into a space. What is no base64, such as JSON, comes back as it is.
func DecodeBase64(text string) []byte {
	trimmed := strings.TrimSpace(text)
	if trimmed != "" && trimmed[0] != '{' && trimmed[0] != '[' {
		plain := strings.NewReplacer(" ", "+", "-", "+", "_", "/", "\r", "", "\n", "").Replace(strings.TrimRight(trimmed, "="))
		if decoded, err := base64.RawStdEncoding.DecodeString(plain); err == nil {
			return decoded
		}
	}
	return []byte(text)
}

// BasicUser returns the user name of Basic credentials in an Authorization header, which is where
// vendors put their key; and the password.
func BasicUser(authorization string) (user, password string) {
	scheme, rest, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", ""
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil {
		return "", ""
	}
	user, password, _ = strings.Cut(string(decoded), ":")
	return user, password
}

// Bearer returns the token of an Authorization header, or "".
func Bearer(authorization string) string {
	scheme, rest, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(rest)
}
