package querytest

import (
	"strings"

	"pgregory.net/rapid"
)

// RandomIdentity draws two queries that have to give the same rows on any events, for RandomEnv: they
// hold whatever the reference says.
func RandomIdentity(t *rapid.T) (one, other string) {
	g := &generator{t: t, events: true, open: true, columns: []string{"x", "y", "s", "l", "time", "user", "event"}}
	a, b, key := g.condition(2), g.condition(2), g.key()
	source := "*" + g.timeRange()
	list := [][2]string{
		// a filter split over two stages, moved into the selector, and without its order
		{source + " | where (%[1]s) and (%[2]s)", source + " | where %[1]s | where %[2]s"},
		{source + " | where %[1]s", "{%[1]s}" + source[1:]},
		{source + " | where (%[1]s) or (%[2]s)", source + " | where (%[2]s) or (%[1]s)"},
		{source + " | where not ((%[1]s) or (%[2]s))", source + " | where not (%[1]s) and not (%[2]s)"},
		{"{%[1]s} or {%[2]s}" + source[1:], source + " | where (%[1]s) or (%[2]s)"},
		// a condition in an aggregate, before it, and as a column
		{source + " | stats count(%[1]s) as n, users(%[1]s) as u", source + " | where %[1]s | stats count() as n, users() as u"},
		{source + " | stats sum(y) if (%[1]s) as n", source + " | extend c = if(%[1]s, 1, 0) | where c = 1 | stats sum(y) as n"},
		// the parts of a partition make up the whole
		{source + " | stats count(%[1]s) + count(not (%[1]s)) as n", source + " | stats count() as n"},
		{source + " | stats count() as n by %[3]s as k | stats sum(n) as n", source + " | stats count() as n"},
		{source + " | stats count() as n, users() as u by %[3]s as k | sort n desc, k | limit 3 | project k, n", source + " | top 3 %[3]s as k by count() as n"},
		{source + " | stats count() as n by bin(6h) | stats sum(n) as n", source + " | stats count() as n"},
		{source + " | stats max(y) as n by %[3]s as k | stats max(n) as n", source + " | stats max(y) as n"},
		// columns by another name or with nothing lost
		{source + " | extend k = %[3]s | stats count() by k", source + " | stats count() by %[3]s as k"},
		{source + " | project k = %[3]s, y | stats avg(y) as m by k", source + " | stats avg(y) as m by %[3]s as k"},
		{source + " | rename z = y | stats sum(z) as n by user", source + " | stats sum(y) as n by user"},
		{source + " | stats users() as n", source + " | users | stats count() as n"},
		{source + " | stats users() as n", source + " | where exists(user) | stats count() by user | stats count() as n"},
		{source + " | stats distinct(x) as n", source + " | where exists(x) | stats count() by x | stats count() as n"},
		{source + " | stats p50(y) as m, count(event = event) as n by bin(6h)", source + " | stats median(y) as m, count() as n by bin(6h)"},
		{source + " | stats count() as n by bin(1d) | fill 0", source + " | stats count() as n by bin(1d)"},
		{source + " | sort y, time desc | limit 4 | project x, y", source + " | sort y, time desc | limit 9 | limit 4 | project x, y"},
	}
	pair := pickFrom(t, list)
	r := strings.NewReplacer("%[1]s", a, "%[2]s", b, "%[3]s", key)
	return r.Replace(pair[0]), r.Replace(pair[1])
}
