package parquet

import (
	"strconv"
	"time"

	"cairn/engine/event"
	"cairn/query/result"
	"cairn/query/scalar"

	"github.com/parquet-go/parquet-go"
)

// form is how the values of a column are written.
type form uint8

const (
	formText form = iota
	formInt
	formFloat
	formBool
	formTime
	formSeconds
	formJSON
	formList // of values of the form element
)

// column is a column on its way into a file.
type column struct {
	form, element form
	leaf          int // number among the leaves of the schema
}

var formOfType = map[result.Type]form{
	result.TypeString: formText, result.TypeNull: formText, result.TypeInt: formInt, result.TypeFloat: formFloat,
	result.TypeBool: formBool, result.TypeTime: formTime, result.TypeDuration: formSeconds,
	result.TypeList: formList, result.TypeMixed: formJSON,
}

// columnOf decides how column i of a table is written.
func columnOf(t *result.Table, i int) column {
	c := column{form: formOfType[t.Columns[i].Type]}
	switch c.form {
	case formFloat:
		for _, row := range t.Rows {
			if !exact(row[i]) {
				c.form = formJSON
				break
			}
		}
	case formList:
		var seen elements
		for _, row := range t.Rows {
			seen.add(row[i])
		}
		if c.element = seen.form(); c.element == formJSON {
			c.form = formJSON
		}
	}
	return c
}

// exact reports whether a number is the same as a float64.
func exact(v event.Value) bool {
	return v.Kind() != event.KindInt || event.CompareNumbers(v, event.Float(v.AsFloat())) == 0
}

// elements is what lists have in them.
type elements struct {
	kinds   [event.KindDuration + 1]bool
	inexact bool // numbers that are no float64
}

func (s *elements) add(list event.Value) {
	if list.Kind() != event.KindList {
		return
	}
	scalar.Elements(list, func(v event.Value) bool {
		s.kinds[v.Kind()] = true
		// An integer beyond int64 is read as a float.
		s.inexact = s.inexact || !exact(v) || v.Kind() == event.KindFloat && (v.AsFloat() >= 1<<63 || v.AsFloat() < -1<<63)
		return false
	})
}

// form returns the form of all elements, or formJSON.
func (s *elements) form() form {
	forms := map[form]bool{}
	for kind, seen := range s.kinds {
		if !seen {
			continue
		}
		switch event.Kind(kind) {
		case event.KindNull:
		case event.KindString:
			forms[formText] = true
		case event.KindInt:
			forms[formInt] = true
		case event.KindFloat:
			forms[formFloat] = true
		case event.KindBool:
			forms[formBool] = true
		default:
			return formJSON
		}
	}
	if forms[formFloat] {
		if s.inexact {
			return formJSON
		}
		delete(forms, formInt)
	}
	if len(forms) > 1 {
		return formJSON
	}
	for f := range forms {
		return f
	}
	return formText
}

// node describes the column in a schema.
func (c *column) node() parquet.Node {
	if c.form == formList {
		return parquet.Optional(parquet.List(parquet.Optional(c.element.node())))
	}
	return parquet.Optional(c.form.node())
}

func (f form) node() parquet.Node {
	switch f {
	case formInt:
		return parquet.Leaf(parquet.Int64Type)
	case formFloat, formSeconds:
		return parquet.Leaf(parquet.DoubleType)
	case formBool:
		return parquet.Leaf(parquet.BooleanType)
	case formTime:
		return parquet.Timestamp(parquet.Nanosecond)
	case formJSON:
		return parquet.Encoded(parquet.JSON(), &parquet.RLEDictionary)
	default:
		return parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
	}
}

// append appends what one value is in the leaf of the column. Levels are: 0 the value is null, 1 it is
// there; of a list 1 it is empty, 2 an element is null, 3 it is there.
func (c *column) append(row parquet.Row, v event.Value, zone *time.Location) parquet.Row {
	switch {
	case !v.Exists():
		return append(row, parquet.Value{}.Level(0, 0, c.leaf))
	case c.form != formList:
		return append(row, c.form.value(v, zone).Level(0, 1, c.leaf))
	}
	before := len(row)
	repetition := 0
	scalar.Elements(v, func(e event.Value) bool {
		if e.Exists() {
			row = append(row, c.element.value(e, zone).Level(repetition, 3, c.leaf))
		} else {
			row = append(row, parquet.Value{}.Level(repetition, 2, c.leaf))
		}
		repetition = 1
		return false
	})
	if len(row) == before {
		row = append(row, parquet.Value{}.Level(0, 1, c.leaf))
	}
	return row
}

func (f form) value(v event.Value, zone *time.Location) parquet.Value {
	switch f {
	case formInt, formTime:
		return parquet.Int64Value(v.AsInt())
	case formFloat:
		return parquet.DoubleValue(v.AsFloat())
	case formSeconds:
		return parquet.DoubleValue(float64(v.AsInt()) / 1e9)
	case formBool:
		return parquet.BooleanValue(v.AsBool())
	case formJSON:
		return parquet.ByteArrayValue(appendJSON(nil, v, zone))
	default:
		return parquet.ByteArrayValue([]byte(v.Text()))
	}
}

// appendJSON appends a value as JSON with exact integers.
func appendJSON(dst []byte, v event.Value, zone *time.Location) []byte {
	switch v.Kind() {
	case event.KindInt:
		return strconv.AppendInt(dst, v.AsInt(), 10)
	case event.KindList, event.KindObject:
		return append(dst, v.Text()...)
	}
	return result.AppendValue(dst, v, zone)
}
