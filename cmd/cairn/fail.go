package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/clipperhouse/displaywidth"
)

// Exit codes. Scripts rely on them.
const (
	exitOK       = 0
	exitFailure  = 1 // the command could not do its work
	exitUsage    = 2 // wrong flags or arguments: nothing was tried
	exitRejected = 3 // import: some events were rejected, the others are stored
	exitCancel   = 130
)

// usageError is a command line that cannot be carried out as written.
type usageError struct {
	err     error
	command string // "cairn import", for the hint
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{err: fmt.Errorf(format, args...)} }

// errRejected ends an import whose counts and first rejected lines are already printed.
var errRejected = errors.New("some events were rejected")

// commandOf names the command that a parse error is about.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			return node.FullPath()
		}
	}
	return "cairn"
}

// report prints an error for a person and returns the exit code for a script.
func report(c *console, err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errRejected):
		return exitRejected
	case errors.As(err, &usage):
		fmt.Fprintln(c.err, "cairn:", err)
		if usage.command != "" {
			fmt.Fprintf(c.err, "See: %s --help\n", usage.command)
		}
		return exitUsage
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(c.err, "cairn: interrupted")
		return exitCancel
	}
	fmt.Fprintln(c.err, "cairn:", err)
	var asked *queryError
	if errors.As(err, &asked) {
		fmt.Fprint(c.err, asked.place())
	}
	return exitFailure
}

// caret shows a line of text with a mark under the given column; both count from 1, columns in characters.
func caret(text string, line, column int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	shown := []rune(lines[line-1])
	var pad strings.Builder
	for _, r := range shown[:min(max(column, 1)-1, len(shown))] {
		if r == '\t' {
			pad.WriteByte('\t')
		} else {
			pad.WriteString(strings.Repeat(" ", displaywidth.Rune(r)))
		}
	}
	return fmt.Sprintf("  %s\n  %s^\n", string(shown), pad.String())
}
