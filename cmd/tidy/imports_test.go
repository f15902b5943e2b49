package tidy

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// rank is how far left a top folder stands in the arrow cmd → server, bench → query → engine → index.
// A package imports only folders of a higher rank, or its own folder.
var rank = map[string]int{"cmd": 0, "server": 1, "bench": 1, "query": 2, "engine": 3, "index": 4, "testdata": 5}

// foreign lists what the embeddable library must not pull in, directly or through others.
var foreign = []string{
	"github.com/valyala/fasthttp",
	"github.com/alecthomas/kong",
	"github.com/schollz/progressbar",
	"github.com/rogpeppe/go-internal/testscript",
	"charm.land/",
	"github.com/charmbracelet/",
	"golang.org/x/term",
	"github.com/parquet-go/",
}

func itoa(n int) string { return strconv.Itoa(n) }

func top(pkg string) string {
	first, _, _ := strings.Cut(pkg, "/")
	return first
}

func TestImportsPointOneWay(t *testing.T) {
	for _, s := range sources(t) {
		from := top(s.folder())
		fromRank, ok := rank[from]
		if !ok {
			t.Errorf("%s: no Go code belongs in %q", s.name, from)
			continue
		}
		for _, spec := range s.file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			to, ours := strings.CutPrefix(name, module+"/")
			if !ours {
				continue
			}
			switch toRank := rank[top(to)]; {
			case top(to) == from:
			case from == "bench" && to == "server/api":
			case s.isTest() && to == "bench/workload": // which imports nothing of ours: events for tests anywhere
			case toRank <= fromRank:
				t.Errorf("%s: %s must not import %s: imports point cmd → server, bench → query → engine → index", s.at(spec), s.folder(), to)
			}
		}
	}
}

func TestLibraryPullsInNoConsole(t *testing.T) {
	for _, pkg := range []string{"cairn/engine", "cairn/query"} {
		out, err := exec.Command("go", "list", "-deps", pkg).CombinedOutput()
		if err != nil {
			t.Fatalf("go list -deps %s: %v\n%s", pkg, err, out)
		}
		for _, dep := range strings.Fields(string(out)) {
			for _, bad := range foreign {
				if strings.HasPrefix(dep, bad) {
					t.Errorf("%s depends on %s: the library must not pull in a server, command line or console", pkg, dep)
				}
			}
			if strings.HasPrefix(dep, module+"/server") || strings.HasPrefix(dep, module+"/cmd") {
				t.Errorf("%s depends on %s", pkg, dep)
			}
		}
	}
}
