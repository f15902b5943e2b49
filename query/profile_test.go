package query_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/query"
	"cairn/query/exec"
)

// profiled makes n users with an event and a profile each; every address is another.
func profiled(t testing.TB, n int) query.Source {
	var events []event.Event
	start := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for i := range n {
		user := fmt.Sprint("u", i)
		events = append(events, event.Event{Time: start + int64(i), Name: "open", User: user}, event.Event{
			Time: start, Name: "$profile", User: user, Fields: []event.Field{
				{Name: "$set.email", Value: event.String(fmt.Sprintf("user-%d@example.com", i))},
				{Name: "$append.tags", Value: event.String(fmt.Sprint("tag", i))},
				{Name: "$set.plan", Value: event.String([]string{"free", "pro"}[i%2])},
			},
		})
	}
	src, err := query.Memory(events)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestProfilesTakeMemory(t *testing.T) {
	src := profiled(t, 30_000)
	for _, text := range []string{`{user.email = "user-7@example.com"} | stats count()`, `{user.tags = "tag7"} | stats count()`} {
		_, err := query.Run(context.Background(), src, text, query.Options{MemoryBytes: 256 << 10})
		var memory *exec.MemoryError
		if !errors.Is(err, query.ErrMemory) || !errors.As(err, &memory) || !strings.Contains(err.Error(), "profile properties") {
			t.Errorf("%s: %v, want a memory error that names profile properties", text, err)
		}
		table, err := query.Run(context.Background(), src, text, query.Options{})
		if err != nil || table.Rows[0][0] != event.Int(2) {
			t.Errorf("%s: %v %v", text, table, err)
		}
	}
}

// Explain learns nothing of users and does not take that for an answer.
func TestExplainOfProfiles(t *testing.T) {
	src := profiled(t, 100)
	for _, text := range []string{`open{user.plan = "pro"} | stats count()`, `open{did(open)} | stats count()`} {
		e, err := query.Explain(context.Background(), src, text, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		step := e.Steps[0]
		if step.Segments != 1 || step.Rows == 0 || !slices.ContainsFunc(step.Answers, func(a exec.Answer) bool { return a.By == "users" }) {
			t.Errorf("%s: %+v", text, step)
		}
	}
}

// noUsers is a source that cannot look users up.
type noUsers struct{ query.Source }

var errNoUsers = errors.New("users cannot be read")

func (noUsers) UserID(string) (uint32, bool, error) { return 0, false, errNoUsers }

func TestAFailingLookUpIsNoAnswer(t *testing.T) {
	src := noUsers{profiled(t, 10)}
	for _, text := range []string{
		`* | users | extend plan = user.plan`,
		`open | sort time | where user.plan = "pro" | stats count()`,
		`let pro = * | users | where user.plan = "pro"; {user in pro} | stats count()`,
	} {
		if table, err := query.Run(context.Background(), src, text, query.Options{}); !errors.Is(err, errNoUsers) {
			t.Errorf("%s: %v %v", text, table, err)
		}
	}
	if _, err := query.ReadUser(context.Background(), src, "u1"); !errors.Is(err, errNoUsers) {
		t.Error(err)
	}
	if _, err := query.ReadUserEvents(context.Background(), src, "u1", query.UserEventsOptions{}); !errors.Is(err, errNoUsers) {
		t.Error(err)
	}
}

// A user's page stops when it is told to.
func TestUserPageIsCancelled(t *testing.T) {
	src := profiled(t, 10)
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := query.ReadUser(ctx, src, "u1"); !errors.Is(err, cause) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := query.ReadUserEvents(ctx, src, "u1", query.UserEventsOptions{}); !errors.Is(err, cause) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
