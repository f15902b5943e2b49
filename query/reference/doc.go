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
// Profiles. user.NAME is what the user's events called $profile, all that are stored, have made of the property
// by now, whatever the range and the stages. Their fields are operations, `$set.plan` sets the property plan;
// other fields do nothing. Operations of one instant, of one event or of several, are applied in the order
// $delete, $unset, $set, $set_once, $add, $append, $union, $remove, and those of one kind by value, the smaller
// first: of two simultaneous $set the greater one stays. $delete works if it is true. $unset is a name or a
// list of names, or $unset.NAME with any value; it takes what lies in an object with it, address also
// address.city, while setting one leaves the other. A property that is set to null is null. $set_once sets what
// is absent or null. $add counts that as 0, and does nothing where one of the two is no number; integers add up
// as with +. $append and $union take a value, or the elements of a list; what is no list becomes one of a single
// element, absent and null an empty one; $union leaves out what the list has, 1 and 1.0 being one. $remove
// takes all elements out that equal its value, or an element of it, and leaves what is no list. The user of an
// event is its own also with an actor, unless a stage made the column user; of other rows it is the column user,
// if that is a string. Nobody has no properties. What retention has dropped is gone from profiles too. A profile is that of the canonical user, of
// all the events of his ids, unless `set identity = raw`.
//
// Identity. Unless `set identity = raw`, the user of an event is the canonical one, by engine.Link's rules, wherever
// users are looked at: as a column, in counts by user, and for simultaneous events in their order. A text that is
// compared with the column user (=, !=, in, not in) is an id, and stands for the person whose id it is. A column
// user that a stage makes of something else holds what the stage says, and is compared as it is; but did,
// first_time, history and `user in NAME` look for the person whose id the value is. `set actor` takes fields as
// they are.
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
//
// Streams. The events of a user are in time order, simultaneous ones in the order of events above. That
// order says which of several simultaneous events is taken where it shows. Stages that look at one row
// alone let events before the range through for lifecycle, session, paths and the sessions of a funnel,
// and events behind it for funnel, match, retention, session and paths; behind any other stage, and behind
// gap and session, the stream is the rows. Conditions of selectors see the row, columns that stages made
// first; the name in a selector is the event's own. What is stored has no such columns: a condition on one
// finds nothing in history. A stage that counts in periods has a row for every period that shares an
// instant with the range; without bounds, from the first to the last in which something is to be counted.
//
// Patterns. The events of a chain are in an order in which each is simultaneous with the one before or
// later; with `increasing` later, also within a step. A step is reached with the n-th event of its
// quantifier (of `?` and {0,…} the first), a group with the last of its members; that is the time of the
// step. An arrow's limit counts from the last event of the step taken before to the first of the next. The
// events of one step are joined by `->` without limit or, where the step's arrow is strict, by `=>`; for
// the first step the arrow behind it says which. A strict arrow needs an order of the stream, in which
// only simultaneous events change places, one order for the whole chain, where nothing stands between its
// two events; an event that another attempt has used is still there. A step behind optional ones that are
// passed over follows the last step taken, by its own arrow. `first` looks at stored events, without
// columns that stages made; several events at the first instant are each the first.
//
// funnel. Of the chains of one start the best reaches the furthest step, then takes most steps, then has
// the earliest times, step by step, then fewest events (it takes more than a quantifier needs only to get
// further), then events that come first in the stream, then the lower steps. A start that does not reach
// the first step is no attempt. Between attempts as deep, with as many steps and the same start time, the
// first event in the stream decides. `event` is the step's name, else that of its event as it is, or, where
// there is more to it, its selector. A rate of nothing is null. dropped counts at the furthest step of
// those who have not reached the last required one; pending are those of them whose deadline is now or
// later. avg_time, median_time and sums are those of the attempts that count.
//
// except. From the time of step i, or the first step taken behind it, no step up to j, or the first taken
// behind it, is reached by an event later than the first excluded one; the chain is the best of those that
// keep to that. With remove the chain is made without regard to it and then found spoilt or not; where
// step i was not reached, it is not. An attempt that is less deep does not stand in for spoilt ones. hold
// needs a value that is present. Excluded events with another value of it do not count; those without one
// do.
//
// open. An event that can start at several steps makes several attempts. A user's attempt is the one that
// gets furthest, then has most steps; the others only make him count at the steps that they took.
//
// count. A total that has not converted ends with the first excluded event from where its exclusion looks,
// or after its deadline; the next one may start at the very time at which one converted or was excluded.
// Each combination of held values has attempts of its own. Spoilt attempts are not counted but keep others
// from starting. Sessions that begin before the range do not count; without a session stage they have no
// longest length.
//
// by. At a step n above 1, values are those on its events in the range or up to `within` behind it, of the
// user or, with count sessions, the session. All events of the step have the value. first and last look at
// the events that match any step there, key by key, among simultaneous ones at the least, the greatest
// value. Groups are in order of their keys, with `top` by count at step 1 (descending), then keys, and
// `other` last. Its first key says "other", the rest are null; it holds all attempts of its groups, of
// which one counts for each user as ever; totals and sessions add up. Groups in which nothing counts are
// not shown.
//
// trend has a row for every bucket of the range (without bounds, from the first to the last with an
// attempt) in every group that has any attempt that counts; spoilt attempts spoil their own bucket alone.
// times, converted and the like look at the attempts that count. times goes from the first step to the
// last, also an optional one, by default, and counts those that took both. converted lists who counts at a
// step, the last required one by default, dropped who got to that step and no further, by default to any;
// who reached the last required one has not dropped out. With totals and sessions a user is listed with his
// first such attempt. Rows of users are ordered by all columns. users right behind funnel gives user, time,
// step and the groups: how far each got at best; behind converted, dropped and pending user and his
// earliest time.
//
// match. Of the matches from one start it takes the first when every choice is tried in this order:
// another event for the same step, then the next step, then those behind optional ones; each with the
// events of the stream in order. Without `within` all events lie in the range. The next match starts with
// an event that the one before has not taken and that is not earlier than its last. Events without one of
// the keys are left out. Of a step x also x.time, x.event, x.user, x.id, x.received and x.count (0 when it
// was passed over) can be named; shown are x.time, x.event and, behind a quantifier, x.count. Rows are by
// key, start, then the columns shown.
//
// session. What it adds is about the session's events in the stream; session.number counts a user's
// sessions in the answer. session.id is the user, "@" and the time of the session's first event in UTC.
// session.entry.NAME is the field of the first event, or its time, event, user, id or received; such columns
// are there for stages behind and not shown. Events of no user are left out. Rows keep their order; those
// behind the range come along. A second session replaces the columns of the first.
//
// gap. The event before lies in the range too; events of no user have no gap.
//
// retention. A user with several STARTs in a period is in its cohort once, with the first; of several first
// ones the least value of each group key counts, null last. RETURN may lie behind the range. p0 counts the
// whole cohort, also with brackets or min and while its period runs; with sum and avg it looks at period 0
// alone, from START on, and takes every user. Other cells take the values of users who fulfil the cell's
// condition. A cell is null until the last period that it needs is over: the last of a bracket with `on`,
// else its own; with rolling for everyone who can be in the cohort. Every period of the range has its row
// in every group. The last row is the mean of every column, of size too, over the cohorts whose cell is
// there, each with its size for weight: that of size is the sum of the squares of the sizes divided by
// their sum. Empty cohorts weigh nothing; where nobody is in any, size is 0.0 and the other columns are
// null. Sums of nothing count as no time among durations; the mean of numbers and durations together is
// null.
//
// lifecycle. A user is new in the period of his first match in history if he has a match in that period
// which the pipeline and the range let through. The period before the first is read as a whole, of the
// first only what lies in the range. stickiness looks at the range alone.
//
// paths. With `within` a path begins at the user's first event, or with `from` match, in the range that no
// path before holds, and takes everything up to that time after it, also behind the range; by pause it is a
// session of the stream without a longest length, that begins in the range. Then events that `except`
// matches and those without a node are taken out, then `from` and `to` cut, then equal neighbours collapse
// into the first of them, then, for the rows of steps alone, `max` counts. `to` matches behind the event of
// `from`. A path's group is that of its first event after the cuts. Of edges the most frequent `top` per
// group are kept, ties by step, source, target; rows are by step, then count (descending). The time of a
// journey is that from its first to its last node. A path returns to a node that it holds twice. loops and
// dead ends leave out nodes without any, are by rate and count (descending) and node, and their users are
// those of the paths counted. `shortest` rows are by steps, count (descending) and path, as many as it or
// `top` says, whichever is less. All these look at whole paths: `max` does nothing to them.
//
// users right behind retention gives user, the groups, cohort and period for every cell that a user is
// counted in; behind lifecycle user, time and state; behind stickiness user and periods, his own also with
// `at least`; behind paths user, the groups and step, source, target of the rows shown, or node, or path.
// Rows are ordered by all columns.
package reference
