// Package server serves a store over HTTP/1.1: events in, queries out, and what it takes to run it.
//
//	routes.go, table.go  path and method to handler; panics contained
//	request.go           one request: parameters, tenant, answers
//	auth.go              token to tenant and scopes; package access keeps the tokens
//	body.go, unpack.go   bodies within limits of size, time and memory; Content-Encoding undone
//	limits.go            every limit of a tenant, with its default
//	budget.go, turns.go  bytes in flight; queries running, shared fairly by tenants
//	tenants.go           what the server keeps of a tenant
//	events.go            POST /v1/events
//	intake.go            small bodies of events that come at once, stored as one
//	vendor.go            the protocols of other vendors' clients, which package protocol reads
//	query.go, …          one file for each kind of route
//	fail.go              errors to codes and statuses
//	memory.go            how often memory is collected, and when it is given back
//	openapi.go           the routes described for programs
//
// A handler decodes, calls and encodes. What fasthttp hands to it (path, headers, body) is reused after
// it returns, so whatever is kept longer is copied; the scanner copies all it takes from a body.
//
// There are two listeners: the public one, and one for administration, on a loopback address, which
// also has metrics and profiles.
package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"cairn/engine"
	"cairn/engine/held"
	"cairn/server/access"
	"cairn/server/api"
)

// Options are the server's own limits and habits; those of tenants are in Limits. The zero value works.
type Options struct {
	// Limits are those of a tenant that sets none; what is zero has the default of api.Limits.
	Limits api.Limits

	InFlightBytes  int64         // of all bodies being read and stored; 256 MiB. More answers 429
	Queries        int           // running at once; twice the number of CPUs, at least 4
	QueriesWaiting int           // of one tenant; 64. More answers 429
	QueryWait      time.Duration // at most, for a turn; 10 s
	Connections    int           // at once; 2,048
	ConnectionsIP  int           // at once from one address; 1,024

	// What a client may take; without TLS it may be a second more.
	HeaderTimeout time.Duration // for the header of a request; 20 s
	BodyGrace     time.Duration // for the beginning of a body, which then has to come at 16 KiB/s; 20 s
	WriteTimeout  time.Duration // for an answer, or a piece of 64 KiB of one that is streamed; 120 s
	IdleTimeout   time.Duration // between requests of a connection; 120 s

	// AdminPublic serves on the public listener what is else for the admin listener only.
	AdminPublic bool
	// Insecure lets everybody in, by whatever name, while there is no token.
	Insecure bool
	// BackupDir is where backups are made; "" makes none.
	BackupDir string
	// Processors gives queries the processors that there are; nil leaves them as they are.
	Processors *Processors
	// SlowQuery is the time from which a query is logged; 1 s, negative never.
	SlowQuery time.Duration

	Now    func() time.Time // time.Now
	Logger *slog.Logger     // silent
}

// EnsureDefaults fills what is zero.
func (o *Options) EnsureDefaults() {
	o.Limits = over(standardLimits(), o.Limits)
	setDefault(&o.InFlightBytes, 256<<20)
	setDefault(&o.Queries, max(4, 2*o.Processors.count()))
	setDefault(&o.QueriesWaiting, 64)
	setDefault(&o.QueryWait, 10*time.Second)
	setDefault(&o.HeaderTimeout, 20*time.Second)
	setDefault(&o.BodyGrace, 20*time.Second)
	setDefault(&o.WriteTimeout, 120*time.Second)
	setDefault(&o.IdleTimeout, 120*time.Second)
	setDefault(&o.Connections, 2048)
	setDefault(&o.ConnectionsIP, 1024)
	setDefault(&o.SlowQuery, time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Validate refuses limits that are out of range; it expects the defaults filled in.
func (o *Options) Validate() error { return checkLimits(o.Limits) }

func setDefault[T int | int64 | time.Duration](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}

// Server answers HTTP requests from a store that its caller opened and will close.
type Server struct {
	db       *engine.DB
	opt      Options
	tokens   *access.Table
	tenants  *tenants
	router   *router
	openAPI  func() []byte // the document, made when it is asked for
	public   *fasthttp.Server
	admin    *fasthttp.Server
	inFlight budget
	turns    *turns
	priority *priority
	scanning chan struct{} // the long bodies that are being scanned while questions keep coming
	queries  queries
	// snapshots are kept for a while, to be asked again.
	snapshots *held.Snapshots[*engine.Snapshot]
	backups   backups
	metrics   *metrics
	pressure  func() float64 // of the engine; tests put others in its place
	starting  atomic.Bool    // Recovery has not ended
	stopping  atomic.Bool
	requests  atomic.Uint64
	// refused counts the requests without a good token since the last log line on them.
	refused  struct{ count, logged atomic.Int64 }
	idPrefix string // of request ids, another one in every process
	// running is cancelled when the time to drain is over: it ends queries that are still running.
	running    context.Context
	abort      context.CancelFunc
	background sync.WaitGroup
}

// New returns a server for db. Nothing is listened on before Serve. It fails when the tokens or the
// options cannot be read.
func New(db *engine.DB, opt Options) (*Server, error) {
	opt.EnsureDefaults()
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	ballast()
	tokens, err := access.Open(db, opt.Now)
	if err != nil {
		return nil, err
	}
	s := &Server{
		db:     db,
		opt:    opt,
		tokens: tokens,
		turns:  newTurns(opt.Queries, opt.QueriesWaiting, opt.QueryWait),
	}
	s.priority = newPriority(db.StandStill)
	s.scanning = make(chan struct{}, max(1, opt.Processors.count()-1))
	s.tenants = newTenants(db, opt.Limits, s.priority.standStill)
	s.pressure = db.Pressure
	s.snapshots = held.New[*engine.Snapshot](held.Options{})
	s.metrics = newMetrics(s)
	s.router = newRouter(routes())
	s.openAPI = sync.OnceValue(func() []byte { return openAPI(s.router.all) })
	var prefix [3]byte
	_, _ = rand.Read(prefix[:])
	s.idPrefix = hex.EncodeToString(prefix[:]) + "-"
	s.running, s.abort = context.WithCancel(context.Background())
	s.public = s.newHTTP(s.handlePublic)
	s.admin = s.newHTTP(s.handleAdmin)
	s.background.Go(s.keepHouse)
	return s, nil
}

func (s *Server) newHTTP(handler fasthttp.RequestHandler) *fasthttp.Server {
	return &fasthttp.Server{
		Name:           "cairn",
		Handler:        handler,
		ErrorHandler:   s.handleBroken,
		Logger:         quietLogger{s.opt.Logger},
		Concurrency:    s.opt.Connections,
		MaxConnsPerIP:  s.opt.ConnectionsIP,
		ReadBufferSize: 16 << 10, // also the most that headers may take
		// Bodies are streamed: a handler knows by then who sends them, takes memory as they come, and
		// has its own limits and deadlines (body.go). This one is for what comes with the header.
		StreamRequestBody:  true,
		MaxRequestBodySize: 1 << 30,
		ReadTimeout:        s.opt.HeaderTimeout,
		WriteTimeout:       s.opt.WriteTimeout,
		IdleTimeout:        s.opt.IdleTimeout,
		CloseOnShutdown:    true,
		LazyRequestTime:    true,

		NoDefaultServerHeader:        true,
		DisablePreParseMultipartForm: true,
	}
}

// Serve answers the requests of clients on ln until Shutdown; it then returns nil.
func (s *Server) Serve(ln net.Listener) error { return serve(s.public, ln) }

// ServeAdmin answers requests of administration on ln until Shutdown; it then returns nil.
func (s *Server) ServeAdmin(ln net.Listener) error { return serve(s.admin, ln) }

func serve(h *fasthttp.Server, ln net.Listener) error {
	if err := h.Serve(coarseListener{ln}); err != nil {
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	}
	return nil
}

// Recovery makes /readyz say no until the function returned has ended, which loads the tenants that have
// unsealed events. Requests are answered meanwhile; those of a tenant that is not loaded yet wait for it.
func (s *Server) Recovery() func() {
	s.starting.Store(true)
	return func() {
		s.db.Warm()
		s.starting.Store(false)
	}
}

// Shutdown stops accepting, waits for the requests that are running, and returns when all are
// answered or ctx is over, in which case what is still running is cut off. The caller closes the
// store afterwards.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	err := errors.Join(s.public.ShutdownWithContext(ctx), s.admin.ShutdownWithContext(ctx))
	s.abort()
	s.background.Wait()
	s.snapshots.Close()
	if flushed := s.tokens.Flush(); err == nil && flushed != nil && !errors.Is(flushed, engine.ErrClosed) {
		err = flushed
	}
	if err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

// houseTick is how often the server looks after what time alone makes due.
const houseTick = 30 * time.Second

// keepHouse writes down the last uses of tokens now and then, and gives memory back after work.
func (s *Server) keepHouse() {
	tick := time.NewTicker(houseTick)
	defer tick.Stop()
	var idle idleness
	for {
		select {
		case <-s.running.Done():
			return
		case <-tick.C:
		}
		if err := s.tokens.Flush(); err != nil {
			s.opt.Logger.Warn("write the last uses of tokens", "error", err)
		}
		idle.tick(s.requests.Load())
	}
}

// logRequest logs a request: failures of ours and slow ones always, the others when asked for.
func (s *Server) logRequest(r *request, start time.Time) {
	level := slog.LevelDebug
	if !s.opt.Logger.Enabled(context.Background(), level) {
		return
	}
	attrs := []any{
		"request", r.id, "method", string(r.Method()), "path", string(r.Path()), "status", r.Response.StatusCode(),
		"duration", time.Since(start),
	}
	if r.owner != nil {
		attrs = append(attrs, "tenant", r.owner.name)
	}
	if r.grant.token != nil {
		attrs = append(attrs, "token", r.grant.token.ID)
	}
	if r.note != "" {
		attrs = append(attrs, "note", r.note)
	}
	s.opt.Logger.Debug("request", attrs...)
}

// quietLogger passes fasthttp's own messages (broken connections, mostly) on as debug lines.
type quietLogger struct{ log *slog.Logger }

func (l quietLogger) Printf(format string, args ...any) {
	l.log.Debug("http", "message", fmt.Sprintf(format, args...))
}
