package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"cairn/engine"
	"cairn/server"
	"cairn/server/api"
)

type serveCmd struct {
	store
	Listen      string        `help:"Address and port to listen on; port 0 takes a free one." default:"127.0.0.1:8080" placeholder:"ADDR"`
	Insecure    bool          `help:"Allow an address that other machines can reach. Anybody who reaches it can read and write."`
	QueryMemory byteSize      `help:"Memory that one query may use." default:"512MiB" placeholder:"SIZE"`
	Timeout     time.Duration `help:"Time that one query may take." default:"30s"`
	Drain       time.Duration `help:"Time that running requests get to end after SIGTERM." default:"30s"`
	Verbose     bool          `help:"Log every request."`
}

func (serveCmd) Help() string {
	return `Examples:

  cairn serve --data ./cairn-data
  curl -d '{"event":"app_open","user":"u1"}' http://127.0.0.1:8080/v1/events
  curl http://127.0.0.1:8080/v1/query?format=text -d '* | stats count() by event'

An answer to /v1/events comes after the events are on disk. SIGTERM or Ctrl-C ends the server in
order: no new requests, the running ones are answered, the store is closed.`
}

func (cmd *serveCmd) Run(ctx context.Context, c *console) (err error) {
	if err := cmd.resolve(); err != nil {
		return err
	}
	ln, err := cmd.listener()
	if err != nil {
		return err
	}
	defer ln.Close()
	level := slog.LevelInfo
	if cmd.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}))
	db, err := cmd.openDB(engine.Options{Logger: log})
	if err != nil {
		return err
	}
	defer func() {
		if closed := db.Close(); err == nil {
			err = closed
		}
	}()
	srv, err := server.New(db, server.Options{
		Logger:   log,
		Insecure: cmd.Insecure,
		Limits:   api.Limits{QueryMemoryBytes: int64(cmd.QueryMemory), QueryMilliseconds: cmd.Timeout.Milliseconds()},
	})
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	fmt.Fprintf(c.err, "cairn serves %s on http://%s; stop it with Ctrl-C\n", cmd.Data, ln.Addr())

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping", "drain", cmd.Drain)
	drain, cancel := context.WithTimeout(context.Background(), cmd.Drain)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		return err
	}
	return <-served
}

// listener opens the port, unless others could reach it and nobody said that they may.
func (cmd *serveCmd) listener() (net.Listener, error) {
	host, _, err := net.SplitHostPort(cmd.Listen)
	if err != nil {
		return nil, usagef("--listen %s: expected an address and a port, such as 127.0.0.1:8080", cmd.Listen)
	}
	if !cmd.Insecure && !loopback(host) {
		return nil, usagef("--listen %s can be reached from other machines, and whoever reaches it can read and write everything: "+
			"listen on 127.0.0.1, or give --insecure if something else keeps strangers out", cmd.Listen)
	}
	return net.Listen("tcp", cmd.Listen)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
