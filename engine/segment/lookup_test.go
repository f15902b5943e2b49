package segment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"cairn/engine/event"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// TestLookups compares every way to ask a column with its rows.
func TestLookups(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		inputs := inputsOf(rt, drawEvents(rt, 60))
		readers := []*Reader{NewHot(inputs)}
		encoded, err := Build(inputs, drawOptions(rt))
		for _, r := range append(readers, opened(t, encoded, err)...) {
			checkLookups(rt, r)
			checkUsers(rt, r)
		}
	})
}

func checkLookups(t *rapid.T, r *Reader) {
	rows, err := r.Rows(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append([]*Column{r.Event()}, r.Fields()...) {
		get := func(i int) event.Value {
			if c == r.Event() {
				return event.String(rows[i].Event.Name)
			}
			return rows[i].Event.Get(c.Name())
		}
		info := c.Info()
		d, err := c.Dict()
		if err != nil || info.Numeric != (d == nil) {
			t.Fatalf("column %q: %v, numeric %v", c.Name(), err, info.Numeric)
		}
		of := make(map[event.Value][]uint32)
		present, nulls := roaring.New(), 0
		for i := range rows {
			v := get(i)
			if v.IsAbsent() {
				continue
			}
			of[v] = append(of[v], uint32(i))
			present.Add(uint32(i))
			if v.IsNull() {
				nulls++
			}
			if !info.Kinds.Has(v.Kind()) || event.Compare(v, info.Min) < 0 || !info.Max.IsAbsent() && event.Compare(v, info.Max) > 0 {
				t.Fatalf("column %q: %v is not in %v to %v of %v", c.Name(), v, info.Min, info.Max, info.Kinds)
			}
		}
		got, err := c.PresentRows()
		if err != nil || !got.Equals(present) || info.Present != int(present.GetCardinality()) || info.Nulls != nulls {
			t.Fatalf("column %q: %d present, %d nulls, %v", c.Name(), info.Present, info.Nulls, err)
		}
		if d != nil && d.Len() != len(of) {
			t.Fatalf("column %q: %d codes for %d values", c.Name(), d.Len(), len(of))
		}
		for v, want := range of {
			if !c.MayContain(v) {
				t.Fatalf("column %q may not contain %v", c.Name(), v)
			}
			code, ok, err := c.Find(v)
			if err != nil || ok != (d != nil) {
				t.Fatalf("column %q: Find(%v) is %v, %v", c.Name(), v, ok, err)
			}
			if d == nil {
				continue
			}
			if d.Value(code) != v || d.Kind(code) != v.Kind() {
				t.Fatalf("column %q: code %d is %v, not %v", c.Name(), code, d.Value(code), v)
			}
			set, ok, err := c.Postings(code)
			if err != nil || ok && !slices.Equal(set.ToArray(), want) {
				t.Fatalf("column %q: postings of %v: %v, %v, want %v", c.Name(), v, set, err, want)
			}
		}
		if code, ok, err := c.Find(event.String("not there")); ok || err != nil {
			t.Fatal(code, err)
		}
	}
}

func checkUsers(t *rapid.T, r *Reader) {
	rows, err := r.Rows(nil)
	if err != nil {
		t.Fatal(err)
	}
	info := r.Info()
	all := roaring.New()
	for code, e := range info.Events {
		want, n := roaring.New(), 0
		for _, row := range rows {
			if row.Event.Name == e.Name {
				n++
				if row.User != NoUser {
					want.Add(row.User)
				}
			}
		}
		got, err := r.EventUsers(uint32(code))
		if err != nil || !got.Equals(want) || e.Rows != n || e.Users != int(want.GetCardinality()) {
			t.Fatalf("event %q: users %v, %v, want %v; counts %+v", e.Name, got, err, want, e)
		}
		all.Or(want)
	}
	got, err := r.AllUsers()
	if err != nil || !got.Equals(all) || info.Users != int(all.GetCardinality()) {
		t.Fatalf("users %v, %v, want %v", got, err, all)
	}
	users, starts, err := r.UserRuns()
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range users {
		from, to, err := r.UserRows(u)
		if err != nil || from != int(starts[i]) || to != int(starts[i+1]) {
			t.Fatal(from, to, err)
		}
		for _, row := range rows[from:to] {
			if row.User != u {
				t.Fatalf("user %d has a row of %d", u, row.User)
			}
		}
	}
}

// TestGather compares the three ways to read a vector.
func TestGather(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := opened(t, []*Encoded{sample(t, rapid.SampledFrom([]int{40, 300}).Draw(rt, "n"), rapid.Bool().Draw(rt, "small"))}, nil)[0]
		c := rapid.SampledFrom(append(r.Fields(), r.Time(), r.Event(), r.Received())).Draw(rt, "column")
		v, err := c.Block(rapid.IntRange(0, r.Blocks()-1).Draw(rt, "block"))
		if err != nil {
			rt.Fatal(err)
		}
		d, err := c.Dict()
		if err != nil {
			rt.Fatal(err)
		}
		rows := rapid.SliceOfDistinct(rapid.Uint16Range(0, uint16(v.Rows-1)), rapid.ID[uint16]).Draw(rt, "rows")
		slices.Sort(rows)
		if rapid.Bool().Draw(rt, "all") {
			rows = nil
		}
		n := len(rows)
		if rows == nil {
			n = v.Rows
		}
		present := v.AppendPresent(nil, rows)
		codes := v.Codes([]uint32{7}, rows)[1:]
		for i := range n {
			row := i
			if rows != nil {
				row = int(rows[i])
			}
			want := v.Value(row, d)
			if present[i] == want.IsAbsent() || v.Has(row) != present[i] || v.Code(row) != codes[i] && d != nil {
				rt.Fatalf("row %d: present %v, code %d and %d", row, present[i], v.Code(row), codes[i])
			}
			if d != nil && present[i] && d.Value(codes[i]) != want {
				rt.Fatalf("row %d: %v, want %v", row, d.Value(codes[i]), want)
			}
		}
		if !v.Numeric() {
			return
		}
		floats, ints := v.Floats(nil, rows), []int64(nil)
		if v.Kind == event.KindInt {
			ints = v.Ints(nil, rows)
		}
		for i := range n {
			row := i
			if rows != nil {
				row = int(rows[i])
			}
			want := v.Value(row, d)
			if want.IsAbsent() {
				want = event.Int(0)
			}
			if floats[i] != want.AsFloat() || ints != nil && ints[i] != want.AsInt() {
				rt.Fatalf("row %d: %v, want %v", row, floats[i], want)
			}
		}
	})
}

// TestLargeDictionary looks strings up in one with many pages, before and after it is read whole.
func TestLargeDictionary(t *testing.T) {
	var events []event.Event
	for i := range 20_000 {
		// Long common prefixes make page starts ambiguous.
		s := fmt.Sprintf("%s%06d", strings.Repeat("common ", 5), i*2)
		events = append(events, event.Event{Time: int64(i), Name: "x", ID: s, Fields: []event.Field{{Name: "f", Value: event.String(s)}}})
	}
	encoded, err := Build([]Input{inputOf(events, nil, 5)}, BuildOptions{})
	r := opened(t, encoded, err)[0]
	c := r.Field("f")
	if n := len(c.data.(*sealedColumn).meta.pages); n < 3 {
		t.Fatalf("%d pages", n)
	}
	for range 2 {
		for i := range 40_000 {
			s := fmt.Sprintf("%s%06d", strings.Repeat("common ", 5), i)
			code, ok, err := c.Find(event.String(s))
			if err != nil || ok != (i%2 == 0) || ok && int(code) != i/2 {
				t.Fatalf("Find(%q) is %d, %v, %v", s, code, ok, err)
			}
		}
		if d, err := c.Dict(); err != nil || d.Len() != 20_000 {
			t.Fatal(err)
		}
	}
	if received, ok, err := r.FindID(events[77].ID); received != 5 || !ok || err != nil {
		t.Error(received, ok, err)
	}
	if err := r.Verify(); err != nil {
		t.Error(err)
	}
}

func TestSortTexts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 23, 24, 500, 5000} {
		for _, alphabet := range []string{"a", "ab", "\x00a", "0123456789abcdef"} {
			texts := make([]string, n)
			numbers := make([]uint32, n)
			for i := range texts {
				b := []byte("prefix")
				for range rng.IntN(30) {
					b = append(b, alphabet[rng.IntN(len(alphabet))])
				}
				texts[i], numbers[i] = string(b), uint32(i)
			}
			sortTexts(texts, numbers)
			for i := 1; i < n; i++ {
				if texts[numbers[i]] < texts[numbers[i-1]] {
					t.Fatalf("%d texts of %q: %q before %q", n, alphabet, texts[numbers[i-1]], texts[numbers[i]])
				}
			}
			slices.Sort(numbers)
			for i, x := range numbers {
				if int(x) != i {
					t.Fatal("a text is gone")
				}
			}
		}
	}
}

func TestDecimals(t *testing.T) {
	for _, test := range []struct {
		floats []float64
		exp    uint8
		ok     bool
	}{
		{[]float64{1, 2, 3}, 0, true},
		{[]float64{19.99, 5}, 2, true},
		{[]float64{0.1, 0.25, 0.125}, 3, true},
		{[]float64{math.Copysign(0, -1)}, 0, false},
		{[]float64{1.0 / 3}, 0, false},
		{[]float64{1e300}, 0, false},
		{[]float64{9007199254740993}, 0, false},
	} {
		nums := make([]uint64, len(test.floats))
		for i, f := range test.floats {
			nums[i] = math.Float64bits(f)
		}
		if _, exp, ok := decimals(nums); ok != test.ok || ok && exp != test.exp {
			t.Errorf("%v: exponent %d, %v", test.floats, exp, ok)
		}
	}
}

func TestDropUsersAndCut(t *testing.T) {
	var events []event.Event
	for i := range 300 {
		user := "ann"
		if i%3 == 0 {
			user = "bob"
		}
		events = append(events, event.Event{Time: int64(1000 - i), Name: "x", User: user, Received: 77})
	}
	inputs := []Input{inputOf(events, testUsers, 77)}
	opt := BuildOptions{BlockRows: 16, MaxBlocks: 2, DropUsers: roaring.BitmapOf(testUsers["bob"])}
	encoded, err := Build(inputs, opt)
	readers := opened(t, encoded, err)
	if len(readers) != 7 { // 200 rows of one user, 32 at most to a segment
		t.Errorf("%d segments", len(readers))
	}
	kept := slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return e.User == "bob" })
	sameRows(t, contentOf(t, readers...), wanted(kept))
	opt.DropUsers = nil
	encoded, err = Merge(append(readers, NewHot(inputs)), opt)
	sameRows(t, contentOf(t, opened(t, encoded, err)...), wanted(append(kept, events...)))
	opt.DropUsers = roaring.BitmapOf(testUsers["ann"], testUsers["bob"])
	if encoded, err = Merge(readers, opt); err != nil || len(encoded) != 0 {
		t.Errorf("%d segments of nothing, %v", len(encoded), err)
	}
}

// TestConcurrentReads has many goroutines read one segment at once, for the race detector.
func TestConcurrentReads(t *testing.T) {
	in := inputOf(sampleEvents(300), testUsers, 77)
	for _, r := range []*Reader{NewHot([]Input{in}), opened(t, []*Encoded{sample(t, 300, false)}, nil)[0], opened(t, []*Encoded{sample(t, 300, true)}, nil)[0]} {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := readAll(r); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}
