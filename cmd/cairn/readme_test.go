package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme runs the shell lines of the README as they are written, in an empty folder, and its Go
// program. Lines that build or test the repository are left out.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(sh|go)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 4 {
		t.Fatalf("%d blocks of sh and go found", len(blocks))
	}
	dir := t.TempDir()
	var script strings.Builder
	for _, b := range blocks {
		if b[1] == "go" {
			readmeProgram(t, b[2])
			continue
		}
		for _, line := range strings.SplitAfter(b[2], "\n") {
			if !strings.HasPrefix(line, "go ") && !strings.HasPrefix(line, "make ") {
				script.WriteString(line)
			}
		}
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED: curl is not here, so the shell lines of the README were not run")
	}
	port := freePort(t)
	lines := strings.ReplaceAll(script.String(), "127.0.0.1:8080", "127.0.0.1:"+port)
	lines = strings.ReplaceAll(lines, "cairn serve ", "cairn serve --listen 127.0.0.1:"+port+" ")
	lines = strings.ReplaceAll(lines, "curl ", "curl -sS --fail-with-body --retry 30 --retry-connrefused --retry-delay 1 ")
	cmd := exec.Command("bash", "-e", "-c", "trap 'kill %1' EXIT\n"+lines)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, lines, out)
	}
	for _, want := range []string{
		"2 ok, 0 duplicate, 0 rejected", // the import
		"pay_success      1      1",     // the query
		"card",                          // the raw event
		`"ok":1`,                        // the POST
		"app_open         2",            // the query over HTTP
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the shell lines do not print %q:\n%s", want, out)
		}
	}
}

// readmeProgram runs the embedded example from the top of the repository, so that it finds the
// packages; its data goes to a folder of its own.
func readmeProgram(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	text = strings.Replace(text, `"cairn-data"`, "`"+filepath.Join(dir, "data")+"`", 1)
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", file)
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "ok\n") || !strings.Contains(string(out), "12.5") {
		t.Errorf("the program of the README: %v\n%s", err, out)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}
