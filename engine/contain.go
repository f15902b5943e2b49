package engine

import (
	"fmt"
	"runtime/debug"
)

// panicError is a panic that was contained.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// contain calls do and turns a panic into an error with the stack. It is for work that nobody has seen anything of
// until it is done, and that gives its locks back by defer: a panic then ends that work and nothing else, be it a
// query's or behind the scenes.
func (db *DB) contain(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			db.counters.panics.Add(1)
			err = &panicError{p, debug.Stack()}
		}
	}()
	return do()
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
		db.store.fail(fmt.Errorf("%s %s: %w", what, name, err))
		return db.store.err()
	}
	return err
}
