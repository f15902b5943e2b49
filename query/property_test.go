package query_test

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query"
	"cairn/query/exec"
	"cairn/query/querytest"
	"cairn/query/result"
)

// layouts and knobs do not change answers.
func drawLayout(t *rapid.T) query.MemoryOptions {
	return query.MemoryOptions{
		Segments:  rapid.IntRange(1, 4).Draw(t, "segments"),
		BlockRows: rapid.SampledFrom([]int{1, 2, 4, 16, 65536}).Draw(t, "block rows"),
		Hot:       rapid.Bool().Draw(t, "hot"),
	}
}

func drawOptions(t *rapid.T) query.Options {
	return query.Options{
		Workers: rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "workers"),
		Knobs: exec.Knobs{
			NoIndex:    rapid.Bool().Draw(t, "no index"),
			NoPushdown: rapid.Bool().Draw(t, "no pushdown"),
			NoDictEval: rapid.Bool().Draw(t, "no dictionary evaluation"),
			NoShortcut: rapid.Bool().Draw(t, "no shortcut"),
			BlockTasks: rapid.Bool().Draw(t, "block tasks"),
		},
	}
}

// Random queries over random events have the answers of the reference, however the events are laid out
// and whatever optimisations are on.
func TestRandomQueriesAgreeWithTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := querytest.RandomEvents(t)
		text := querytest.RandomQuery(t)
		env := querytest.RandomEnv()
		var reference querytest.Reference
		reference.Load(nil, events)
		want, wantErr := reference.Query(text, env)
		for range 2 {
			shuffled := rapid.Permutation(slices.Clone(events)).Draw(t, "order")
			source, err := query.MemoryWith(shuffled, drawLayout(t))
			if err != nil {
				t.Fatal(err)
			}
			got, gotErr := query.Run(context.Background(), source, text, withEnv(drawOptions(t), env))
			if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
				t.Fatalf("%s\n%s", text, diff)
			}
			if wantErr == nil && !slices.Equal(want.Meta.Warnings, got.Meta.Warnings) {
				t.Fatalf("%s\nwarnings %q, want %q", text, got.Meta.Warnings, want.Meta.Warnings)
			}
		}
	})
}

// A filter in the selector and the same in a where stage are one.
func TestAFilterMayBeSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := querytest.RandomEvents(t)
		conditions := []string{"x = 1", "y > 0.5", `s != "a"`, "l contains \"a\"", `not (x = "a" and y < 2)`, "user = \"u1\"", "y = x", "exists(s)"}
		a := rapid.SampledFrom(conditions).Draw(t, "a")
		b := rapid.SampledFrom(conditions).Draw(t, "b")
		rest := " | stats count(), users(), sum(y), distinct(x) by s, bin(1d)"
		var tables []*result.Table
		for _, text := range []string{
			"{" + a + ", " + b + "}" + rest,
			"* | where " + a + " | where " + b + rest,
			"{" + b + "} | extend s = s | where " + a + rest,
		} {
			tables = append(tables, mustRun(t, events, text))
		}
		for _, other := range tables[1:] {
			if diff := querytest.Difference(tables[0], nil, other, nil); diff != "" {
				t.Fatalf("%s; %s\n%s", a, b, diff)
			}
		}
	})
}

func mustRun(t *rapid.T, events []event.Event, text string) *result.Table {
	source, err := query.MemoryWith(events, drawLayout(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := query.Run(context.Background(), source, text, withEnv(drawOptions(t), querytest.RandomEnv()))
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return got
}
