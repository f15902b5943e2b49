package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestHelpHasExamples asks every command for its help: it must show how the command is called.
func TestHelpHasExamples(t *testing.T) {
	parser, err := newParser(&console{out: new(bytes.Buffer), err: new(bytes.Buffer)}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if n, ok := node.(*kong.Node); ok && n.Type == kong.CommandNode {
			commands++
			checkHelp(t, strings.Fields(n.Path()))
		}
		return next(nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if commands < 11 {
		t.Errorf("only %d commands found", commands)
	}
}

func checkHelp(t *testing.T, path []string) {
	t.Helper()
	var out, errs bytes.Buffer
	args := append(path[:len(path):len(path)], "--help")
	if code := run(context.Background(), args, &console{out: &out, err: &errs}); code != exitOK {
		t.Errorf("cairn %s: exit code %d: %s", strings.Join(args, " "), code, errs.String())
	}
	_, examples, ok := strings.Cut(out.String(), "Example")
	if !ok || !strings.Contains(examples, "  cairn "+path[0]) {
		t.Errorf("cairn %s shows no example", strings.Join(args, " "))
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if len([]rune(line)) > 120 {
			t.Errorf("cairn %s: a line of %d characters: %s", strings.Join(args, " "), len(line), line)
		}
	}
}
