package column

import "cairn/engine/event"

// Builder fills a Batch event by event. Between Begin and Commit the caller sets the parts of one
// event; Rollback takes them all back, so a bad event leaves no trace in the batch. The zero value is
// ready; a Builder is used by one goroutine.
//
//	b.Begin(timeNanos)
//	b.SetEvent(name); b.SetUser(user)
//	c := b.Field(name)         // nil: this event already has a value under the name
//	c.AppendText(b.Row(), event.KindString, text)
//	b.Commit()
type Builder struct {
	batch  Batch
	names  Dict    // field name to number in fields; kept from batch to batch
	fields []field // by number
	given  []int   // numbers of batch.Fields
	expect int     // events to come, by Grow
	last   *formerBatch
	spare  spare

	place, numbers, users []uint32 // of AppendBatch
}

// field is a field that the builder has met.
type field struct {
	name   string
	column *Column // in the batch; nil: not yet
	spare  *Column // of a batch given to Reuse
}

// namesMax bounds the names that are kept from batch to batch.
const namesMax = 1024

// Row is the number of the event being built.
func (b *Builder) Row() uint32 { return uint32(b.batch.Rows) }

// Len is the number of events committed so far.
func (b *Builder) Len() int { return b.batch.Rows }

// Begin starts an event.
func (b *Builder) Begin(timeNanos int64) {
	b.batch.Time = append(b.batch.Time[:b.batch.Rows], timeNanos)
}

// SetTime changes the time given to Begin, for formats in which it comes late.
func (b *Builder) SetTime(timeNanos int64) { b.batch.Time[b.batch.Rows] = timeNanos }

// SetReceived sets the arrival of the event, for a re-import; all events of a batch have one or none.
func (b *Builder) SetReceived(nanos int64) {
	b.batch.Received = append(b.batch.Received[:min(len(b.batch.Received), b.batch.Rows)], nanos)
}

// SetEvent sets the name; call it once per event.
func (b *Builder) SetEvent(name []byte) { b.set(&b.batch.Event, name, Hash(name)) }

// SetUser sets the user; call it at most once per event, not with "".
func (b *Builder) SetUser(user []byte) { b.set(&b.batch.User, user, Hash(user)) }

// SetID sets the insert id; call it at most once per event, not with "".
func (b *Builder) SetID(id []byte) { b.set(&b.batch.ID, id, Hash(id)) }

// SetEventHash, SetUserHash and SetIDHash are for a caller that knows Hash of the text.
func (b *Builder) SetEventHash(name []byte, hash uint32) { b.set(&b.batch.Event, name, hash) }

// SetUserHash is SetUser with Hash(user).
func (b *Builder) SetUserHash(user []byte, hash uint32) { b.set(&b.batch.User, user, hash) }

// SetIDHash is SetID with Hash(id).
func (b *Builder) SetIDHash(id []byte, hash uint32) { b.set(&b.batch.ID, id, hash) }

func (b *Builder) set(c *Column, text []byte, hash uint32) {
	c.last = b.Row() + 1
	c.AppendTextHash(b.Row(), event.KindString, text, hash)
}

// Field returns the column of a field for one append in the current row, or nil if the event has
// already touched it: a duplicate name. The caller must append exactly one value.
func (b *Builder) Field(name []byte) *Column {
	if c := b.Column(name); b.Touch(c) {
		return c
	}
	return nil
}

// Column returns the column of a field, which stays the same until Finish: scanners remember it to
// skip the look-up of names that come again. It must be touched before a value is appended.
func (b *Builder) Column(name []byte) *Column {
	i := int(b.names.Intern(name))
	if i == len(b.fields) {
		b.fields = append(b.fields, field{name: string(name)})
	}
	f := &b.fields[i]
	if f.column == nil {
		b.newColumn(f)
		b.given = append(b.given, i)
		b.batch.Fields = append(b.batch.Fields, f.column)
	}
	return f.column
}

func (b *Builder) newColumn(f *field) {
	f.column, f.spare = f.spare, nil
	if f.column == nil {
		f.column = &Column{Name: f.name}
	}
	if b.expect > 0 {
		b.last.grow(f.column, b.last.fields[f.name], b.expect)
	} else {
		f.column.Dict.table = b.spare.table()
	}
}

// Touch marks a field's column as having a value in the current row, which the caller must append;
// false is a second value, which he must not.
func (b *Builder) Touch(c *Column) bool {
	row := b.Row() + 1
	if c.last == row {
		return false
	}
	c.last = row
	return true
}

// Commit keeps the event.
func (b *Builder) Commit() { b.batch.Rows++ }

// Rollback forgets the event being built, with the strings that only it had.
func (b *Builder) Rollback() {
	b.batch.Event.rollback(b.Row())
	b.batch.User.rollback(b.Row())
	b.batch.ID.rollback(b.Row())
	for _, c := range b.batch.Fields {
		c.rollback(b.Row())
	}
	if len(b.batch.Received) > b.batch.Rows {
		b.batch.Received = b.batch.Received[:b.batch.Rows]
	}
}

// AppendEvent adds an event whole. It is the way in for rows rather than bytes; the caller has
// checked it (engine.Append does).
func (b *Builder) AppendEvent(e *event.Event) {
	b.Begin(e.Time)
	b.SetEvent([]byte(e.Name))
	if e.User != "" {
		b.SetUser([]byte(e.User))
	}
	if e.ID != "" {
		b.SetID([]byte(e.ID))
	}
	for i := range e.Fields {
		f := &e.Fields[i]
		if f.Value.IsAbsent() {
			continue
		}
		c := b.Field([]byte(f.Name))
		if c == nil {
			continue
		}
		switch k := f.Value.Kind(); k {
		case event.KindString, event.KindList, event.KindObject:
			c.AppendText(b.Row(), k, []byte(f.Value.Text()))
		default:
			c.AppendNum(b.Row(), k, f.Value.Bits())
		}
	}
	b.Commit()
}

// Finish returns the batch and leaves the builder empty for another. Columns without a value are
// left out.
func (b *Builder) Finish() *Batch {
	out := b.spare.batch
	if out == nil {
		out = new(Batch)
	}
	*out = b.batch
	out.Time = out.Time[:out.Rows]
	if len(out.Received) != out.Rows {
		out.Received = nil
	}
	if b.expect > 0 {
		b.last = newFormerBatch(out)
	}
	kept := out.Fields[:0]
	for _, c := range out.Fields {
		b.takeTable(c)
		if c.Len() > 0 {
			c.finish(out.Rows)
			kept = append(kept, c)
		}
	}
	clear(out.Fields[len(kept):])
	out.Fields = kept
	for _, c := range []*Column{&out.Event, &out.User, &out.ID} {
		b.takeTable(c)
		c.finish(out.Rows)
	}
	b.clear()
	return out
}
