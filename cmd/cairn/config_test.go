package main

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// parseServe parses the arguments of cairn serve.
func parseServe(t *testing.T, args ...string) (serveCmd, error) {
	t.Helper()
	var grammar cli
	parser, err := kong.New(&grammar, kong.Name("cairn"), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append([]string{"serve"}, args...))
	grammar.Serve.Config = ""
	return grammar.Serve, err
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "cairn.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestExampleConfigurationIsTheDefault has the example say what is so without it, and name every setting.
func TestExampleConfigurationIsTheDefault(t *testing.T) {
	without, err := parseServe(t)
	if err != nil {
		t.Fatal(err)
	}
	with, err := parseServe(t, "--config", "cairn.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(without, with) {
		t.Errorf("without the example\n%+v\nwith it\n%+v", without, with)
	}
	text, err := os.ReadFile("cairn.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#?([a-z-]+):`).FindAllStringSubmatch(string(text), -1) {
		named[m[1]] = true
	}
	parser, err := kong.New(&cli{}, kong.Name("cairn"))
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range parser.Model.Children {
		if node.Name != "serve" {
			continue
		}
		for _, flag := range node.Flags {
			if !named[flag.Name] && flag.Name != "config" && flag.Name != "verbose" {
				t.Errorf("the example does not name %s; it names %q", flag.Name, slices.Sorted(maps.Keys(named)))
			}
		}
	}
	// What is commented out can be taken as it stands.
	if _, err := parseServe(t, "--config", writeConfig(t, regexp.MustCompile(`(?m)^#((?:[a-z-]+:| +[a-z_]+:).*)`).ReplaceAllString(string(text), "$1"))); err != nil {
		t.Errorf("the example with everything in force: %v", err)
	}
}

func TestConfigurationPrecedence(t *testing.T) {
	name := writeConfig(t, "timeout: 3s\nlog-level: warn\nlimit: {rows: 7, events: 9}\ncache: 1MiB\n")
	t.Setenv("CAIRN_CACHE", "2MiB")
	t.Setenv("CAIRN_LOG_LEVEL", "error")
	got, err := parseServe(t, "--config", name, "--log-level", "debug")
	if err != nil {
		t.Fatal(err)
	}
	if got.Timeout.Seconds() != 3 || got.LogLevel != "debug" || got.Cache != 2<<20 || got.Limit["rows"] != 7 || got.Limit["events"] != 9 {
		t.Errorf("got %+v", got)
	}
	t.Setenv("CAIRN_CONFIG", name)
	if got, err := parseServe(t); err != nil || got.Timeout.Seconds() != 3 {
		t.Errorf("a file named by the environment: %v, %v", got.Timeout, err)
	}
}

func TestConfigurationMistakesNameTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"listen: 127.0.0.1:0\n\nlimits: {rows: 7}\n": `line 3: there is no setting "limits"`,
		"listen: 127.0.0.1:0\nlisten: 127.0.0.1:1\n": "line 2",
		"- a\n- b\n":                  "line 1: expected lines",
		"listen: [\n":                 "line",
		"limit:\n  rows:\n    a: 1\n": "line 3: expected a plain value",
		"\ntimeout: soon\n":           "line 2: timeout: ",
		"\n\nlog-level: loud\n":       `line 3: log-level: "loud" is not one of debug, info, warn, error`,
		"\ninsecure: perhaps\n":       "line 2: insecure: ",
		"\ncache: much\n":             "line 2: cache: ",
		"\nqueries: 1.5\n":            "line 2: queries: ",
		"\nlimit:\n  rows: many\n":    "line 2: limit: ",
		"config: other.yaml\n":        `there is no setting "config"`,
	} {
		_, err := parseServe(t, "--config", writeConfig(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %s", text, err, want)
		}
	}
	if _, err := parseServe(t, "--config", "nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
}
