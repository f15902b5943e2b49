package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"cairn/engine/event"
	"cairn/engine/ingest"
	"cairn/server/api"
)

// Value is a JSON value as it was sent. The zero Value is absent. Strings share one copy of the event's
// text, and none with the request.
type Value struct {
	Kind jsontext.Kind // 'n' 't' 'f' '"' '0' '{' '[', or 0: absent
	// Text is the content of a string, the digits of a number, the compact text of a list.
	Text    string
	Members []Member // of an object, in order; names occur once

	height int // of a list: lists and objects inside each other, itself being the first
}

// Member is a name of an object and its value.
type Member struct {
	Name  string
	Value Value
}

// Get returns the member called name of an object, or an absent value; of several names the first that
// is there and not null.
func (v *Value) Get(names ...string) *Value {
	for _, name := range names {
		for i := range v.Members {
			if m := &v.Members[i]; m.Name == name && m.Value.Kind != 'n' {
				return &m.Value
			}
		}
	}
	return &Value{}
}

// Exists reports whether the value is there and not null.
func (v *Value) Exists() bool { return v.Kind != 0 && v.Kind != 'n' }

// Object reports whether the value is an object.
func (v *Value) Object() bool { return v.Kind == '{' }

// Name returns the text of a string or the digits of a number: what serves as an id. Anything else is "".
func (v *Value) Name() string {
	if v.Kind == '"' || v.Kind == '0' {
		return v.Text
	}
	return ""
}

// True reports whether the value is true.
func (v *Value) True() bool { return v.Kind == 't' }

// Scalar returns the value as that of a field; objects that are not empty have none.
func (v *Value) Scalar() event.Value {
	switch v.Kind {
	case 'n':
		return event.Null
	case 't', 'f':
		return event.Bool(v.Kind == 't')
	case '"':
		return event.String(v.Text)
	case '0':
		n, _ := ingest.ParseNumber(v.Text) // has been looked at when it was read
		return n
	case '[':
		return event.List(v.Text)
	case '{':
		return event.EmptyObject
	}
	return event.Value{}
}

// Elements reads the elements of a list; nil if it is none.
func (v *Value) Elements(l *Limits) []Value {
	if v.Kind != '[' {
		return nil
	}
	var elements []Value
	d := jsontext.NewDecoder(strings.NewReader(v.Text))
	_, _ = d.ReadToken()
	for d.PeekKind() != ']' {
		raw, err := d.ReadValue()
		if err != nil {
			return nil
		}
		element, reject := Parse(raw, l)
		if reject != nil {
			return nil
		}
		elements = append(elements, element)
	}
	return elements
}

// Parse reads one JSON value strictly: repeated keys, invalid UTF-8, lone surrogates, numbers beyond a
// float64 and what nests too deep are rejects, as are more members than an event may have fields, and
// some for its envelope.
func Parse(raw []byte, l *Limits) (Value, *Reject) {
	if len(raw) > l.EventBytes {
		return Value{}, &Reject{Reason: ingest.EventTooLarge, Message: fmt.Sprintf("it has %d bytes, more than %d", len(raw), l.EventBytes)}
	}
	p, _ := parsers.Get().(*parser)
	defer parsers.Put(p)
	p.decoder.Reset(bytes.NewBuffer(raw))
	p.text, p.limits, p.leaves = string(raw), l, 0
	defer p.forget()
	var v Value
	if err := p.value(&v, 1); err != nil {
		return Value{}, p.reject(err)
	}
	if _, err := p.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return Value{}, &Reject{Reason: ingest.BadJSON, Message: "more text after the value"}
	}
	return v, nil
}

// ParseEvent is Parse of what has to be an object.
func ParseEvent(raw []byte, l *Limits) (Value, *Reject) {
	v, reject := Parse(raw, l)
	if reject == nil && v.Kind != '{' {
		return v, &Reject{Reason: ingest.BadEvent, Message: "expected an object, found " + kindNames[v.Kind]}
	}
	return v, reject
}

var kindNames = map[jsontext.Kind]string{
	'n': "null", 't': "true", 'f': "false", '"': "a string", '0': "a number", '{': "an object", '[': "a list", 0: "nothing",
}

// envelopeMembers is how many members an event may have beside its fields.
const envelopeMembers = 256

type parser struct {
	decoder *jsontext.Decoder
	text    string // what the decoder reads
	limits  *Limits
	leaves  int // members that are not objects

	open    []Member // of the objects that have not ended yet
	compact []byte   // the list being read
}

// parsers are kept from event to event.
var parsers = sync.Pool{New: func() any { return &parser{decoder: jsontext.NewDecoder(bytes.NewReader(nil))} }}

// forget drops what the parser knows of an event.
func (p *parser) forget() {
	clear(p.open)
	p.text, p.limits, p.open = "", nil, p.open[:0]
}

// reject is what an error of the decoder, or a *Reject, means.
func (p *parser) reject(err error) *Reject {
	var own *rejectError
	if errors.As(err, &own) {
		return own.reject
	}
	return &Reject{Reason: ingest.BadJSON, Message: jsonMessage(err)}
}

type rejectError struct{ reject *Reject }

func (e *rejectError) Error() string { return e.reject.Message }

func refuse(reason, format string, args ...any) error {
	return &rejectError{&Reject{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

// string returns the content of a string token, without a copy where it has no escapes.
func (p *parser) string() (string, error) {
	raw, err := p.decoder.ReadValue()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		end := int(p.decoder.InputOffset())
		return p.text[end-len(raw)+1 : end-1], nil
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err
}

// number checks a number's range and returns its digits.
func (p *parser) number() (string, error) {
	raw, err := p.decoder.ReadValue()
	if err != nil {
		return "", err
	}
	end := int(p.decoder.InputOffset())
	text := p.text[end-len(raw) : end]
	if _, ok := ingest.ParseNumber(text); !ok {
		return "", refuse(ingest.BadJSON, "the number %s is beyond a 64-bit float", text[:min(len(text), 64)])
	}
	return text, nil
}

// value reads a value. An object at depth 1 is the event, whose members are not counted as nested.
func (p *parser) value(v *Value, depth int) (err error) {
	v.Kind = p.decoder.PeekKind()
	switch v.Kind {
	case '"':
		v.Text, err = p.string()
	case '0':
		v.Text, err = p.number()
	case '[':
		if p.compact, err = p.list(p.compact[:0], depth); err == nil {
			v.Text = string(p.compact)
			v.height = height(p.compact)
		}
	case '{':
		return p.object(v, depth)
	default:
		_, err = p.decoder.ReadToken()
	}
	return err
}

// tooDeep is checked with one level to spare for the envelope; Draft holds fields to the limit itself.
func (p *parser) tooDeep(depth int) error {
	if depth > p.limits.Depth+1 {
		return refuse(ingest.TooDeep, "more than %d objects and lists inside each other", p.limits.Depth)
	}
	return nil
}

func (p *parser) object(v *Value, depth int) error {
	if err := p.tooDeep(depth); err != nil {
		return err
	}
	if _, err := p.decoder.ReadToken(); err != nil {
		return err
	}
	first := len(p.open)
	for p.decoder.PeekKind() == '"' {
		name, err := p.string()
		if err != nil {
			return err
		}
		var member Value
		if err := p.value(&member, depth+1); err != nil {
			return err
		}
		p.open = append(p.open, Member{name, member})
		if member.Kind == '{' && len(member.Members) > 0 {
			continue // its own members are counted
		}
		if p.leaves++; p.leaves > p.limits.Fields+envelopeMembers {
			return refuse(ingest.TooManyFields, "more than %d fields", p.limits.Fields)
		}
	}
	if len(p.open) > first {
		v.Members = slices.Clone(p.open[first:])
		clear(p.open[first:])
		p.open = p.open[:first]
	}
	_, err := p.decoder.ReadToken()
	return err
}

// list appends the compact text of the list or of the value in it that comes, as engine/ingest writes it:
// no white space, numbers as they stand, strings with the least of escapes.
func (p *parser) list(dst []byte, depth int) ([]byte, error) {
	kind := p.decoder.PeekKind()
	switch kind {
	case '"':
		text, err := p.string()
		if err == nil && len(text) > p.limits.StringBytes {
			err = refuse(ingest.ValueTooLong, "a string in a list has %d bytes, more than %d", len(text), p.limits.StringBytes)
		}
		return event.AppendString(dst, text), err
	case '0':
		text, err := p.number()
		return append(dst, text...), err
	case '[', '{':
	default:
		token, err := p.decoder.ReadToken()
		if err != nil {
			return dst, err
		}
		return append(dst, token.String()...), nil
	}
	if err := p.tooDeep(depth); err != nil {
		return dst, err
	}
	if _, err := p.decoder.ReadToken(); err != nil {
		return dst, err
	}
	dst = append(dst, byte(kind))
	end := jsontext.Kind(kind + 2) // ']' of '[', '}' of '{'
	for first := true; p.decoder.PeekKind() != end; first = false {
		if !first {
			dst = append(dst, ',')
		}
		if kind == '{' {
			name, err := p.string()
			if err != nil {
				return dst, err
			}
			dst = append(event.AppendString(dst, name), ':')
		}
		var err error
		if dst, err = p.list(dst, depth+1); err != nil {
			return dst, err
		}
	}
	if _, err := p.decoder.ReadToken(); err != nil {
		return dst, err
	}
	return append(dst, byte(end)), nil
}

// height counts how deep compact JSON nests.
func height(compact []byte) (highest int) {
	open, text := 0, false
	for i := 0; i < len(compact); i++ {
		switch c := compact[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '[' || c == '{':
			open++
			highest = max(highest, open)
		case c == ']' || c == '}':
			open--
		}
	}
	return highest
}

// jsonMessage is what is wrong with JSON, in a few words.
func jsonMessage(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "the JSON is cut short"
	}
	message := strings.TrimPrefix(err.Error(), "jsontext: ")
	return message[:min(len(message), 200)]
}

// badJSON is the error of a body that is not JSON; nothing of it can be stored.
func badJSON(err error) *api.Error {
	return &api.Error{Code: api.CodeBadJSON, Message: "the body is not JSON: " + jsonMessage(err)}
}
