package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"cairn/engine"
	"cairn/server"
)

type serveCmd struct {
	Data    string `arg:"" help:"Data directory."`
	Settle  bool   `help:"Finish all background work before serving."`
	Profile string `help:"Directory for profiles." placeholder:"DIR"`
}

// Run serves the directory as cairn serve does, on a free port, whose address it prints.
func (c *serveCmd) Run(ctx context.Context) (err error) {
	if c.Profile != "" {
		finish, err := profiles(c.Profile)
		if err != nil {
			return err
		}
		defer finish()
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	db, err := engine.Open(c.Data, engine.Options{Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if c.Settle {
		if err := db.Settle(ctx); err != nil {
			return err
		}
		debug.FreeOSMemory()
	}
	processors := server.AddProcessor()
	srv, err := server.New(db, server.Options{Logger: log, Processors: processors})
	if err != nil {
		return err
	}
	return serveUntil(ctx, srv.Serve, srv.Shutdown)
}

// serveUntil serves on a free port of loopback, whose address it prints, until ctx is done, and then shuts down.
func serveUntil(ctx context.Context, serve func(net.Listener) error, shutdown func(context.Context) error) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- serve(ln) }()
	fmt.Println(ln.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := shutdown(drain); err != nil {
		return err
	}
	return <-served
}

// profiles begins to profile the process; finish writes what was seen.
func profiles(dir string) (finish func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	cpu, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return nil, err
	}
	runtime.SetMutexProfileFraction(10)
	runtime.SetBlockProfileRate(10_000)
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		for _, name := range []string{"allocs", "heap", "mutex", "block"} {
			file, err := os.Create(filepath.Join(dir, name+".pprof"))
			if err == nil {
				err = errors.Join(pprof.Lookup(name).WriteTo(file, 0), file.Close())
			}
			if err != nil {
				progress("profile %s: %v", name, err)
			}
		}
		if err := cpu.Close(); err != nil {
			progress("profile cpu: %v", err)
		}
	}, nil
}
