package server

import (
	"fmt"
	"sync/atomic"

	"cairn/server/api"
)

// budget counts bytes in use against a limit.
type budget struct {
	used atomic.Int64
}

// take adds n unless that is more than limit; one alone may always be as large as the limit.
func (b *budget) take(n, limit int64) bool {
	if b.used.Add(n) > limit {
		b.used.Add(-n)
		return false
	}
	return true
}

// lease is what a request holds of the budgets of bytes in flight: of the process and, as soon as it is
// known, of its tenant. The zero value holds nothing; release gives all back.
type lease struct {
	process, tenant           *budget
	processLimit, tenantLimit int64
	bytes                     int64
}

// grow takes n more bytes, before they are allocated.
func (l *lease) grow(n int64) error {
	if n <= 0 {
		return nil
	}
	if !l.process.take(n, l.processLimit) {
		return overloaded("the server is storing as many bytes as it may already")
	}
	if l.tenant != nil && !l.tenant.take(n, l.tenantLimit) {
		l.process.used.Add(-n)
		return overloaded(fmt.Sprintf("the tenant may have %d bytes in flight, and has them already", l.tenantLimit))
	}
	l.bytes += n
	return nil
}

// assign makes the tenant answer for what is held, and for what comes.
func (l *lease) assign(tenant *budget, limit int64) error {
	if l.tenant != nil {
		return nil
	}
	if !tenant.take(l.bytes, limit) {
		return overloaded(fmt.Sprintf("the tenant may have %d bytes in flight, and has them already", limit))
	}
	l.tenant, l.tenantLimit = tenant, limit
	return nil
}

func (l *lease) release() {
	if l.process != nil {
		l.process.used.Add(-l.bytes)
	}
	if l.tenant != nil {
		l.tenant.used.Add(-l.bytes)
	}
	*l = lease{}
}

func overloaded(message string) error {
	return &api.Error{Code: api.CodeOverloaded, Message: message, Hint: "send the same request again a little later"}
}
