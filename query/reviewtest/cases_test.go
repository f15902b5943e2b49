// Package reviewtest asks questions that the tests and manuals of other products ask, on small sets of
// events, and compares with answers written by hand from the contract of the language.
//
// A case of testdata/*.txt is
//
//	== name of the case
//	env now=2025-06-30T12:00:00Z tz=Asia/Shanghai week=sun
//	ann a@10:00 b@10:05{"x":1}
//	- c@06-02T11:00
//	> * | funnel a -> b
//	--
//	step count
//	1    1
//	2    1
//
// Events stand behind their user (- for none), their times are UTC and lie on 2025-06-01 unless they have
// another day (MM-DD alone is its midnight). An answer shows the columns that matter; `error: text` wants an error with that
// text, `ok` any answer but an error. `skip REASON` before a query leaves it out.
package reviewtest

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query"
	"cairn/query/exec"
	"cairn/query/querytest"
	"cairn/query/reference"
	"cairn/query/result"
)

type memory struct {
	layout query.MemoryOptions
	opt    query.Options
	events []event.Event
	source query.Source
}

func (m *memory) Load(t testing.TB, events []event.Event) {
	m.events, m.layout.Links = events, nil
	m.Link(t, nil)
}

func (m *memory) Link(t testing.TB, links []engine.Link) {
	m.layout.Links = append(m.layout.Links, links...)
	var err error
	if m.source, err = query.MemoryWith(m.events, m.layout); err != nil {
		t.Fatal(err)
	}
}

func (m *memory) Query(text string, env reference.Env) (*result.Table, error) {
	opt := m.opt
	opt.Now, opt.Location, opt.WeekStart = env.Now, env.Location, &env.Week
	return query.Run(context.Background(), m.source, text, opt)
}

// evaluators are what every case runs on; those with an odd number get the events in reverse.
var evaluators = []struct {
	name string
	querytest.Evaluator
}{
	{"reference", &querytest.Reference{}},
	{"hot", &memory{layout: query.MemoryOptions{Hot: true}}},
	{"built", &memory{layout: query.MemoryOptions{BlockRows: 16}}},
	{"segments", &memory{
		layout: query.MemoryOptions{BlockRows: 4, Segments: 3},
		opt:    query.Options{Workers: 4, Knobs: exec.Knobs{NoIndex: true, NoPushdown: true, NoDictEval: true, NoShortcut: true, BlockTasks: true}},
	}},
}

func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runFile(t, file) })
	}
}

func runFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line := 1
	for i, part := range strings.Split("\n"+string(text), "\n== ") {
		name, body, _ := strings.Cut(part, "\n")
		if i > 0 {
			t.Run(name, func(t *testing.T) { runCase(t, fmt.Sprintf("%s:%d", file, line), body) })
		}
		line += strings.Count(part, "\n") + 1
		if i == 0 {
			line--
		}
	}
}

type ask struct{ text, want, skip string }

func runCase(t *testing.T, place, body string) {
	env := querytest.DefaultEnv()
	var lines []string
	var asks []*ask
	skip := ""
	mode := 0 // events, query, answer
	for _, line := range strings.Split(body, "\n") {
		rest, isAsk := strings.CutPrefix(line, "> ")
		reason, isSkip := strings.CutPrefix(line, "skip ")
		switch {
		case isAsk:
			asks = append(asks, &ask{text: rest, skip: skip})
			mode, skip = 1, ""
		case isSkip && mode != 1:
			skip = reason
		case mode == 1 && line == "--":
			mode = 2
		case mode == 1:
			asks[len(asks)-1].text += "\n" + line
		case strings.TrimSpace(line) == "" || line[0] == '#':
		case mode == 2:
			asks[len(asks)-1].want += line + "\n"
		case strings.HasPrefix(line, "env "):
			setEnv(t, &env, line[4:])
		default:
			lines = append(lines, line)
		}
	}
	events := parse(t, lines)
	seen := map[string]bool{} // failures: the evaluators mostly agree
	for i, e := range evaluators {
		stored := slices.Clone(events)
		if i%2 == 1 {
			slices.Reverse(stored)
		}
		e.Load(t, stored)
		for _, a := range asks {
			if a.skip != "" {
				continue
			}
			got, err := e.Query(a.text, env)
			if diff := compare(a.want, got, err); diff != "" && !seen[a.text+diff] {
				seen[a.text+diff] = true
				t.Errorf("%s (%s)\n%s\n%s", place, e.name, a.text, diff)
			}
		}
	}
}

func setEnv(t *testing.T, env *reference.Env, text string) {
	var err error
	for _, f := range strings.Fields(text) {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "now":
			env.Now, err = time.Parse(time.RFC3339, value)
		case "tz":
			env.Location, err = time.LoadLocation(value)
		case "week":
			env.Week = time.Weekday(strings.Index("sunmontuewedthufrisat", value) / 3)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

var item = regexp.MustCompile(`(\S+?)@([0-9T:.-]+)(\{[^}]*\})?(?:\s|$)`)

func parse(t *testing.T, lines []string) []event.Event {
	var b strings.Builder
	for _, line := range lines {
		user, rest, _ := strings.Cut(line, " ")
		for _, m := range item.FindAllStringSubmatch(rest, -1) {
			fmt.Fprintf(&b, "%s %s %s %s\n", instant(m[2]), m[1], user, m[3])
		}
	}
	events, err := querytest.ParseEvents(b.String())
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func instant(s string) string {
	date, clock := "2025-06-01", s
	if len(s) >= 5 && s[2] == '-' {
		date, clock = "2025-"+s[:5], "00:00"
		if len(s) > 5 {
			clock = s[6:]
		}
	}
	if strings.Count(clock, ":") == 1 {
		clock += ":00"
	}
	return date + "T" + clock + "Z"
}

var blanks = regexp.MustCompile(` {2,}`)

func compare(want string, got *result.Table, err error) string {
	wanted, isError := strings.CutPrefix(want, "error: ")
	switch {
	case isError && err == nil:
		return "want an error, got\n" + querytest.Text(got)
	case isError && !strings.Contains(err.Error(), strings.TrimSpace(wanted)):
		return "want " + want + "got error: " + err.Error()
	case isError:
		return ""
	case err != nil:
		return "error: " + err.Error()
	case strings.TrimSpace(want) == "ok":
		return ""
	}
	grid := strings.Split(strings.TrimSpace(want), "\n")
	var header []string
	for _, c := range got.Columns {
		header = append(header, c.Name)
	}
	var rows [][]string
	for _, line := range strings.Split(strings.TrimSpace(querytest.Text(got)), "\n")[1:] {
		if line != "(no rows)" && !strings.HasPrefix(line, "warning: ") {
			rows = append(rows, blanks.Split(line, -1))
		}
	}
	var pick []int
	for _, name := range strings.Fields(grid[0]) {
		i := slices.Index(header, name)
		if i < 0 {
			return "no column " + name + "\n" + querytest.Text(got)
		}
		pick = append(pick, i)
	}
	same := len(rows) == len(grid)-1
	for i := 0; same && i < len(rows); i++ {
		cells := strings.Fields(grid[i+1])
		same = len(cells) == len(pick)
		for j := 0; same && j < len(cells); j++ {
			same = equal(cells[j], rows[i][pick[j]])
		}
	}
	if same {
		return ""
	}
	return "want\n" + want + "got\n" + querytest.Text(got)
}

// equal compares cells; a dot matches anything, numbers may differ behind the fifth digit.
func equal(want, got string) bool {
	if want == got || want == "." {
		return true
	}
	x, err := strconv.ParseFloat(want, 64)
	y, err2 := strconv.ParseFloat(got, 64)
	return err == nil && err2 == nil && math.Abs(x-y) < 1e-5
}
