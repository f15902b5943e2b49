package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	disk int64 // bytes written to the disk of its data, by all processes
}

func (p *process) usage() usage {
	u := usageOf(strconv.Itoa(p.cmd.Process.Pid))
	u.disk = diskWritten(p.dir)
	return u
}

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
	return u
}

// diskWritten returns how many bytes were written to the disk of a directory since the machine started; 0 if
// that is not known. What the kernel counts by process has a page of a megabyte as written whole when a few
// bytes of it are.
func diskWritten(dir string) int64 {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return 0
	}
	device, longest := "", -1
	for line := range strings.Lines(string(text)) {
		// 36 35 98:0 /root /mount/point …
		words := strings.Fields(line)
		if len(words) < 5 {
			continue
		}
		if below, err := filepath.Rel(words[4], dir); err == nil && filepath.IsLocal(below) && len(words[4]) > longest {
			device, longest = words[2], len(words[4])
		}
	}
	stat, err := os.ReadFile("/sys/dev/block/" + device + "/stat")
	if err != nil {
		return 0
	}
	const sectorsWritten, sectorBytes = 6, 512
	words := bytes.Fields(stat)
	if len(words) <= sectorsWritten {
		return 0
	}
	n, _ := strconv.ParseInt(string(words[sectorsWritten]), 10, 64)
	return n * sectorBytes
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
