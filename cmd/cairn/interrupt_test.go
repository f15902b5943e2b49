package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterruptedImport sends Ctrl-C to an import that waits for more input: it ends at once, says
// what is stored, and that is what is found afterwards.
func TestInterruptedImport(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("cairn", "import", "--data", dir, "--format", "ndjson", "-")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := `{"time":"2025-06-01T08:00:00Z","event":"e","user":"u","text":"` + strings.Repeat("x", 900) + `"}` + "\n"
	for range 10_000 { // more than one chunk; then the pipe stays open
		if _, err := io.WriteString(stdin, line); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err = <-done:
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		t.Fatalf("the import does not end after Ctrl-C\n%s", out.String())
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitCancel {
		t.Errorf("ended with %v, want exit code %d", err, exitCancel)
	}
	said := regexp.MustCompile(`: ([0-9,]+) ok, 0 duplicate, 0 rejected`).FindStringSubmatch(out.String())
	if said == nil {
		t.Fatalf("it does not say what is stored:\n%s", out.String())
	}
	stored := cairn(t, "query", "--data", dir, "--format", "csv", "* | stats count() as n")
	if want := fmt.Sprintf("n\n%s\n", strings.ReplaceAll(said[1], ",", "")); stored != want || said[1] == "0" {
		t.Errorf("it said %s, the store says %s", said[1], stored)
	}
}
