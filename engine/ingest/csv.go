package ingest

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"cairn/engine/column"
	"cairn/engine/event"
)

// csvState is what a scanner knows of a CSV file after its header line.
type csvState struct {
	comma   byte
	columns []*key
	object  *object
	cells   []cell
	nulls   map[string]bool
}

// cell is one value of a record.
type cell struct {
	text   []byte
	quoted bool
}

func (s *Scanner) scanCSV(body []byte) (*Result, error) {
	start, err := s.header(body)
	if err != nil {
		return nil, err
	}
	s.begin(body)
	s.records(start, true)
	return s.finish(), nil
}

// header reads the header line, unless the options give the names, and returns where the records
// begin.
func (s *Scanner) header(data []byte) (int, error) {
	c := &s.csv
	if len(bytes.TrimSpace(data)) == 0 {
		return 0, ErrEmpty
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if c.comma = s.opt.Comma; c.comma == 0 {
		c.comma = DetectComma(line)
	}
	names, next := s.opt.Header, 0
	if len(names) == 0 {
		s.data = data
		end, problem := s.record(0)
		if problem != "" {
			return 0, fmt.Errorf("%w: %s", ErrHeader, problem)
		}
		if end < 0 {
			end = len(data)
		}
		for _, cell := range c.cells {
			names = append(names, string(cell.text))
		}
		next = end
	}
	return next, s.setColumns(names)
}

// DetectComma returns what separates the cells of a line of CSV: of comma, semicolon and tab the one that stands
// most often outside of quotes; a comma if none does.
func DetectComma(line []byte) byte {
	best, most := byte(','), 0
	for _, comma := range []byte(",;\t") {
		quoted, n := false, 0
		for _, c := range line {
			if c == '"' {
				quoted = !quoted
			} else if c == comma && !quoted {
				n++
			}
		}
		if n > most {
			best, most = comma, n
		}
	}
	return best
}

// setColumns makes the keys of the columns.
func (s *Scanner) setColumns(names []string) error {
	c := &s.csv
	c.object, c.columns = &object{top: true}, nil
	c.nulls = make(map[string]bool, len(s.opt.NullValues))
	for _, null := range s.opt.NullValues {
		c.nulls[null] = true
	}
	seen := make(map[string]bool, len(names))
	var roles uint8
	for i, name := range names {
		if !utf8.ValidString(name) {
			return fmt.Errorf("%w: the name of column %d is not UTF-8", ErrHeader, i+1)
		}
		if name == "" {
			name = fmt.Sprintf("column_%d", i+1)
		}
		if seen[name] {
			return fmt.Errorf("%w: two columns are called %q", ErrHeader, name)
		}
		seen[name] = true
		k := s.newKey(c.object, name, 0)
		k.dotted = false // names with dots are nested fields
		switch k.role {
		case roleBag:
			k.role = roleField
		case roleRefuse:
			return fmt.Errorf("%w: column %d: %s", ErrHeader, i+1, k.refuse)
		}
		roles |= 1 << k.role
		c.columns = append(c.columns, k)
	}
	for _, r := range []role{roleTime, roleEvent, roleUser, roleID} {
		name := s.roles.names[r]
		missing := roles&(1<<r) == 0
		switch {
		case !missing || r == roleEvent && s.opt.EventName != "":
		case s.roles.anywhere[r] || r == roleEvent || r == roleTime && (s.opt.Received == 0 || s.opt.TimeField != ""):
			return fmt.Errorf("%w: no column %q for the event's %s; there are %s", ErrHeader, name, defaultNames[r], strings.Join(names, ", "))
		}
	}
	return nil
}

// records reads records from p to the end of the bytes and returns how far it came: a record that
// may go on after them is left, unless they are final.
func (s *Scanner) records(p int, final bool) int {
	data := s.data
	for p < len(data) {
		if data[p] == '\n' || data[p] == '\r' && p+1 < len(data) && data[p+1] == '\n' {
			p++
			continue
		}
		end, problem := s.record(p)
		if end < 0 { // no line end, or a quote without an end
			if !final && len(data)-p <= s.opt.EventBytesMax {
				return p
			}
			if problem != "" || !final {
				end = s.nextLine(p)
				if problem == "" {
					problem = "the line has no end"
				}
			} else {
				end = len(data)
			}
		}
		if problem != "" {
			s.refuse(p, BadCSV, "", "%s", problem)
			s.reject(p, lineEnd(data, p, end))
		} else {
			s.row(p, end)
		}
		p = end
	}
	return p
}

// nextLine returns the beginning of the next line.
func (s *Scanner) nextLine(p int) int {
	if n := bytes.IndexByte(s.data[p:], '\n'); n >= 0 {
		return p + n + 1
	}
	return len(s.data)
}

// lineEnd returns end without the line end before it.
func lineEnd(data []byte, start, end int) int {
	if end > start && data[end-1] == '\n' {
		end--
	}
	if end > start && data[end-1] == '\r' {
		end--
	}
	return end
}

// record splits the record at p into cells and returns the position after its line end, or -1 if it
// has none, and what is wrong with it.
func (s *Scanner) record(p int) (end int, problem string) {
	data, comma := s.data, s.csv.comma
	cells := s.csv.cells[:0]
	defer func() { s.csv.cells = cells }()
	s.scratch = s.scratch[:0]
	for {
		start := p
		if p < len(data) && data[p] == '"' {
			var text []byte
			if text, p = s.quoted(p + 1); p < 0 {
				return -1, "a quote has no end"
			}
			cells = append(cells, cell{text, true})
			if p < len(data) && data[p] == '\r' && (p+1 == len(data) || data[p+1] == '\n') {
				p++
			}
			if p < len(data) && data[p] != comma && data[p] != '\n' {
				problem = "text after a closing quote"
				for p < len(data) && data[p] != comma && data[p] != '\n' {
					p++
				}
			}
		} else {
			for p < len(data) && data[p] != comma && data[p] != '\n' {
				p++
			}
			stop := p
			if stop > start && data[stop-1] == '\r' && (p == len(data) || data[p] == '\n') {
				stop--
			}
			cells = append(cells, cell{data[start:stop], false})
		}
		if p == len(data) {
			return -1, problem
		}
		p++
		if data[p-1] == '\n' {
			return p, problem
		}
	}
}

// quoted reads the rest of a quoted cell; doubled quotes are written out in the scratch memory.
func (s *Scanner) quoted(p int) (text []byte, next int) {
	data := s.data
	start, doubled := p, false
	for {
		n := bytes.IndexByte(data[p:], '"')
		if n < 0 {
			return nil, -1
		}
		p += n + 1
		if p == len(data) || data[p] != '"' {
			break
		}
		doubled = true
		p++
	}
	text = data[start : p-1]
	if doubled {
		// Not s.scratch itself: a record may have several of them.
		text = bytes.ReplaceAll(text, []byte(`""`), []byte(`"`))
	}
	return text, p
}

// row makes an event of the record in data[p:end], whose cells have been split.
func (s *Scanner) row(p, end int) {
	s.beginEvent()
	if s.cellsFit(p, end) && s.complete(p) {
		if s.opt.KeepPositions {
			s.out.positions = append(s.out.positions, position{line: s.line(p), offset: int64(p)})
		}
		s.out.Events++
		return
	}
	s.builder.Rollback()
	s.reject(p, lineEnd(s.data, p, end))
}

func (s *Scanner) cellsFit(p, end int) bool {
	c := &s.csv
	if len(c.cells) != len(c.columns) {
		s.refuse(p, BadCSV, "", "expected %d columns, found %d", len(c.columns), len(c.cells))
		return false
	}
	if !s.fits(p, end) {
		return false
	}
	for i, k := range c.columns {
		cell := c.cells[i]
		if !cell.quoted && (len(cell.text) == 0 || len(c.nulls) > 0 && c.nulls[string(cell.text)]) {
			continue
		}
		if !utf8.Valid(cell.text) {
			s.refuse(p, BadCSV, k.name, "invalid UTF-8")
			return false
		}
		if k.role != roleField && !s.attributeCell(k, cell, p) {
			return false
		}
		if (k.role == roleField || k.keep) && !s.fieldCell(k, cell, p) {
			return false
		}
	}
	return true
}

func (s *Scanner) attributeCell(k *key, cell cell, p int) bool {
	if k.role == roleTime || k.role == roleReceived {
		if kind, bits, n := number(cell.text); n > 0 && n == len(cell.text) {
			nanos, ok := s.times.number(cell.text, kind, bits)
			if !ok {
				s.refuse(p, BadTime, k.name, "%s is not a time", clip(cell.text))
				return false
			}
			s.setNanos(k.role, nanos)
			return true
		}
	}
	return s.setText(k.role, k.name, p, cell.text, column.Hash(cell.text))
}

func (s *Scanner) fieldCell(k *key, cell cell, p int) bool {
	kind, bits := cellValue(cell)
	if len(cell.text) > s.opt.StringBytesMax {
		s.tooLong(p, k, len(cell.text))
		return false
	}
	target := s.column(s.csv.object, k, p)
	if target == nil {
		return false
	}
	if kind == event.KindString {
		target.AppendText(s.builder.Row(), kind, cell.text)
	} else {
		target.AppendNum(s.builder.Row(), kind, bits)
	}
	return true
}

// cellValue finds the type of a cell. What a number would not give back is a string: a quoted one,
// 007, +1, an integer beyond int64.
func cellValue(cell cell) (event.Kind, uint64) {
	if cell.quoted || len(cell.text) == 0 {
		return event.KindString, 0
	}
	switch c := cell.text[0]; {
	case c == '-' || c-'0' <= 9:
		kind, bits, n := number(cell.text)
		if n == len(cell.text) && (kind == event.KindInt || bytes.ContainsAny(cell.text, ".eE")) {
			return kind, bits
		}
	case c|0x20 == 't' && len(cell.text) == 4 && strings.EqualFold(string(cell.text), "true"):
		return event.KindBool, 1
	case c|0x20 == 'f' && len(cell.text) == 5 && strings.EqualFold(string(cell.text), "false"):
		return event.KindBool, 0
	}
	return event.KindString, 0
}
