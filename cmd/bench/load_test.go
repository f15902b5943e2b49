package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cairn/bench/load"
)

// TestMain lets the test's binary be the server that is measured.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "serve" || os.Args[1] == "bare") {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestLoad measures for a moment and looks at the report, not at the speed. That every acknowledged event
// is there is checked by Run itself.
func TestLoad(t *testing.T) {
	for _, ids := range []bool{false, true} {
		profiles := t.TempDir()
		report, err := load.Run(context.Background(), load.Options{
			Server: func(dir, name string, settle bool) *exec.Cmd {
				args := []string{"serve", dir, "--profile", filepath.Join(profiles, name)}
				if settle {
					args = append(args, "--settle")
				}
				return exec.Command(os.Args[0], args...)
			},
			Bare: func() *exec.Cmd { return exec.Command(os.Args[0], "bare") },
			Dir:  t.TempDir(), Connections: 8, Bodies: []int{1, 50}, Seconds: 0.1, Events: 2000, History: 5000, IDs: ids,
			Progress: t.Logf,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range report.Bodies {
			if m.Verified == 0 || m.Verified%m.Events != 0 || m.Saturation.Events == 0 || m.Half.Events == 0 || m.Half.Rate != m.Held.Rate/2 {
				t.Errorf("%+v", m)
			}
			if m.Bare.Events == 0 || m.Bare.Events%m.Events != 0 || m.Bare.Shed != 0 {
				t.Errorf("bare: %+v", m.Bare)
			}
			if p := m.Saturation; p.P50 <= 0 || p.P99 < p.P50 || p.P999 < p.P99 || p.Max < p.P999 {
				t.Errorf("latencies %+v", p)
			}
		}
		for _, q := range report.Queries {
			if q.IdleP50 <= 0 || q.BusyP50 <= 0 || q.IdleP95 < q.IdleP50 || q.BusyP95 < q.BusyP50 {
				t.Errorf("%+v", q)
			}
		}
		if len(report.Bodies) != 2 || len(report.Queries) == 0 {
			t.Errorf("%d bodies, %d queries", len(report.Bodies), len(report.Queries))
		}
		for _, name := range []string{"body-1/cpu.pprof", "queries/allocs.pprof"} {
			if info, err := os.Stat(filepath.Join(profiles, name)); err != nil || info.Size() == 0 {
				t.Errorf("profile %s: %v", name, err)
			}
		}
	}
}
