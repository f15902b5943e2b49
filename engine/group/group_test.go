package group_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"

	"cairn/engine/group"
)

// TestEveryPieceIsDoneOnce has many goroutines bring pieces. Each must be done when Do returns, once, in a
// group of no more than Take allows, and one goroutine's in its order.
func TestEveryPieceIsDoneOnce(t *testing.T) {
	const goroutines, each, most = 50, 200, 7
	type piece struct{ of, number, done int }
	var order []piece
	largest, working := 0, false
	q := group.Queue[*piece]{
		Take: func(waiting []*piece) int { return min(len(waiting), most) },
		Work: func(pieces []*piece) {
			if working {
				t.Error("two groups at once")
			}
			working = true
			largest = max(largest, len(pieces))
			for _, p := range pieces {
				p.done++
				order = append(order, *p)
			}
			working = false
		},
	}
	var wait sync.WaitGroup
	for of := range goroutines {
		wait.Go(func() {
			turn := group.NewTurn()
			for number := range each {
				p := &piece{of: of, number: number}
				q.Do(p, turn)
				if p.done != 1 {
					t.Errorf("piece %d of %d was done %d times", number, of, p.done)
				}
			}
		})
	}
	wait.Wait()
	if len(order) != goroutines*each || largest > most {
		t.Fatalf("%d pieces, in groups of up to %d", len(order), largest)
	}
	slices.SortStableFunc(order, func(a, b piece) int { return a.of - b.of })
	for i, p := range order {
		if p.number != i%each {
			t.Fatalf("piece %d of %d was done as number %d", p.number, p.of, i%each)
		}
	}
}

// TestThoseWhoWaitAreDoneTogether holds the first group up until others wait.
func TestThoseWhoWaitAreDoneTogether(t *testing.T) {
	var sizes []int
	started, goOn := make(chan bool), make(chan bool)
	waiting := 0
	q := group.Queue[int]{Work: func(pieces []int) {
		if sizes = append(sizes, len(pieces)); len(sizes) == 1 {
			started <- true
			<-goOn
		}
	}}
	q.Take = func(w []int) int { waiting = len(w); return waiting }
	var wait sync.WaitGroup
	wait.Go(func() { q.Do(0, group.NewTurn()) })
	<-started
	for i := range 9 {
		wait.Go(func() { q.Do(i, group.NewTurn()) })
	}
	for group.Waiting(&q) < 9 {
		runtime.Gosched()
	}
	close(goOn)
	wait.Wait()
	if !slices.Equal(sizes, []int{1, 9}) || waiting != 9 {
		t.Errorf("groups of %v", sizes)
	}
}
