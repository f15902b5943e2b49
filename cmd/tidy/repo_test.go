package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const module = "cairn"

// root is the top of the repository as seen from this package.
const root = "../.."

// source is one parsed Go file of the repository.
type source struct {
	name string // slash-separated, from the top of the repository
	text []byte
	file *ast.File
	fset *token.FileSet
}

func (s *source) folder() string { return path.Dir(s.name) }
func (s *source) isTest() bool   { return strings.HasSuffix(s.name, "_test.go") }

// at returns "file:line" of a node.
func (s *source) at(n ast.Node) string {
	pos := s.fset.Position(n.Pos())
	return s.name + ":" + itoa(pos.Line)
}

// names returns every file that is, or would be, under version control; without git it returns every
// file but those of installed dependencies and builds.
func names(t *testing.T) []string {
	t.Helper()
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	if text, err := list.Output(); err == nil {
		var out []string
		for _, name := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			if _, err := os.Stat(filepath.Join(root, name)); err == nil { // else it is being deleted
				out = append(out, name)
			}
		}
		return out
	}
	var out []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "node_modules", "bin", "cairn-data":
				return fs.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(root, p)
		out = append(out, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sources parses every Go file of the repository.
func sources(t *testing.T) []*source {
	t.Helper()
	var out []*source
	for _, name := range names(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(path.Base(name), ".") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			t.Fatalf("parse %s: %v", name, err)
		}
		out = append(out, &source{name: name, text: text, file: file, fset: fset})
	}
	return out
}
