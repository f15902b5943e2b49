package exec

import (
	"math/rand/v2"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/scalar"
	"cairn/query/syntax"

	"github.com/RoaringBitmap/roaring/v2"
)

func TestAnsweredByBitmaps(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"* | retention a -> b", true},
		{"a or b | where event != \"c\" | retention first (a or {event ~ \"b\"}) -> *  every 1w brackets 0, 3 streak", true},
		{"* | extend e = event | lifecycle {e = \"a\"}", true},
		{"* | stickiness a at least", true},
		{"* | stickiness a min 2", false},
		{"* | retention a -> b min 2", false},
		{"* | retention a -> b by os", false},
		{"* | retention a -> b sum(amount)", false},
		{"* | retention a -> b rolling", false},
		{"* | retention a -> b{x = 1}", false},
		{"{os = \"ios\"} | lifecycle a", false},
		{"* | where time > \"2025-01-01\" | lifecycle a", false},
		{"* | lifecycle {did(a)}", false},
		{"* | sort time | lifecycle a", false},
		{"* | extend user = os | lifecycle a", false},
		{"* | funnel a -> b", false},
		{"* | stats count()", false},
	} {
		q, err := syntax.Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.Build(&q.Pipeline, scalar.NewCalendar(time.UTC, time.Monday), 0, event.AllTime)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			e    Execution
			want bool
		}{
			{Execution{Actor: columnRef{source: sourceUser}}, c.want},
			{Execution{Actor: columnRef{source: sourceUser}, Knobs: Knobs{NoShortcut: true}}, false},
			{Execution{Actor: columnRef{source: sourceField, name: "device"}}, false},
		} {
			if got := x.e.answeredByBitmaps(p); got != x.want {
				t.Errorf("%s: got %t, want %t", c.text, got, x.want)
			}
		}
	}
}

// Sets of bits have the members of bitmaps, however dense these are.
func TestUserBits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const last = 200_000
	words := userBitsWords(last)
	var set userBits
	all := roaring.New()
	for _, n := range []int{0, 3, 1000, 50_000, 150_000, 7} {
		b := roaring.New()
		for range n {
			b.Add(1 + random.Uint32N(last))
		}
		other := userBits(nil).with(b, words)
		if got, want := set.countBoth(other), all.AndCardinality(b); got != int64(want) {
			t.Errorf("%d members: %d in both, want %d", n, got, want)
		}
		set = set.with(b, words)
		all.Or(b)
		if got := set.count(); got != int64(all.GetCardinality()) {
			t.Errorf("%d members more: %d, want %d", n, got, all.GetCardinality())
		}
		set.eachBoth(other, func(id uint32) {
			if !b.Contains(id) {
				t.Errorf("%d is no member", id)
			}
		})
	}
}

func TestUserTally(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const sets, words = 11, 3
	tally := newUserTally(sets, words)
	want := map[uint32]int{}
	for range sets {
		s := make(userBits, words)
		for range 100 {
			s[random.IntN(words)] |= 1 << random.IntN(64)
		}
		tally.add(s)
		s.eachBoth(s, func(id uint32) { want[id]++ })
	}
	tally.add(nil)
	tally.each(func(first uint32, set uint64, n int) {
		userBits{set}.eachBoth(userBits{set}, func(bit uint32) {
			if want[first+bit] != n {
				t.Errorf("user %d: %d, want %d", first+bit, n, want[first+bit])
			}
			delete(want, first+bit)
		})
	})
	if len(want) > 0 {
		t.Errorf("not counted: %v", want)
	}
}

// The bounds of every slot tell the instants of the slot.
func TestTurnoutSlots(t *testing.T) {
	one := newTurnout(nil, []int64{10, 20, 20, 30})
	for at, want := range map[int64]int{9: -1, 10: 0, 19: 0, 20: 2, 29: 2, 30: 3, noLimit: 3, noPast: -1} {
		slot := one.slot(at)
		if slot != want {
			t.Errorf("%d: slot %d, want %d", at, slot, want)
		}
		if from, to := one.bounds(slot); at < from || at >= to && to != noLimit {
			t.Errorf("%d: slot %d is [%d, %d)", at, slot, from, to)
		}
	}
	open := newTurnout(nil, []int64{10, noLimit})
	if slot := open.slot(noLimit); slot != 0 {
		t.Errorf("the last instant is in slot %d", slot)
	}
}

func BenchmarkUserBits(b *testing.B) {
	const users = 175_000
	words := userBitsWords(users)
	x, y := make(userBits, words), make(userBits, words)
	for i := range users / 3 {
		x[3*i>>6] |= 1 << (3 * i & 63)
		y[2*i>>6] |= 1 << (2 * i & 63)
	}
	b.Run("op=count-both/users=175k", func(b *testing.B) {
		n := int64(0)
		for b.Loop() {
			n = x.countBoth(y)
		}
		if want := int64(users/3/3 + 1); n < want/2 || n > want*2 {
			b.Errorf("%d in both", n)
		}
	})
	b.Run("op=tally/sets=30/users=175k", func(b *testing.B) {
		for b.Loop() {
			tally := newUserTally(30, words)
			for range 15 {
				tally.add(x)
				tally.add(y)
			}
			n := 0
			tally.each(func(_ uint32, _ uint64, k int) { n += k })
			if n == 0 {
				b.Error("nothing counted")
			}
		}
	})
}
