// Package group lets goroutines that come at once with small pieces of work have one of them do it for all:
// group commit, as databases know it. Whoever comes first leads. While a group is being done the next ones
// wait, and are then done together by the first of them.
//
//	waiting:  e d c b        done together, by b, when a is done
//	running:  a              alone, for nobody else was there
package group

import (
	"runtime"
	"slices"
	"sync"
)

const (
	// gatherMin is how many more pieces a leader expects of letting others run, to do it once more.
	gatherMin = 4
	// gatherMax is the number of pieces from which on a leader gathers no more.
	gatherMax = 64
)

// Turn is how a goroutine that waits is woken. It serves one piece of work at a time and may be used again.
type Turn chan bool // true: it is to lead; false: its work is done

// NewTurn returns a Turn.
func NewTurn() Turn { return make(Turn, 1) }

// Queue brings pieces of work together. Its functions are set before its first use; it is then safe for use by
// several goroutines.
type Queue[T any] struct {
	// Take returns how many of those that wait, from the first, are to be done together: 1 at least.
	Take func(waiting []T) int
	// Work does the work of a group. One group is done at a time. It leaves results in what the pieces point
	// to; it does not keep the slice, and must not panic, as nobody else could do its work.
	Work func(group []T)

	mu      sync.Mutex
	waiting []T
	turns   []Turn
	leading bool
}

// Do returns when the work of a piece has been done.
func (q *Queue[T]) Do(piece T, turn Turn) {
	q.mu.Lock()
	q.waiting, q.turns = append(q.waiting, piece), append(q.turns, turn)
	lead := !q.leading
	q.leading = true
	q.mu.Unlock()
	if lead || <-turn {
		q.lead()
	}
}

// lead does the work of the front of the queue, whose first piece is the caller's, and hands the lead on.
func (q *Queue[T]) lead() {
	q.gather()
	q.mu.Lock()
	n := q.Take(q.waiting)
	pieces, turns := slices.Clone(q.waiting[:n]), slices.Clone(q.turns[1:n])
	q.waiting, q.turns = slices.Delete(q.waiting, 0, n), slices.Delete(q.turns, 0, n)
	q.mu.Unlock()

	q.Work(pieces)

	q.mu.Lock()
	if len(q.turns) > 0 {
		q.turns[0] <- true
	} else {
		q.leading = false
	}
	q.mu.Unlock()
	for _, turn := range turns {
		turn <- false
	}
}

// gather lets goroutines run that are ready to, as long as pieces come of it. A sync of a disk, and the waking
// of threads around it, costs as much as some tens of small pieces: the more share one, the more the machine
// can do. Whoever comes alone does not wait.
func (q *Queue[T]) gather() {
	for before := 0; ; {
		q.mu.Lock()
		n := len(q.waiting)
		q.mu.Unlock()
		if n < before+gatherMin || n >= gatherMax {
			return
		}
		before = n
		runtime.Gosched()
	}
}
