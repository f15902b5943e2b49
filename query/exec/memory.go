package exec

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

// Budget accounts for the memory of one query by purpose. It is safe for concurrent use. Adding
// never fails: operators look at Err once a block, so the total may pass the limit by what one
// block adds.
type Budget struct {
	limit int64
	used  atomic.Int64
	mu    struct {
		sync.Mutex
		purposes map[string]int64
	}
}

// NewBudget makes a budget of limit bytes; 0 means no limit.
func NewBudget(limit int64) *Budget {
	b := &Budget{limit: limit}
	b.mu.purposes = map[string]int64{}
	return b
}

// Add records that size more bytes (or fewer, if negative) are held for a purpose.
func (b *Budget) Add(purpose string, size int) {
	if size == 0 {
		return
	}
	b.used.Add(int64(size))
	b.mu.Lock()
	b.mu.purposes[purpose] += int64(size)
	b.mu.Unlock()
}

// Used returns the bytes held now.
func (b *Budget) Used() int64 { return b.used.Load() }

// held returns what is held for some purposes.
func (b *Budget) held(purposes []string) map[string]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	held := make(map[string]int64, len(purposes))
	for _, p := range purposes {
		held[p] = b.mu.purposes[p]
	}
	return held
}

// putBack makes the purposes of held hold what they held then.
func (b *Budget) putBack(held map[string]int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p, size := range held {
		b.used.Add(size - b.mu.purposes[p])
		b.mu.purposes[p] = size
	}
}

// Err returns a *MemoryError once more than the limit is held.
func (b *Budget) Err() error {
	if b.limit == 0 || b.used.Load() <= b.limit {
		return nil
	}
	e := &MemoryError{LimitBytes: b.limit, UsedBytes: b.used.Load()}
	b.mu.Lock()
	defer b.mu.Unlock()
	for purpose, size := range b.mu.purposes {
		if size > 0 {
			e.Purposes = append(e.Purposes, Purpose{purpose, size})
		}
	}
	sort.Slice(e.Purposes, func(i, j int) bool {
		if e.Purposes[i].Bytes != e.Purposes[j].Bytes {
			return e.Purposes[i].Bytes > e.Purposes[j].Bytes
		}
		return e.Purposes[i].Name < e.Purposes[j].Name
	})
	return e
}

// MemoryError ends a query that needs more memory than it may have. errors.Is(err, ErrMemory) holds.
type MemoryError struct {
	LimitBytes, UsedBytes int64
	Purposes              []Purpose // the largest first
}

// Purpose is what memory was used for, and how much.
type Purpose struct {
	Name  string
	Bytes int64
}

func (e *MemoryError) Error() string {
	var parts []string
	for i, p := range e.Purposes {
		if i == 3 {
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s", formatBytes(p.Bytes), p.Name))
	}
	return fmt.Sprintf("the query needs more memory than its limit of %s: %s; narrow the time range or group by fewer values",
		formatBytes(e.LimitBytes), strings.Join(parts, ", "))
}

// Is makes errors.Is(err, ErrMemory) true.
func (e *MemoryError) Is(target error) bool { return target == ErrMemory }

func formatBytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// account is one operator's view of a Budget: it tells the Budget only of changes of 64 KiB and
// more, so that small steps cost an addition. Not safe for concurrent use.
type account struct {
	budget  *Budget
	purpose string
	pending int
}

const accountStep = 64 << 10

func (a *account) add(size int) {
	a.pending += size
	if a.pending >= accountStep || a.pending <= -accountStep {
		a.budget.Add(a.purpose, a.pending)
		a.pending = 0
	}
}
