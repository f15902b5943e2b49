package exec

import (
	"sync"

	"cairn/engine/event"
	"cairn/engine/segment"
)

// nameCache keeps the names of users that a query has to see, by dense id. It is safe for
// concurrent use.
type nameCache struct {
	mu    sync.RWMutex
	names map[uint32]event.Value
	done  map[*view]bool
	size  int // bytes accounted for
}

// load fetches the names of all users of a segment.
func (c *nameCache) load(x *Execution, v *view) error {
	c.mu.RLock()
	done := c.done[v]
	c.mu.RUnlock()
	if done {
		return nil
	}
	users, _, err := v.reader.UserRuns()
	if err != nil {
		return err
	}
	if err := c.fetch(x, users); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = map[*view]bool{}
	}
	c.done[v] = true
	return nil
}

// fetch makes the names of the given users known.
func (c *nameCache) fetch(x *Execution, users []uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names == nil {
		c.names = map[uint32]event.Value{}
	}
	var missing []uint32
	for _, u := range users {
		if _, ok := c.names[u]; !ok && u != segment.NoUser {
			missing = append(missing, u)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	names, err := x.Source.UserNames(missing)
	if err != nil {
		return err
	}
	size := 0
	for i, u := range missing {
		c.names[u] = event.String(names[i])
		size += internedBytes + len(names[i])
	}
	x.Budget.Add(namesPurpose, size)
	c.size += size
	return nil
}

const namesPurpose = "names of users"

// forget drops all names if there are more than keep. Nobody may be using them meanwhile.
func (c *nameCache) forget(x *Execution, keep int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.names) <= keep {
		return
	}
	c.names, c.done = nil, nil
	x.Budget.Add(namesPurpose, -c.size)
	c.size = 0
}

// value returns the name of a user whose name was fetched; absent for NoUser.
func (c *nameCache) value(user uint32) event.Value {
	if user == segment.NoUser {
		return event.Value{}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.names[user]
}
