// Package scalar is the meaning of expressions on values: comparisons, arithmetic, the functions of
// the language, and the calendar behind bins and time ranges. The reference evaluator and the
// executor both compile expressions here, so a value means the same to both.
//
// Rules beyond the language page:
//
// Truth. A condition holds for true, and for a list with a true in it; every other value counts as
// false. Comparisons, and, or, not never give null.
//
// Comparison. a <= b is a < b or a = b. Null equals null; absent equals nothing. Where null is
// written in the query, f = null tests that f is absent or null, and f != null that it exists;
// `in (…, null)` too. false < true. Lists inside lists are searched to any depth; between two lists
// one pair of elements has to pass. {} equals {}. contains, starts with and ends with hold only
// between strings; their ~i forms compare both sides in lower case.
//
// Arithmetic. An integer result beyond int64 becomes a float; a time or duration beyond its range,
// and a float beyond its range, become null. % takes the sign of the left side. duration ÷ duration
// is a float, duration % duration a duration. Fractions of a nanosecond are rounded, half away from
// zero. Lists, strings and bools do not take part: null.
//
// Functions of text count characters. substr(s, start[, n]) counts from 1, from the end when start is
// negative; what lies outside is empty. concat takes any kind as str writes it. str writes a whole float
// without a point, a time as RFC 3339 in the query's zone, a duration as seconds, a list as JSON. num
// reads a string with blanks around it, true as 1, a duration as seconds, a time as Unix seconds.
// len of a list is the number of its elements. host is in lower case and without port; a text without
// "//" has no host and is all path. path of a URL without one is "/". param decodes %XX and +, takes
// the first of several, and is null when there is none.
//
// Functions of numbers. round(x[, digits]) rounds half away from zero; round without digits, floor and
// ceil give an integer when it fits in int64. log is natural. log, sqrt and pow outside of their domain
// are null. pow of integers is an integer when it is exact. abs and bucket also take durations.
//
// bucket(x, width) is the lower edge of the bucket, the multiple of the width as decimals have it:
// bucket(0.35, 0.1) is 0.3. bucket(x, e1, e2, …) is a label: "<e1", "e1..e2" (e1 included, e2 not), …, ">=en".
//
// Time. time("…") reads RFC 3339, a date, or a date-time in the query's zone, with T or a blank between.
// Of a date-time that the clocks show twice the earlier is meant; one that they skip is what the clock
// before the change would have called so. A number is seconds below 1e11, milliseconds below 1e14,
// microseconds below 1e17, else nanoseconds. weekday counts from 1, Monday, to 7, Sunday.
//
// Bins. Units up to an hour are counted in elapsed time from local midnight; the last bucket ends at the
// next midnight. Units of several hours follow the clock on the wall: bin(6h) starts at 0, 6, 12 and 18
// o'clock also on days of 23 or 25 hours, so that the bucket with the change is longer or shorter.
// Several calendar units are counted from the unit of the range's first instant, or without one from
// the unit of 1970-01-01. A midnight that the clocks skip is the first instant after it.
//
// Ranges. `last 3d` is [local midnight two days before, now); `last 24h` is [now − 24h, now). `on` is
// the calendar day. The upper end is always exclusive.
package scalar
