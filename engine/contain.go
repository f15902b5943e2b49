package engine

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"cairn/engine/segment"
)

// panicError is a panic that was contained. The log has the stack, which is nobody else's business.
type panicError struct{ value any }

func (e *panicError) Error() string {
	return fmt.Sprintf("panic, of which the log has more: %v", e.value)
}

// isContained reports whether an error is about one place only, be it corrupt or one where work panics: it will not
// go away, and does not keep anything else from being done.
func isContained(err error) bool {
	var contained *panicError
	return errors.Is(err, ErrCorrupt) || errors.Is(err, segment.ErrCorrupt) || errors.As(err, &contained)
}

// contain calls do and turns a panic into an error. It is for work that nobody has seen anything of until it is done,
// and that gives its locks back by defer: a panic then ends that work and nothing else, be it a query's or behind the
// scenes.
func (db *DB) contain(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			db.counters.panics.Add(1)
			db.opt.Logger.Error("a panic was contained", "panic", p, "stack", string(debug.Stack()))
			err = &panicError{p}
		}
	}()
	return do()
}

// containChange is contain for work that makes a change.
func (db *DB) containChange(do func() (*change, error)) (c *change, err error) {
	err = db.contain(func() (err error) {
		c, err = do()
		return err
	})
	return c, err
}

// mustEnd calls work of which a panic leaves it unknown what has been done, and fails the store then: what is on disk
// stays as it is and can be read. What and name say what it is.
func (db *DB) mustEnd(what, name string, work func() error) error {
	ended := false
	err := db.contain(func() error {
		err := work()
		ended = true
		return err
	})
	if !ended {
		db.store.fail(fmt.Errorf("%s: %w", strings.TrimSpace(what+" "+name), err))
		return db.store.err()
	}
	return err
}

// shunTime is how long a day on which background work has panicked is left alone.
const shunTime = time.Minute

// shunned is work that is left alone for a while: sealing or merging into a span.
type shunned struct {
	tenant *Tenant
	span   spanKey
	loop   int
}

// shun leaves work alone for a while if it has panicked: the same would come of it again.
func (w *worker) shun(err error, tenant *Tenant, span spanKey, loop int) {
	var panicked *panicError
	if !errors.As(err, &panicked) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.shunned == nil {
		w.mu.shunned = make(map[shunned]time.Time)
	}
	now := time.Now()
	for one, until := range w.mu.shunned {
		if now.After(until) {
			delete(w.mu.shunned, one)
		}
	}
	w.mu.shunned[shunned{tenant, span, loop}] = now.Add(shunTime)
}

// shuns reports whether work is to be left alone.
func (w *worker) shuns(tenant *Tenant, span spanKey, loop int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.mu.shunned[shunned{tenant, span, loop}])
}
