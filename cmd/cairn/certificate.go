package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificateTick is how often the files of a certificate are looked at.
const certificateTick = 10 * time.Second

// certificate is a TLS certificate that is read again when its files change, so that a renewal needs no
// restart. One that cannot be read leaves the present one in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[tls.Certificate]

	mu   sync.Mutex // held while it is read
	seen [2]time.Time
}

func openCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	c.seen = c.times()
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("TLS certificate %s: %w", c.certFile, err)
	}
	c.current.Store(&pair)
	return nil
}

// times returns when the files were changed.
func (c *certificate) times() (out [2]time.Time) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			out[i] = info.ModTime()
		}
	}
	return out
}

// reload reads the files again if they have changed, or in any case.
func (c *certificate) reload(always bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.times()
	if !always && now == c.seen {
		return
	}
	c.seen = now
	if err := c.read(); err != nil {
		c.log.Error("the new certificate cannot be used; the old one stays", "error", err)
		return
	}
	attrs := []any{"file", c.certFile}
	if leaf := c.current.Load().Leaf; leaf != nil {
		attrs = append(attrs, "until", leaf.NotAfter)
	}
	c.log.Info("certificate read", attrs...)
}

// watch reads the certificate again when its files change, until the function returned is called.
func (c *certificate) watch() (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(certificateTick)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.reload(false)
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

func (c *certificate) listener(ln net.Listener) net.Listener {
	return tls.NewListener(ln, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	})
}
