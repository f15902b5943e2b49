//go:build !linux

package load

import (
	"context"
	"net"
)

func (d *driver) send(ctx context.Context, conns []net.Conn) (*tally, error) {
	return d.sendByGoroutines(ctx, conns)
}
