package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
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

// names returns every file of the repository but those of version control, of installed
// dependencies and of builds.
func names(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			switch d.Name() {
			case ".git", "node_modules", "bin", "cairn-data":
				return fs.SkipDir
			}
			return nil
		}
		out = append(out, rel)
		return nil
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
