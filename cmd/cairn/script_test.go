package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cairn": main})
}

// TestScripts runs testdata/script: the real binary, its flags, exit codes, messages and HTTP.
// Beside the usual commands of testscript there are
//
//	exits CODE COMMAND ARG…          the command ends with that exit code
//	serve DIR FLAG…                  starts cairn serve on a free port; $SERVER is its address
//	tokenfrom FILE                   sets CAIRN_TOKEN to the file's text
//	stopserver                       SIGTERM; the server must end in order
//	http METHOD URL [BODYFILE [HEADER:VALUE…]]   prints the status and the body
//	pack gzip|zstd|snappy FROM TO    compresses a file
//	head BYTES FROM TO               cuts a file
//	repeat TIMES TEXT TO             makes a file
//	corrupt DIR [largest]            flips a bit here and there in the files of a data directory, or in its largest
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("CAIRN_DATA", "")
			env.Setenv("CAIRN_SERVER", "")
			env.Setenv("CAIRN_TENANT", "")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      scriptExits,
			"serve":      scriptServe,
			"stopserver": scriptStop,
			"tokenfrom":  scriptToken,
			"http":       scriptHTTP,
			"pack":       scriptPack,
			"head":       scriptHead,
			"repeat":     scriptRepeat,
			"corrupt":    scriptCorrupt,
		},
		RequireUniqueNames: true,
	})
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// running is a server started by a script or a test.
type running struct {
	cmd    *exec.Cmd
	url    string
	admin  string // address of the admin listener
	log    bytes.Buffer
	exited chan error
}

// startServer runs cairn serve on a free port and waits until it listens.
func startServer(dir string, flags ...string) (*running, error) {
	args := append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0"}, flags...)
	r := &running{cmd: exec.Command("cairn", args...), exited: make(chan error, 1)}
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	address := make(chan [2]string, 1)
	go func() {
		lines := bufio.NewScanner(stderr)
		var found [2]string
		for lines.Scan() {
			if m := regexp.MustCompile(`on (https?://[0-9.:]+)`).FindStringSubmatch(lines.Text()); m != nil {
				found[0] = m[1]
			}
			if m := regexp.MustCompile(`are at (http://[0-9.:]+)`).FindStringSubmatch(lines.Text()); m != nil {
				found[1] = m[1]
				address <- found
			}
			r.log.WriteString(lines.Text() + "\n")
		}
		r.exited <- r.cmd.Wait()
	}()
	select {
	case found := <-address:
		r.url, r.admin = found[0], found[1]
		return r, nil
	case err := <-r.exited:
		return nil, fmt.Errorf("the server ended: %w\n%s", err, r.log.String())
	case <-time.After(30 * time.Second):
		_ = r.cmd.Process.Kill()
		return nil, errors.New("the server did not listen within 30 s")
	}
}

// stop ends the server in order and returns how it ended.
func (r *running) stop() error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-r.exited:
		return err
	case <-time.After(30 * time.Second):
		_ = r.cmd.Process.Kill()
		return errors.New("the server did not end within 30 s after SIGTERM")
	}
}

// kill ends the server as a crash would.
func (r *running) kill() {
	_ = r.cmd.Process.Kill()
	<-r.exited
}

// servers are those of the scripts that run now, by their working directory.
var servers sync.Map // of *running

func scriptServe(ts *testscript.TestScript, _ bool, args []string) {
	r, err := startServer(ts.MkAbs(args[0]), args[1:]...)
	ts.Check(err)
	servers.Store(ts, r)
	ts.Setenv("SERVER", r.url)
	ts.Setenv("ADMIN", r.admin)
	ts.Defer(func() { _ = r.cmd.Process.Kill() })
}

func scriptToken(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("CAIRN_TOKEN", strings.TrimSpace(ts.ReadFile(args[0])))
}

func scriptStop(ts *testscript.TestScript, _ bool, _ []string) {
	found, ok := servers.Load(ts)
	if !ok {
		ts.Fatalf("no server has been started")
	}
	r := found.(*running)
	if err := r.stop(); err != nil {
		ts.Fatalf("%v\n%s", err, r.log.String())
	}
}

func scriptHTTP(ts *testscript.TestScript, _ bool, args []string) {
	var body io.Reader
	if len(args) > 2 && args[2] != "-" {
		body = strings.NewReader(ts.ReadFile(args[2]))
	}
	req, err := http.NewRequest(args[0], args[1], body)
	ts.Check(err)
	if len(args) > 3 {
		for _, header := range args[3:] {
			name, value, _ := strings.Cut(header, ":")
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d\n%s", resp.StatusCode, text)
}

func scriptPack(ts *testscript.TestScript, _ bool, args []string) {
	text := []byte(ts.ReadFile(args[1]))
	var out bytes.Buffer
	switch args[0] {
	case "gzip":
		w := gzip.NewWriter(&out)
		_, _ = w.Write(text)
		ts.Check(w.Close())
	case "zstd":
		w, err := zstd.NewWriter(&out)
		ts.Check(err)
		_, _ = w.Write(text)
		ts.Check(w.Close())
	case "snappy":
		out.Write(snappy.Encode(nil, text))
	default:
		ts.Fatalf("pack: unknown format %s", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), out.Bytes(), 0o644))
}

func scriptHead(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	text := ts.ReadFile(args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text[:min(n, len(text))]), 0o644))
}

func scriptRepeat(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	text := strings.NewReplacer(`\n`, "\n", `\xff`, "\xff").Replace(args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Repeat(text, n)), 0o644))
}

func sizeOf(ts *testscript.TestScript, name string) int64 {
	info, err := os.Stat(name)
	ts.Check(err)
	return info.Size()
}

func scriptCorrupt(ts *testscript.TestScript, _ bool, args []string) {
	var files []string
	for _, kind := range []string{"*.sst", "*.blob"} {
		names, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "store", kind))
		ts.Check(err)
		files = append(files, names...)
	}
	if len(files) == 0 {
		ts.Fatalf("corrupt: %s has no files", args[0])
	}
	if len(args) > 1 { // "largest": the columns, and nothing that opening needs
		slices.SortFunc(files, func(a, b string) int { return int(sizeOf(ts, b) - sizeOf(ts, a)) })
		files = files[:1]
	}
	for _, name := range files { // some parts of some files are not in use any more
		text, err := os.ReadFile(name)
		ts.Check(err)
		for i := 8 << 10; i < len(text); i += 16 << 10 {
			text[i] ^= 1
		}
		ts.Check(os.WriteFile(name, text, 0o644))
	}
}
