// Package bench measures the whole system for capacity planning: how fast a file is imported and
// batches are appended, what an event costs on disk and in memory, and how long questions take.
//
// What is measured stands in small text files (suites/*.bench): what to load, what to do, and the
// targets.
//
//	load events=10000000 seed=1 users=200000 days=30
//
//	import
//	  target ratio 0.6
//
//	append writers=4 batch=1000 events=400000 ids=0
//	  target events_per_s 500000
//
//	query count by day
//	  target 1ms
//	  * | stats count() by bin(1d)
//
// A line that begins at the margin starts a part; the indented lines after it are its targets and,
// for a query, its text, in which $user, $order and $coupon stand for ones that the data has. A #
// after white space begins a comment.
package bench

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/bench/workload"
)

//go:embed suites/*.bench
var suites embed.FS

// ErrSuite is wrapped by errors about the text of a suite.
var ErrSuite = errors.New("bad benchmark suite")

// Suite is what one text file describes.
type Suite struct {
	Name    string
	Load    workload.Options
	Import  *Import
	Appends []Append
	Queries []Query
}

// Import is the measurement of loading the whole workload from a file.
type Import struct {
	Targets map[string]float64
}

// Append is the measurement of synced batches from several writers.
type Append struct {
	Writers, Batch, Events int
	IDs                    float64 // share of sessions with insert ids
	Targets                map[string]float64
}

// Query is the measurement of one question.
type Query struct {
	Name   string
	Text   string
	Target time.Duration // 0: none
}

// Names returns the suites there are.
func Names() []string {
	entries, _ := fs.ReadDir(suites, "suites")
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".bench"))
	}
	return names
}

// Open returns one of the suites of Names.
func Open(name string) (*Suite, error) {
	text, err := suites.ReadFile("suites/" + name + ".bench")
	if err != nil {
		return nil, fmt.Errorf("%w: no suite %q; there are %s", ErrSuite, name, strings.Join(Names(), ", "))
	}
	return Parse(name, string(text))
}

// Parse reads the text of a suite.
func Parse(name, text string) (*Suite, error) {
	s := &Suite{Name: name}
	var part string
	for i, line := range strings.Split(text, "\n") {
		if n := strings.Index(" "+line, " #"); n >= 0 {
			line = line[:n]
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var err error
		if line[0] != ' ' {
			part = words[0]
			err = s.begin(part, words[1:])
		} else {
			err = s.detail(part, words, strings.TrimSpace(line))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s, line %d: %w", ErrSuite, name, i+1, err)
		}
	}
	for _, q := range s.Queries {
		if q.Text == "" {
			return nil, fmt.Errorf("%w: %s: query %q has no text", ErrSuite, name, q.Name)
		}
	}
	s.Load.EnsureDefaults()
	return s, nil
}

func (s *Suite) begin(part string, words []string) error {
	switch part {
	case "load":
		return settings(words, map[string]func(float64){
			"events": func(v float64) { s.Load.Events = int(v) }, "seed": func(v float64) { s.Load.Seed = uint64(v) },
			"users": func(v float64) { s.Load.Users = int(v) }, "days": func(v float64) { s.Load.Days = int(v) },
			"items": func(v float64) { s.Load.Items = int(v) }, "ids": func(v float64) { s.Load.IDs = v },
		})
	case "import":
		s.Import = &Import{Targets: map[string]float64{}}
		return settings(words, nil)
	case "append":
		a := Append{Writers: 4, Batch: 1000, Events: 400_000, Targets: map[string]float64{}}
		err := settings(words, map[string]func(float64){
			"writers": func(v float64) { a.Writers = int(v) }, "batch": func(v float64) { a.Batch = int(v) },
			"events": func(v float64) { a.Events = int(v) }, "ids": func(v float64) { a.IDs = v },
		})
		if err == nil && (a.Writers < 1 || a.Batch < 1 || a.Events < a.Batch) {
			err = errors.New("expected at least one writer, one event a batch and one batch")
		}
		s.Appends = append(s.Appends, a)
		return err
	case "query":
		if len(words) == 0 {
			return errors.New("the query has no name")
		}
		s.Queries = append(s.Queries, Query{Name: strings.Join(words, " ")})
		return nil
	}
	return fmt.Errorf("expected load, import, append or query, found %q", part)
}

func settings(words []string, known map[string]func(float64)) error {
	for _, word := range words {
		name, text, _ := strings.Cut(word, "=")
		set, ok := known[name]
		if !ok {
			return fmt.Errorf("unknown setting %q", word)
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || value < 0 {
			return fmt.Errorf("setting %q: expected a number", word)
		}
		set(value)
	}
	return nil
}

// figures are what a target may be set for, by part.
var figures = map[string][]string{
	"import": {"ratio", "peak_mb", "bytes_per_event", "open_ms"},
	"append": {"events_per_s"},
}

func (s *Suite) detail(part string, words []string, line string) error {
	if words[0] != "target" || part == "query" && len(words) != 2 {
		if part != "query" {
			return fmt.Errorf("expected target, found %q", words[0])
		}
		q := &s.Queries[len(s.Queries)-1]
		q.Text = strings.TrimSpace(q.Text + "\n" + line)
		return nil
	}
	if part == "query" {
		limit, err := time.ParseDuration(words[1])
		s.Queries[len(s.Queries)-1].Target = limit
		return err
	}
	if len(words) != 3 || !slices.Contains(figures[part], words[1]) {
		return fmt.Errorf("expected target, a figure (%s) and a number", strings.Join(figures[part], ", "))
	}
	value, err := strconv.ParseFloat(words[2], 64)
	if err != nil {
		return err
	}
	if part == "import" {
		s.Import.Targets[words[1]] = value
	} else {
		s.Appends[len(s.Appends)-1].Targets[words[1]] = value
	}
	return nil
}
