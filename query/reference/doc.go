// Package reference evaluates queries over a slice of events in the shortest way that is plainly
// right. It defines what the language means: every golden query and every random query gives the same
// answer here and in the executor. It is slow and keeps everything in memory.
//
// Rules beyond the language page; those on single values are in package scalar:
//
// Rows. Rows that are events come newest first; simultaneous ones by event, user, id, received, then
// by their fields in order of name, the smaller first. That order stays until a sort, and limit and
// offset take from it. A query without stages that make other rows answers with events: the columns of
// syntax.EventColumns, then the fields that some row of the answer has, by name, then the columns that
// stages added. A field called like an event column is shown as fields.NAME. Rows that project made
// are still events: users(), did and fields.NAME look at the event, whatever columns are left.
//
// The user. On events it is the user of the event, or the field that `set actor` names; on other rows
// the column user. Absent, null and no user are the same: counted as an event, left out per user.
//
// Stats. Group keys that are absent or null are one group, shown as null; 1 and 1.0 are one group,
// shown as 1; lists are compared whole, as text. Rows come by the keys in ascending order, nulls last.
// Without keys there is one row, also of no events. count and users of nothing are 0, so is sum; topk
// and hist without edges give an empty list, the others null. Aggregates pass over absent and null.
// sum, avg, stddev, median, quantile and hist take numbers, if there are any, else durations (median
// and quantile then also times) and pass over other values. The sum of integers is one while it fits in
// int64; every other sum is the float nearest to the exact sum; avg is the sum ÷ n. stddev is that of a
// sample (n − 1), null for fewer than two. min and max follow the order of sort over all kinds.
// distinct and topk take 1 and 1.0 for one value; topk lists values, the most frequent first, then the
// smaller. first and last pass over rows whose value is null, and go by the column time where rows are no
// events.
//
// Order of values of different kinds: false, true, numbers, strings, lists, objects, times, durations;
// nulls last, also when descending.
//
// Time buckets. A stats with bin(…) of time has a row for every bucket that shares an instant with the
// query's range, and every combination of the other keys that occurs; without bounds, between the
// first and the last bucket that occur. The first bucket may begin before the range. There is no such
// filling with a second bin of time among the keys, and none with `fill none` right behind. `fill 0`,
// `fill null` and `fill previous` right behind replace the aggregates of no events in added rows, and
// work also further down, on the rows that are left. fill 0 writes 0 into columns of numbers, 0 s into
// those of durations and null into others; rows are then again in the order of stats.
//
// over. The window of a bucket ends with the bucket, or with the range if that is sooner, and reaches
// its elapsed length back from the bucket's end. Stages between source and stats that look at one
// row alone (where, extend, project, rename, drop) let earlier events through for it; others do not. A
// combination of other keys that occurs only in earlier events has its rows too if it does so in the
// longest window of the first bucket.
//
// did counts events in the query's range, `did(… last 7d)` in the 7 × 24 h up to the range's end, which is
// now where there is none; both among all stored events. As a condition it means more than none, as a
// column or an operand it is the count.
//
// top is stats, sorted by its aggregate, descending, then by the keys; null is a group like any other.
// facets looks at event and all fields, or on other rows at all columns; nulls are no values; rows are
// by field, count (descending) and value. users is in ascending order. Ties of sort on events go by the
// order of events above, on other rows by the columns in order, ascending. running adds as sum does.
//
// The range of a let is its own; the range given from outside stands in for that of the last pipeline.
package reference
