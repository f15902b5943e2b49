package engine

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/keys"
)

// use keeps Pebble open until done is called, or returns ErrClosed.
func (s *store) use() error {
	s.users.Add(1)
	if s.closed.Load() {
		s.done()
		return ErrClosed
	}
	return nil
}

func (s *store) done() {
	if s.users.Add(-1) == 0 && s.closed.Load() {
		signal(s.idle)
	}
}

// waitIdle waits, once closed is set, until nobody uses Pebble.
func (s *store) waitIdle() {
	for s.users.Load() != 0 {
		<-s.idle
	}
}

// get returns a copy of a value, or nil if there is none.
func (s *store) get(key []byte) ([]byte, error) {
	if err := s.use(); err != nil {
		return nil, err
	}
	defer s.done()
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.readError(key, err)
	}
	out := append(make([]byte, 0, len(value)), value...)
	return out, closer.Close()
}

func (s *store) readError(key []byte, err error) error {
	if pebble.IsCorruptionError(err) {
		return &CorruptionError{Key: key, Err: err}
	}
	return fmt.Errorf("read %s: %w", keys.Format(key), err)
}

// scan calls visit for every key of the span in order; key and value are valid during the call.
func (s *store) scan(span keys.Span, visit func(key, value []byte) error) error {
	it, err := s.iterate(span)
	if err != nil {
		return fmt.Errorf("iterate: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = visit(it.Key(), value)
		} else {
			err = s.readError(append([]byte(nil), it.Key()...), err)
		}
		if err != nil {
			_ = it.Close()
			return err
		}
	}
	if err := it.Error(); err != nil {
		_ = it.Close()
		return s.readError(span.Start, err)
	}
	return it.Close()
}

// scanSizes calls visit for every key of the span with the size of its value, which is not read.
func (s *store) scanSizes(span keys.Span, visit func(key []byte, size int) error) error {
	it, err := s.iterate(span)
	if err != nil {
		return fmt.Errorf("iterate: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		lazy := it.LazyValue()
		if err := visit(it.Key(), lazy.Len()); err != nil {
			_ = it.Close()
			return err
		}
	}
	if err := it.Error(); err != nil {
		_ = it.Close()
		return s.readError(span.Start, err)
	}
	return it.Close()
}

// iterator keeps Pebble open until it is closed.
type iterator struct {
	*pebble.Iterator
	store *store
}

// Close ends the iteration; it is called once.
func (it iterator) Close() error {
	defer it.store.done()
	return it.Iterator.Close()
}

func (s *store) iterate(span keys.Span) (iterator, error) {
	if err := s.use(); err != nil {
		return iterator{}, err
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: span.Start, UpperBound: span.End})
	if err != nil {
		s.done()
		return iterator{}, err
	}
	return iterator{it, s}, nil
}
