package query_test

import (
	"context"
	"fmt"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query"
	"cairn/query/exec"
	"cairn/query/querytest"
	"cairn/query/reference"
	"cairn/query/result"
)

// inMemory runs queries on segments in memory.
type inMemory struct {
	layout query.MemoryOptions
	opt    query.Options
	events []event.Event
	source query.Source
}

func (m *inMemory) Load(t testing.TB, events []event.Event) {
	m.events, m.layout.Links = events, nil
	m.Link(t, nil)
}

func (m *inMemory) Link(t testing.TB, links []engine.Link) {
	m.layout.Links = append(m.layout.Links, links...)
	var err error
	if m.source, err = query.MemoryWith(m.events, m.layout); err != nil {
		t.Fatal(err)
	}
}

func (m *inMemory) Query(text string, env reference.Env) (*result.Table, error) {
	return query.Run(context.Background(), m.source, text, withEnv(m.opt, env))
}

func withEnv(opt query.Options, env reference.Env) query.Options {
	opt.Now, opt.Location, opt.WeekStart = env.Now, env.Location, &env.Week
	if env.Range != (event.TimeRange{}) {
		opt.Range = &env.Range
	}
	return opt
}

func TestGoldenInMemory(t *testing.T) {
	for _, m := range []*inMemory{
		{layout: query.MemoryOptions{Hot: true}},
		{layout: query.MemoryOptions{BlockRows: 16, Segments: 3}, opt: query.Options{Workers: 8, Knobs: exec.Knobs{NoIndex: true, NoPushdown: true, NoDictEval: true, NoShortcut: true, BlockTasks: true}}},
	} {
		t.Run(fmt.Sprintf("%+v,%+v", m.layout, m.opt.Knobs), func(t *testing.T) {
			querytest.Run(t, func(testing.TB) querytest.Evaluator { return m })
		})
	}
}
