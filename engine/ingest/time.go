package ingest

import (
	"bytes"
	"math"
	"strconv"
	"time"
	"unsafe"

	"cairn/engine/event"
)

func knownTimeFormat(format string) bool {
	switch format {
	case "", "auto", "unix", "unix_ms", "unix_us", "unix_ns":
		return true
	}
	return false
}

// timeReader reads the times of one Options.
type timeReader struct {
	format   string
	unit     int64 // nanoseconds of a number's unit; 0: by its size
	lenient  bool  // numbers in strings, times without an offset
	plain    bool  // RFC 3339 is tried first
	location *time.Location
}

func newTimeReader(opt *Options) timeReader {
	r := timeReader{format: opt.TimeFormat, location: opt.Location}
	switch opt.TimeFormat {
	case "", "auto":
		r.lenient, r.format = opt.TimeFormat == "auto", ""
	case "unix", "unix_ms", "unix_us", "unix_ns":
		r.unit = map[string]int64{"unix": 1e9, "unix_ms": 1e6, "unix_us": 1e3, "unix_ns": 1}[opt.TimeFormat]
		r.lenient, r.format = true, ""
	}
	r.plain = r.format == "" && r.unit == 0
	return r
}

// text reads a time given as text.
func (r *timeReader) text(b []byte) (nanos int64, ok bool) {
	if r.format != "" {
		t, err := time.ParseInLocation(r.format, string(b), r.location)
		return nanosOf(t, err)
	}
	if r.unit == 0 {
		if nanos, ok = rfc3339(b); ok || !r.lenient {
			return nanos, ok
		}
	}
	b = bytes.TrimSpace(b)
	if kind, bits, n := number(b); n > 0 && n == len(b) {
		return r.number(b, kind, bits)
	}
	if r.unit == 0 {
		for _, layout := range [...]string{"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02", "2006-01-02 15:04:05.999999999 -0700", "2006-01-02T15:04:05.999999999-0700", "2006-01-02 15:04:05.999999999 MST"} {
			if t, err := time.ParseInLocation(layout, string(b), r.location); err == nil {
				return nanosOf(t, nil)
			}
		}
	}
	return 0, false
}

// number reads a time given as a number, text being its digits: seconds, milliseconds, microseconds
// or nanoseconds by size, unless the unit is fixed.
func (r *timeReader) number(text []byte, kind event.Kind, bits uint64) (nanos int64, ok bool) {
	if r.format != "" { // a layout such as 20060102 reads the digits
		return r.text(text)
	}
	if kind == event.KindInt {
		i := int64(bits)
		unit := r.unit
		if unit == 0 {
			unit = unitOf(math.Abs(float64(i)))
		}
		nanos = i * unit
		return nanos, nanos/unit == i
	}
	f := math.Float64frombits(bits)
	unit := r.unit
	if unit == 0 {
		unit = unitOf(math.Abs(f))
	}
	if nanos, ok = decimalNanos(text, unit); ok {
		return nanos, true
	}
	f *= float64(unit)
	if !(math.Abs(f) < 1<<63) {
		return 0, false
	}
	return int64(math.Round(f)), true
}

func unitOf(size float64) int64 {
	switch {
	case size < 1e11:
		return 1e9
	case size < 1e14:
		return 1e6
	case size < 1e17:
		return 1e3
	}
	return 1
}

// decimalNanos computes digits.digits × unit without going through a float, so that a decimal keeps
// its nanoseconds. Digits beyond the nanosecond are cut off.
func decimalNanos(text []byte, unit int64) (int64, bool) {
	whole, fraction, found := bytes.Cut(text, []byte("."))
	if !found || bytes.ContainsAny(fraction, "eE") {
		return 0, false
	}
	i, err := strconv.ParseInt(unsafe.String(unsafe.SliceData(whole), len(whole)), 10, 64)
	if err != nil {
		return 0, false
	}
	nanos := i * unit
	if nanos/unit != i {
		return 0, false
	}
	var part int64
	for _, c := range fraction {
		if unit /= 10; unit == 0 {
			break
		}
		part += int64(c-'0') * unit
	}
	if len(text) > 0 && text[0] == '-' {
		part = -part
	}
	if sum := nanos + part; (sum >= nanos) == (part >= 0) {
		return sum, true
	}
	return 0, false
}

func nanosOf(t time.Time, err error) (int64, bool) {
	if err != nil {
		return 0, false
	}
	nanos := t.UnixNano()
	return nanos, time.Unix(0, nanos).Equal(t)
}

// rfc3339 reads 2025-06-01T08:00:00.123456789+08:00; the T may be a small letter or a space, a
// leap second counts as the next second, digits beyond the nanosecond are cut off.
func rfc3339(b []byte) (nanos int64, ok bool) {
	if len(b) < 20 || b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	bad := false
	two := func(i int) int {
		hi, lo := b[i]-'0', b[i+1]-'0'
		bad = bad || hi > 9 || lo > 9
		return int(hi)*10 + int(lo)
	}
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if bad || month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	i := 19
	var fraction int64
	if b[i] == '.' {
		scale := int64(1e8)
		i++
		start := i
		for ; i < len(b) && b[i]-'0' <= 9; i++ {
			fraction += int64(b[i]-'0') * scale
			scale /= 10
		}
		if i == start || i == len(b) {
			return 0, false
		}
	}
	seconds := daysFromCivil(year, month, day)*86400 + int64(hour)*3600 + int64(minute)*60 + int64(second)
	switch c := b[i]; {
	case c|0x20 == 'z' && i+1 == len(b):
	case (c == '+' || c == '-') && i+6 == len(b) && b[i+3] == ':':
		hours, minutes := two(i+1), two(i+4)
		if bad || hours > 23 || minutes > 59 {
			return 0, false
		}
		offset := int64(hours)*3600 + int64(minutes)*60
		if c == '+' {
			offset = -offset
		}
		seconds += offset
	default:
		return 0, false
	}
	const secondsMax = math.MaxInt64/1000000000 - 1
	if seconds > secondsMax || seconds < -secondsMax {
		return 0, false
	}
	return seconds*1e9 + fraction, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysFromCivil counts the days from 1970-01-01 in the Gregorian calendar (Hinnant, chrono-compatible
// low-level date algorithms).
func daysFromCivil(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	ofEra := year - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return int64(era)*146097 + int64(ofEra*365+ofEra/4-ofEra/100+ofYear) - 719468
}
