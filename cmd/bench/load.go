package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"cairn/bench/load"
)

type loadCmd struct {
	Bodies      []int   `help:"Sizes of body, in events." default:"1,100,1000" placeholder:"N,…"`
	Seconds     float64 `help:"Time of each measurement." default:"3"`
	Connections int     `help:"Connections to the server." default:"64"`
	IDs         bool    `name:"ids" help:"Give every event an insert id."`
	History     int     `help:"Events that queries read while others come in; 0: no queries." default:"1000000" placeholder:"N"`
	Dir         string  `help:"Directory for data, which is removed. Default: in the directory for temporary files." placeholder:"DIR"`
	JSON        bool    `name:"json" help:"Print the report as JSON."`
	Profile     string  `help:"Directory for profiles of the servers: CPU, allocations, memory, locks." placeholder:"DIR"`
}

// Run measures servers, which are this program again, and prints the report.
func (c *loadCmd) Run(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if c.Dir == "" {
		c.Dir = filepath.Join(os.TempDir(), "cairn-bench")
	}
	if c.History == 0 {
		c.History = -1
	}
	report, err := load.Run(ctx, load.Options{
		Server: func(dir, name string, settle bool) *exec.Cmd {
			args := []string{"serve", dir}
			if settle {
				args = append(args, "--settle")
			}
			if c.Profile != "" {
				args = append(args, "--profile", filepath.Join(c.Profile, name))
			}
			return exec.Command(self, args...)
		},
		Bare: func() *exec.Cmd { return exec.Command(self, "bare") },
		Dir:  c.Dir, Connections: c.Connections, Bodies: c.Bodies, Seconds: c.Seconds, History: c.History, IDs: c.IDs, Progress: progress,
	})
	if err != nil {
		return err
	}
	return show(c.JSON, report, report.Text)
}
