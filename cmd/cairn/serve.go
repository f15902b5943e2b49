package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/term"

	"cairn/engine"
	"cairn/server"
)

type serveCmd struct {
	Data   string     `help:"Data directory; made if it is not there." placeholder:"DIR" env:"CAIRN_DATA"`
	Config configFlag `help:"Configuration file (YAML): its keys are the names of these flags. A flag goes first, then the environment, then the file." placeholder:"FILE" env:"CAIRN_CONFIG"`

	Listen      string `help:"Address and port for clients; port 0 takes a free one." default:"127.0.0.1:8080" placeholder:"ADDR" env:"CAIRN_LISTEN"`
	Admin       string `help:"Address and port for administration, metrics and profiles; \"off\" for none (default: the next port, on the loopback address)." placeholder:"ADDR" env:"CAIRN_ADMIN"`
	AdminPublic bool   `help:"Serve administration to clients too, on the address of --listen, and let --admin be any address." env:"CAIRN_ADMIN_PUBLIC"`
	Insecure    bool   `help:"Allow an address that other machines can reach though there are no tokens. Anybody who reaches it can read and write." env:"CAIRN_INSECURE"`

	TLSCert string `name:"tls-cert" help:"Certificate (PEM); with it --listen speaks TLS. Read again when the file changes." placeholder:"FILE" env:"CAIRN_TLS_CERT"`
	TLSKey  string `name:"tls-key" help:"Its private key (PEM)." placeholder:"FILE" env:"CAIRN_TLS_KEY"`

	BackupDir string `help:"Folder for backups that are made over HTTP; without it there are none." placeholder:"DIR" env:"CAIRN_BACKUP_DIR"`

	QueryMemory    byteSize         `help:"Memory that one query may use." default:"512MiB" placeholder:"SIZE" env:"CAIRN_QUERY_MEMORY"`
	Timeout        time.Duration    `help:"Time that one query may take." default:"30s" env:"CAIRN_TIMEOUT"`
	Queries        int              `help:"Queries that run at once (default: twice the CPUs, at least 4)." placeholder:"N" env:"CAIRN_QUERIES"`
	SlowQuery      time.Duration    `help:"Time from which a query is logged." default:"1s" env:"CAIRN_SLOW_QUERY"`
	InFlight       byteSize         `help:"Memory for the bodies of requests; more are answered 429." default:"256MiB" placeholder:"SIZE" env:"CAIRN_IN_FLIGHT"`
	Limit          map[string]int64 `help:"Default limit of tenants, such as body_bytes=1048576; GET /openapi.json lists them." placeholder:"NAME=N" env:"CAIRN_LIMIT"`
	Connections    int              `help:"Connections at once." default:"2048" placeholder:"N" env:"CAIRN_CONNECTIONS"`
	ConnectionsPer int              `name:"connections-per-address" help:"Connections at once from one address." default:"1024" placeholder:"N" env:"CAIRN_CONNECTIONS_PER_ADDRESS"`
	HeaderTimeout  time.Duration    `help:"Time for the header of a request." default:"20s" env:"CAIRN_HEADER_TIMEOUT"`
	WriteTimeout   time.Duration    `help:"Time that a client may take to read an answer." default:"120s" env:"CAIRN_WRITE_TIMEOUT"`
	IdleTimeout    time.Duration    `help:"Time that a connection may be idle." default:"120s" env:"CAIRN_IDLE_TIMEOUT"`
	Drain          time.Duration    `help:"Time that running requests get to end after SIGTERM." default:"30s" env:"CAIRN_DRAIN"`

	Cache       byteSize      `help:"Memory for decoded parts of segments." default:"512MiB" placeholder:"SIZE" env:"CAIRN_CACHE"`
	HotMemory   byteSize      `help:"Memory for events that are not sealed yet; at three times as many, clients are answered 429." default:"64MiB" placeholder:"SIZE" env:"CAIRN_HOT_MEMORY"`
	DedupWindow time.Duration `help:"Time within which an insert id is stored once." default:"168h" env:"CAIRN_DEDUP_WINDOW"`
	SealIdle    time.Duration `help:"Time without new events after which those of a day are sealed." default:"5m" env:"CAIRN_SEAL_IDLE"`

	LogLevel  string `help:"debug (every request), info, warn or error." enum:"debug,info,warn,error" default:"info" env:"CAIRN_LOG_LEVEL"`
	LogFormat string `help:"text or json." enum:"text,json" default:"text" env:"CAIRN_LOG_FORMAT"`
	Verbose   bool   `help:"The same as --log-level debug."`
}

func (serveCmd) Help() string {
	return `Examples:

  cairn serve --data ./cairn-data
  curl -d '{"event":"app_open","user":"u1"}' http://127.0.0.1:8080/v1/events
  curl http://127.0.0.1:8080/v1/query?format=text -d '* | stats count() by event'

  cairn token create --data ./cairn-data --scope ingest
  cairn serve --data ./cairn-data --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem

Without tokens the server answers this machine only, and takes any key for the tenant "default". The
first token closes it: from then on every request needs one.

An answer to /v1/events comes after the events are on disk. SIGTERM or Ctrl-C ends the server in
order: no new requests, the running ones are answered, the store is closed. SIGHUP reads the
certificate again; without one, it ends a server whose terminal is closed, and no other.`
}

func (cmd *serveCmd) Run(ctx context.Context, c *console) (err error) {
	if cmd.Data == "" {
		return usagef("which store? Give --data DIR, or set CAIRN_DATA")
	}
	options, err := cmd.options()
	if err != nil {
		return err
	}
	log := cmd.logger(c)
	options.Logger = log
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	hangup := hangup{log: log, terminal: term.IsTerminal(int(os.Stdin.Fd())), stop: stop}
	defer onHangup(hangup.handle)()
	s := store{Data: cmd.Data}
	db, err := s.openDB(engine.Options{
		Logger: log, CacheBytes: int64(cmd.Cache), HotBytes: int64(cmd.HotMemory),
		DedupWindow: cmd.DedupWindow, SealIdle: cmd.SealIdle,
	})
	if err != nil {
		return err
	}
	defer func() {
		if closed := db.Close(); err == nil {
			err = closed
		}
	}()
	options.Processors = server.AddProcessor()
	srv, err := server.New(db, options)
	if err != nil {
		return err
	}
	public, admin, err := cmd.listeners(srv)
	if err != nil {
		return errors.Join(err, srv.Shutdown(ctx))
	}
	scheme := "http"
	if cmd.TLSCert != "" {
		scheme = "https"
		cert, err := openCertificate(cmd.TLSCert, cmd.TLSKey, log)
		if err != nil {
			return errors.Join(err, srv.Shutdown(ctx))
		}
		defer cert.watch()()
		hangup.certificate.Store(cert)
		public = cert.listener(public)
	}
	operator, err := srv.FirstStart()
	if err != nil {
		return errors.Join(err, srv.Shutdown(ctx))
	}
	recovery := srv.Recovery()
	served := make(chan error, 2)
	running := 1
	go func() { served <- srv.Serve(public) }()
	if admin != nil {
		running++
		go func() { served <- srv.ServeAdmin(admin) }()
	}
	go recovery()
	cmd.welcome(c, srv, operator, fmt.Sprintf("%s://%s", scheme, public.Addr()), admin)

	select {
	case err = <-served:
		running--
	case <-ctx.Done():
	}
	log.Info("stopping", "drain", cmd.Drain)
	drain, cancel := context.WithTimeout(context.Background(), cmd.Drain)
	defer cancel()
	err = errors.Join(err, srv.Shutdown(drain))
	for range running {
		err = errors.Join(err, <-served)
	}
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// welcome tells where the server is and who may use it.
func (cmd *serveCmd) welcome(c *console, srv *server.Server, operator, address string, admin net.Listener) {
	fmt.Fprintf(c.err, "cairn serves %s on %s; stop it with Ctrl-C\n", cmd.Data, address)
	if admin != nil {
		fmt.Fprintf(c.err, "administration, metrics and profiles are at http://%s\n", admin.Addr())
	}
	if operator != "" {
		fmt.Fprintf(c.err, "the operator's token, shown this once, is %s\n", operator)
	}
	if srv.Open() {
		who := "from this machine"
		if cmd.Insecure {
			who = "from anywhere"
		}
		fmt.Fprintf(c.err, "there are no tokens yet: requests %s need none, and any key is taken for the tenant \"default\".\n"+
			"make the first token, which closes the server, with: cairn token create --data %s --scope ingest\n", who, cmd.Data)
	}
}

func (cmd *serveCmd) options() (server.Options, error) {
	o := server.Options{
		AdminPublic:   cmd.AdminPublic,
		Insecure:      cmd.Insecure,
		BackupDir:     cmd.BackupDir,
		Queries:       cmd.Queries,
		SlowQuery:     cmd.SlowQuery,
		InFlightBytes: int64(cmd.InFlight),
		Connections:   cmd.Connections,
		ConnectionsIP: cmd.ConnectionsPer,
		HeaderTimeout: cmd.HeaderTimeout,
		WriteTimeout:  cmd.WriteTimeout,
		IdleTimeout:   cmd.IdleTimeout,
	}
	limits, err := server.ParseLimits(cmd.Limit)
	if err != nil {
		return o, usagef("--limit: %v", err)
	}
	if limits.QueryMemoryBytes == 0 {
		limits.QueryMemoryBytes = int64(cmd.QueryMemory)
	}
	if limits.QueryMilliseconds == 0 {
		limits.QueryMilliseconds = max(1, cmd.Timeout.Milliseconds())
	}
	o.Limits = limits
	switch {
	case (cmd.TLSCert == "") != (cmd.TLSKey == ""):
		return o, usagef("--tls-cert and --tls-key belong together: give both")
	case cmd.HotMemory < 1<<20:
		return o, usagef("--hot-memory: at least 1MiB")
	}
	return o, nil
}

func (cmd *serveCmd) logger(c *console) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cmd.LogLevel)) // one of the four
	if cmd.Verbose {
		level = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: plainError}
	if cmd.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(c.err, options))
	}
	return slog.New(slog.NewTextHandler(c.err, options))
}

// plainError logs what an error says, and not the stacks that some of Pebble's carry.
func plainError(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.StringValue(err.Error())
	}
	return a
}

// listeners opens the ports, unless others could reach them and nobody said that they may.
func (cmd *serveCmd) listeners(srv *server.Server) (public, admin net.Listener, err error) {
	host, port, err := splitAddress("--listen", cmd.Listen)
	if err != nil {
		return nil, nil, err
	}
	if !loopback(host) && !cmd.Insecure && srv.Open() {
		return nil, nil, usagef("--listen %s can be reached from other machines, and without tokens whoever reaches it can read and write everything.\n"+
			"Make a token first: cairn token create --data %s --scope ingest\nor listen on 127.0.0.1, or give --insecure if something else keeps strangers out", cmd.Listen, cmd.Data)
	}
	address := cmd.Admin
	switch address {
	case "off":
	case "":
		next := 0
		if port != 0 {
			next = port + 1
		}
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(next))
	default:
		host, _, err := splitAddress("--admin", address)
		if err != nil {
			return nil, nil, err
		}
		if !loopback(host) && !cmd.AdminPublic {
			return nil, nil, usagef("--admin %s can be reached from other machines, which could read metrics and profiles: "+
				"listen on 127.0.0.1, or give --admin-public", address)
		}
	}
	if public, err = net.Listen("tcp", cmd.Listen); err != nil {
		return nil, nil, fmt.Errorf("--listen: %w", err)
	}
	if address == "off" {
		return public, nil, nil
	}
	if admin, err = net.Listen("tcp", address); err != nil {
		public.Close()
		return nil, nil, fmt.Errorf("--admin: %w", err)
	}
	return public, admin, nil
}

func splitAddress(flag, address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, usagef("%s %s: expected an address and a port, such as 127.0.0.1:8080", flag, address)
	}
	return host, port, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// hangup is what SIGHUP means to a server.
type hangup struct {
	log         *slog.Logger
	terminal    bool // it was started in one
	stop        func()
	certificate atomic.Pointer[certificate] // nil: none
}

func (h *hangup) handle() {
	switch cert := h.certificate.Load(); {
	case cert != nil:
		cert.reload(true)
	case h.terminal:
		h.log.Info("the terminal was closed")
		h.stop()
	default: // a service manager's reload
		h.log.Info("SIGHUP: there is no certificate to read again; other settings are read at the start")
	}
}

// onHangup calls f at every SIGHUP until the function returned is called.
func onHangup(f func()) func() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-signals:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
