package lookup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"cairn/engine/event"
	"cairn/engine/ingest"
)

// LineError says in which line of a text a table cannot be read. errors.Is(err, ErrInvalid) holds.
type LineError struct {
	Line    int // from 1
	Message string
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Is makes it an ErrInvalid.
func (e *LineError) Is(target error) bool { return target == ErrInvalid }

// RowsError is returned for a text of more rows than are allowed.
type RowsError struct{ Max int }

func (e *RowsError) Error() string {
	return fmt.Sprintf("the side table has more than %d rows", e.Max)
}

// Parse reads a table from NDJSON, if the text begins with "{", or else from CSV whose first line has the
// names of the columns. keys are the columns of the key, rowsMax the most rows.
//
// Values of CSV have the types that they have in CSV of events: a number that would be written back the same
// is one, true and false are booleans, an empty cell is null, and what is in quotes is a string. Cells are
// separated by commas, semicolons or tabs, whichever the first line has most of. In NDJSON a column that a
// row leaves out is null; lists and objects are refused. Errors are *LineError, *RowsError, or about the
// columns and then an ErrInvalid.
func Parse(text []byte, keys []string, rowsMax int) (*Table, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	p := parser{rowsMax: rowsMax, numbers: make(map[string]int)}
	var err error
	switch trimmed := bytes.TrimLeft(text, " \t\r\n"); {
	case len(trimmed) == 0:
		return nil, fmt.Errorf("%w: the text is empty", ErrInvalid)
	case trimmed[0] == '{':
		err = p.ndjson(text)
	default:
		err = p.csv(text)
	}
	if err != nil {
		return nil, err
	}
	values := p.values
	if slices.ContainsFunc(p.widths, func(n int) bool { return n < len(p.columns) }) {
		values = make([]event.Value, 0, len(p.lines)*len(p.columns))
		at := 0
		for _, width := range p.widths {
			values = append(values, p.values[at:at+width]...)
			at += width
			for range len(p.columns) - width {
				values = append(values, event.Null)
			}
		}
	}
	t, err := New(p.columns, keys, values)
	var row *RowError
	if errors.As(err, &row) {
		message := row.Message
		if row.Other >= 0 {
			message = fmt.Sprintf("the key %s is that of line %d too", t.keyText(row.Row), p.lines[row.Other])
		}
		return nil, &LineError{p.lines[row.Row], message}
	}
	return t, err
}

// keyText shows the key of a row to people.
func (t *Table) keyText(row int) string {
	var parts []string
	for _, column := range t.keys {
		v := t.Row(row)[column]
		text := v.AsString()
		switch v.Kind() {
		case event.KindString:
			text = fmt.Sprintf("%.100q", text)
		case event.KindInt:
			text = fmt.Sprint(v.AsInt())
		case event.KindFloat:
			text = string(event.AppendFloat(nil, v.AsFloat()))
		case event.KindBool:
			text = fmt.Sprint(v.AsBool())
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

type parser struct {
	rowsMax int
	columns []string
	numbers map[string]int // of the columns
	values  []event.Value
	lines   []int // of the rows
	widths  []int // of the rows of NDJSON: how many columns were known
}

func (p *parser) begin(line int) error {
	if len(p.lines) == p.rowsMax {
		return &RowsError{p.rowsMax}
	}
	p.lines = append(p.lines, line)
	return nil
}

func (p *parser) ndjson(text []byte) error {
	line := 0
	for len(text) > 0 {
		var raw []byte
		raw, text, _ = bytes.Cut(text, []byte("\n"))
		line++
		if raw = bytes.TrimSpace(raw); len(raw) == 0 {
			continue
		}
		if err := p.begin(line); err != nil {
			return err
		}
		if err := p.object(raw); err != nil {
			return &LineError{line, err.Error()}
		}
	}
	return nil
}

// object reads a row.
func (p *parser) object(raw []byte) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if kind := d.PeekKind(); kind != '{' && kind != 0 {
		return errors.New("expected an object")
	}
	if _, err := d.ReadToken(); err != nil {
		return jsonError(err)
	}
	start := len(p.values)
	for range p.columns {
		p.values = append(p.values, event.Null)
	}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return jsonError(err)
		}
		name := token.String()
		v, err := readScalar(d, name)
		if err != nil {
			return err
		}
		number, known := p.numbers[name]
		if !known {
			if number = len(p.columns); number == ColumnsMax {
				return fmt.Errorf("more than %d columns", ColumnsMax)
			}
			p.numbers[name] = number
			p.columns = append(p.columns, name)
			p.values = append(p.values, event.Null)
		}
		p.values[start+number] = v
	}
	_, _ = d.ReadToken()
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("more text after the object; one object a line is wanted")
	}
	p.widths = append(p.widths, len(p.values)-start)
	return nil
}

func readScalar(d *jsontext.Decoder, name string) (event.Value, error) {
	switch d.PeekKind() {
	case '{':
		return event.Null, fmt.Errorf("%.100q is an object; numbers, strings, booleans and null are possible", name)
	case '[':
		return event.Null, fmt.Errorf("%.100q is a list; numbers, strings, booleans and null are possible", name)
	}
	raw, err := d.ReadValue()
	if err != nil {
		return event.Null, jsonError(err)
	}
	switch raw.Kind() {
	case 't', 'f':
		return event.Bool(raw.Kind() == 't'), nil
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		return event.String(string(text)), err
	case '0':
		v, ok := ingest.ParseNumber(string(raw))
		if !ok {
			return v, fmt.Errorf("%.100q: the number %.64s is beyond a 64-bit float", name, raw)
		}
		return v, nil
	}
	return event.Null, nil
}

func jsonError(err error) error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) && syntactic.Err != nil {
		return fmt.Errorf("not JSON at byte %d: %w", syntactic.ByteOffset+1, syntactic.Err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("not JSON: it ends too early")
	}
	return fmt.Errorf("not JSON: %w", err)
}

func (p *parser) csv(text []byte) error {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	c := cells{text: text, comma: ingest.DetectComma(first), line: 1}
	for {
		line := c.line
		record, problem, ok := c.next()
		switch {
		case problem != "":
			return &LineError{line, problem}
		case !ok:
			return nil
		}
		if p.columns == nil {
			for _, one := range record {
				p.columns = append(p.columns, string(one.text))
			}
			continue
		}
		if len(record) != len(p.columns) {
			return &LineError{line, fmt.Sprintf("expected %d columns, found %d", len(p.columns), len(record))}
		}
		if err := p.begin(line); err != nil {
			return err
		}
		for i, one := range record {
			if !utf8.Valid(one.text) {
				return &LineError{line, fmt.Sprintf("the column %q is not UTF-8", p.columns[i])}
			}
			p.values = append(p.values, one.value())
		}
	}
}

// cell is one value of a record of CSV.
type cell struct {
	text   []byte
	quoted bool
}

func (c cell) value() event.Value {
	text := string(c.text)
	switch {
	case c.quoted:
		return event.String(text)
	case text == "":
		return event.Null
	case strings.EqualFold(text, "true"):
		return event.Bool(true)
	case strings.EqualFold(text, "false"):
		return event.Bool(false)
	}
	if v, ok := ingest.ParseNumber(text); ok && (v.Kind() == event.KindInt || strings.ContainsAny(text, ".eE")) {
		return v
	}
	return event.String(text)
}

// cells reads records of CSV.
type cells struct {
	text  []byte
	comma byte
	line  int // of the next record
	cells []cell
}

// next returns the next record, whose cells are valid until the next call; or what is wrong with it; false
// says that there is none. Empty lines are passed over.
func (c *cells) next() (record []cell, problem string, ok bool) {
	for len(c.text) > 0 && (c.text[0] == '\n' || bytes.HasPrefix(c.text, []byte("\r\n"))) {
		_, c.text, _ = bytes.Cut(c.text, []byte("\n"))
		c.line++
	}
	if len(c.text) == 0 {
		return nil, "", false
	}
	c.cells = c.cells[:0]
	for {
		var one cell
		if len(c.text) > 0 && c.text[0] == '"' {
			if one.text, problem = c.quoted(); problem != "" {
				return nil, problem, false
			}
			one.quoted = true
		} else {
			end := bytes.IndexAny(c.text, string([]byte{c.comma, '\n'}))
			if end < 0 {
				end = len(c.text)
			}
			one.text = c.text[:end]
			if end == len(c.text) || c.text[end] == '\n' {
				one.text = bytes.TrimSuffix(one.text, []byte("\r"))
			}
			c.text = c.text[end:]
		}
		c.cells = append(c.cells, one)
		switch {
		case len(c.text) == 0:
			return c.cells, "", true
		case c.text[0] == '\n':
			c.text = c.text[1:]
			c.line++
			return c.cells, "", true
		}
		c.text = c.text[1:]
	}
}

// quoted reads a cell in quotes.
func (c *cells) quoted() (text []byte, problem string) {
	p := 1
	for {
		end := bytes.IndexByte(c.text[p:], '"')
		if end < 0 {
			return nil, "a quote has no end"
		}
		text = append(text, c.text[p:p+end]...)
		if p += end + 1; p < len(c.text) && c.text[p] == '"' {
			text = append(text, '"')
			p++
			continue
		}
		c.line += bytes.Count(c.text[:p], []byte("\n"))
		c.text = c.text[p:]
		if bytes.HasPrefix(c.text, []byte("\r\n")) || string(c.text) == "\r" {
			c.text = c.text[1:]
		}
		if len(c.text) > 0 && c.text[0] != c.comma && c.text[0] != '\n' {
			return nil, "text after the quote that ends a cell"
		}
		if text == nil {
			text = []byte{}
		}
		return text, ""
	}
}
