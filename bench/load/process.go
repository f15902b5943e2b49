package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// process is a server that was started. What the system tells of it (Linux) is 0 elsewhere.
type process struct {
	cmd     *exec.Cmd
	address string
	dir     string // removed with it
}

// launch starts the command and waits for its address.
func launch(ctx context.Context, cmd *exec.Cmd) (*process, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	p := &process{cmd: cmd}
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- strings.TrimSpace(text)
	}()
	select {
	case p.address = <-line:
	case <-ctx.Done():
	}
	if p.address == "" {
		_ = cmd.Process.Kill()
		return nil, errors.Join(errors.New("the server did not tell its address"), ctx.Err(), cmd.Wait())
	}
	return p, nil
}

// stopPatience is how long a server may take to end; one that takes longer is killed.
const stopPatience = 60 * time.Second

func (p *process) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	timer := time.AfterFunc(stopPatience, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	return nil
}

// remove stops the server and removes its directory.
func (p *process) remove() error { return errors.Join(p.stop(), os.RemoveAll(p.dir)) }

// usage is what a process has used since it began.
type usage struct {
	cpu  time.Duration
	disk int64 // bytes written to files
}

func (p *process) usage() usage { return usageOf(strconv.Itoa(p.cmd.Process.Pid)) }

func ownUsage() usage { return usageOf("self") }

func (u usage) since(before usage) usage { return usage{u.cpu - before.cpu, u.disk - before.disk} }

// tick is the unit of times in /proc: it is 10 ms on every Linux that Go runs on.
const tick = 10 * time.Millisecond

func usageOf(pid string) usage {
	var u usage
	if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil {
		// The name, in parentheses, may have blanks; user and system time are the 12th and 13th after it.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 12 {
			user, _ := strconv.Atoi(string(fields[11]))
			system, _ := strconv.Atoi(string(fields[12]))
			u.cpu = time.Duration(user+system) * tick
		}
	}
	u.disk = field("/proc/"+pid+"/io", "write_bytes:")
	return u
}

// memory returns the bytes of the server that are in memory.
func (p *process) memory() int64 {
	return field("/proc/"+strconv.Itoa(p.cmd.Process.Pid)+"/status", "VmRSS:") << 10
}

// field returns the number after a name in a file of lines.
func field(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(text, []byte(name))
	line, _, _ := bytes.Cut(after, []byte("\n"))
	words := bytes.Fields(line)
	if len(words) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(words[0]), 10, 64)
	return n
}
