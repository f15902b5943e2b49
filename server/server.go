// Package server serves a store over HTTP/1.1: events in, queries out. Routes, limits and errors are
// here, one file per route; the bodies of requests and answers are in server/api.
//
//	routes.go   path and method to handler, panics contained, requests logged
//	events.go   POST /v1/events
//	query.go    /v1/query and /v1/query/explain
//	tenant.go   whose events a request is about
//	body.go     Content-Encoding undone within limits
//	fail.go     errors to codes and statuses
//
// A handler decodes, calls and encodes. What fasthttp hands to it (path, headers, body) is reused after
// it returns, so whatever is kept longer is copied; the scanner copies all it takes from a body.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sync/semaphore"

	"cairn/engine"
	"cairn/engine/ingest"
)

// Options are the server's limits. The zero value works.
type Options struct {
	BodyBytesMax     int           // of a request on the wire; 8 MiB
	UnpackedBytesMax int           // of a body after its Content-Encoding; 64 MiB
	EventsMax        int           // of a request; 20,000
	InFlightBytesMax int64         // of all bodies being stored, unpacked; 256 MiB. More answers 429
	QueriesMax       int           // running at once; 16. More answers 429
	QueryTimeout     time.Duration // 30 s
	QueryMemoryBytes int64         // per query; 512 MiB
	RowsMax          int           // of an answer; 100,000
	ReadTimeout      time.Duration // for a whole request; 60 s
	IdleTimeout      time.Duration // between requests of a connection; 120 s

	Now    func() time.Time // time.Now
	Logger *slog.Logger     // silent
}

// EnsureDefaults fills what is zero.
func (o *Options) EnsureDefaults() {
	setDefault(&o.BodyBytesMax, 8<<20)
	setDefault(&o.UnpackedBytesMax, 64<<20)
	setDefault(&o.EventsMax, 20_000)
	setDefault(&o.InFlightBytesMax, 256<<20)
	setDefault(&o.QueriesMax, 16)
	setDefault(&o.QueryTimeout, 30*time.Second)
	setDefault(&o.QueryMemoryBytes, 512<<20)
	setDefault(&o.RowsMax, 100_000)
	setDefault(&o.ReadTimeout, 60*time.Second)
	setDefault(&o.IdleTimeout, 120*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T int | int64 | time.Duration](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}

// Server answers HTTP requests from a store that its caller opened and will close.
type Server struct {
	db       *engine.DB
	opt      Options
	http     *fasthttp.Server
	scanners sync.Pool // of *ingest.Scanner
	inFlight *semaphore.Weighted
	queries  chan struct{}
	stopping atomic.Bool
	requests atomic.Uint64
	// running is cancelled when the time to drain is over: it ends queries that are still running.
	running context.Context
	abort   context.CancelFunc
}

// New returns a server for db. Nothing is listened on before Serve.
func New(db *engine.DB, opt Options) *Server {
	opt.EnsureDefaults()
	s := &Server{
		db:       db,
		opt:      opt,
		inFlight: semaphore.NewWeighted(opt.InFlightBytesMax),
		queries:  make(chan struct{}, opt.QueriesMax),
	}
	s.scanners.New = func() any {
		scanner, err := ingest.NewScanner(ingest.Options{})
		if err != nil {
			panic(err) // the zero options are valid
		}
		return scanner
	}
	s.running, s.abort = context.WithCancel(context.Background())
	s.http = &fasthttp.Server{
		Name:               "cairn",
		Handler:            s.handle,
		ErrorHandler:       s.handleBroken,
		Logger:             quietLogger{opt.Logger},
		Concurrency:        2048,
		ReadBufferSize:     16 << 10, // also the most that headers may take
		MaxRequestBodySize: opt.BodyBytesMax,
		ReadTimeout:        opt.ReadTimeout,
		WriteTimeout:       opt.QueryTimeout + 60*time.Second,
		IdleTimeout:        opt.IdleTimeout,
		CloseOnShutdown:    true,

		NoDefaultServerHeader:        true,
		DisablePreParseMultipartForm: true,
	}
	return s
}

// Serve answers requests on ln until Shutdown; it then returns nil.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(ln); err != nil {
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	}
	return nil
}

// Shutdown stops accepting, waits for the requests that are running, and returns when all are
// answered or ctx is over, in which case what is still running is cut off. The caller closes the
// store afterwards.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	err := s.http.ShutdownWithContext(ctx)
	s.abort()
	if err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

// quietLogger passes fasthttp's own messages (broken connections, mostly) on as debug lines.
type quietLogger struct{ log *slog.Logger }

func (l quietLogger) Printf(format string, args ...any) {
	l.log.Debug("http", "message", fmt.Sprintf(format, args...))
}
