package tidy

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// linesMax is where a file has certainly gathered several verbs; 100 to 400 lines are usual.
const linesMax = 700

var (
	topFolders = []string{".ci", "bench", "cmd", "engine", "index", "query", "server", "testdata"}
	topFiles   = []string{"ARCHITECTURE.md", "CHANGELOG.md", "Makefile", "README.md", "go.mod", "go.sum", "staticcheck.conf"}
	// vague are package names that say nothing about what is inside.
	vague = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "lib", "base", "types"}
	// unfinished is put together from parts so that this file does not find itself.
	unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX|HA` + `CK)\b`)
)

func TestTopLevel(t *testing.T) {
	for _, name := range names(t) {
		first, rest, inFolder := strings.Cut(name, "/")
		switch {
		case inFolder && !slices.Contains(topFolders, first):
			t.Errorf("%s: the top level has no folder %q (it has %s)", name, first, strings.Join(topFolders, ", "))
		case !inFolder && !strings.HasPrefix(first, ".") && !slices.Contains(topFiles, first) && rest == "":
			t.Errorf("%s: the top level holds only %s and dotfiles", name, strings.Join(topFiles, ", "))
		}
	}
}

func TestPackageNamesSaySomething(t *testing.T) {
	for _, s := range sources(t) {
		if slices.Contains(vague, path.Base(s.folder())) || slices.Contains(vague, s.file.Name.Name) {
			t.Errorf("%s: a package called %s: name it after what it does, or put the helper with its user", s.name, s.file.Name.Name)
		}
	}
}

func TestFilesAreOneNounOrVerb(t *testing.T) {
	for _, s := range sources(t) {
		if n := bytes.Count(s.text, []byte("\n")); n > linesMax {
			t.Errorf("%s: %d lines, at most %d: split it by verb", s.name, n, linesMax)
		}
	}
}

func TestNothingIsLeftUnfinished(t *testing.T) {
	for _, s := range sources(t) {
		for i, line := range bytes.Split(s.text, []byte("\n")) {
			if m := unfinished.Find(line); m != nil {
				t.Errorf("%s:%d: %s: do it, or write an issue", s.name, i+1, m)
			}
		}
	}
}
