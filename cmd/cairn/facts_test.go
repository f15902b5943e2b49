package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// dataFolder holds the real data sets, beside the repository; they are not part of it.
const dataFolder = "../../../shared/data"

// TestFacts loads real data sets through the command line and asks for figures that were counted by
// other means. A file of testdata/facts is one data set:
//
//	import FILE          the input lines are flags; the expectation is the counts
//	query                the expectation is the answer as CSV
func TestFacts(t *testing.T) {
	if _, err := os.Stat(dataFolder); err != nil {
		t.Skipf("SKIPPED: the real data sets are not at %s, so nothing was compared with known facts", dataFolder)
	}
	datadriven.Walk(t, "testdata/facts", func(t *testing.T, path string) {
		dir := t.TempDir()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "import":
				args := []string{"import", "--data", dir}
				args = append(args, shellWords(d.Input)...)
				args = append(args, filepath.Join(dataFolder, d.CmdArgs[0].Key))
				out := cairn(t, args...)
				_, counts, _ := strings.Cut(out, ": ")
				counts, _, _ = strings.Cut(counts, "\n")
				return counts + "\n"
			case "query":
				return cairn(t, "query", "--data", dir, "--format", "csv", d.Input)
			default:
				t.Fatalf("unknown directive %q", d.Cmd)
				return ""
			}
		})
	})
}

// cairn runs the command line and returns what it prints; it must succeed.
func cairn(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(context.Background(), args, &console{in: strings.NewReader(""), out: &out, err: &errs}); code != exitOK {
		t.Fatalf("cairn %s: exit code %d\n%s%s", strings.Join(args, " "), code, out.String(), errs.String())
	}
	return out.String()
}

// shellWords splits flags at spaces outside double quotes.
func shellWords(text string) []string {
	var words []string
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}
