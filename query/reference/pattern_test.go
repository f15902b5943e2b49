package reference

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// TestPruning compares the searches, which do not go twice where nothing better can follow, with ones
// that try every chain.
func TestPruning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := randomFunnel(t)
		stream := randomStream(t)
		for at := range stream {
			s := f.search(stream, at, func(int, *row) bool { return true }, nil)
			begin := s.begin(at, 0)
			if got, want := s.best(begin), s.bestOfAll(begin); !slices.Equal(got, want) {
				t.Fatalf("best chain from %d: got %v, want %v", at, got, want)
			}
			for _, c := range begin {
				if got, want := s.firstMatch(c, map[string]bool{}), s.firstOfAll(c); !slices.Equal(got, want) {
					t.Fatalf("first match from %d: got %v, want %v", at, got, want)
				}
			}
		}
	})
}

// bestOfAll is best without a memory.
func (s *search) bestOfAll(begin []chain) chain {
	var best chain
	for _, c := range begin {
		if s.reached(c, c.last().step) && (best == nil || s.compare(c, best) < 0) {
			best = c
		}
		if longer := s.bestOfAll(s.next(c)); longer != nil && (best == nil || s.compare(longer, best) < 0) {
			best = longer
		}
	}
	return best
}

// firstOfAll is firstMatch without a memory.
func (s *search) firstOfAll(c chain) chain {
	for _, longer := range s.next(c) {
		if found := s.firstOfAll(longer); found != nil {
			return found
		}
	}
	if s.matched(c) {
		return c
	}
	return nil
}

func randomFunnel(t *rapid.T) *funnel {
	pick := func(list ...string) string { return rapid.SampledFrom(list).Draw(t, "part") }
	step := func() string {
		return pick("a", "b", "c", "a", "b", "(a & b)", "(a or b)", "*", "b?", "c?", "a{2}", "b{1,}", "a{0,2}", "a{2,3}", "((a or b) & b)")
	}
	var b strings.Builder
	b.WriteString("* | funnel " + pick("a", "b", "*", "(a & b)", "a{2}", "a+", "(a or b){1,2}", "a{2,}"))
	steps := 1 + rapid.IntRange(1, 3).Draw(t, "steps")
	for range steps - 1 {
		b.WriteString(pick(" -> ", " -> ", " => ", " ->[2m] ", " ->[> 0s] ", " =>[1m] ") + step())
	}
	b.WriteString(pick("", " within 3m", " within 2m", " increasing"))
	for range rapid.IntRange(0, 2).Draw(t, "exclusions") {
		from := rapid.IntRange(1, steps-1).Draw(t, "from")
		to := rapid.IntRange(from+1, steps).Draw(t, "to")
		fmt.Fprintf(&b, " except %s between %d and %d", pick("x", "c", "a"), from, to)
	}
	q, err := syntax.Parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	r := &run{calendar: scalar.NewCalendar(nil, time.Monday)}
	f := &funnel{Funnel: q.Stages[0].(*syntax.Funnel), run: r}
	if err := f.compile(); err != nil {
		t.Fatal(err)
	}
	return f
}

func randomStream(t *rapid.T) []*row {
	var stream []*row
	for range rapid.IntRange(1, 8).Draw(t, "events") {
		minute := rapid.IntRange(0, 4).Draw(t, "minute")
		name := rapid.SampledFrom([]string{"a", "a", "b", "b", "c", "x"}).Draw(t, "name")
		stream = append(stream, newRow(&event.Event{Time: int64(minute) * int64(time.Minute), Name: name, User: "u"}))
	}
	slices.SortStableFunc(stream, compareInTime)
	return stream
}

// TestInOrder compares inOrder with trying every order of the simultaneous events.
func TestInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &search{pattern: &pattern{}, events: randomStream(t)}
		s.events = s.events[:min(len(s.events), 6)]
		order := rapid.Permutation(numbers(len(s.events))).Draw(t, "chain")
		var c chain
		for _, at := range order[:rapid.IntRange(1, len(order)).Draw(t, "length")] {
			if len(c) > 0 && s.time(c.last()) > s.events[at].event.Time {
				continue
			}
			arrow := syntax.Arrow{Strict: rapid.Bool().Draw(t, "strict")}
			s.steps = append(s.steps, &step{Step: &syntax.Step{Arrow: arrow}})
			c = append(c, link{at: at, step: len(c)})
		}
		want := false
		permute(numbers(len(s.events)), 0, func(order []int) {
			want = want || s.follows(c, order)
		})
		if got := s.inOrder(c); got != want {
			t.Fatalf("chain %v: got %v, want %v", c, got, want)
		}
	})
}

// follows reports whether an order of the events is one of the stream, in which a chain goes forward and
// its strict arrows lead to the next event.
func (s *search) follows(c chain, order []int) bool {
	for i := 1; i < len(order); i++ {
		if s.events[order[i-1]].event.Time > s.events[order[i]].event.Time {
			return false
		}
	}
	for i := 1; i < len(c); i++ {
		way := slices.Index(order, c[i].at) - slices.Index(order, c[i-1].at)
		if way < 1 || s.strictAt(c, i) && way > 1 {
			return false
		}
	}
	return true
}

func numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// permute calls visit with every order of the numbers from i on.
func permute(list []int, i int, visit func([]int)) {
	if i == len(list) {
		visit(list)
		return
	}
	for j := i; j < len(list); j++ {
		list[i], list[j] = list[j], list[i]
		permute(list, i+1, visit)
		list[i], list[j] = list[j], list[i]
	}
}
