package table

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine describes where the figures come from.
func Machine() string {
	name := "unknown CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, found := bytes.Cut(info, []byte("model name\t: ")); found {
			model, _, _ := bytes.Cut(after, []byte("\n"))
			name = string(model)
		}
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s", name, runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// LoadAverage returns how many processes wanted to run during the last minute, as the system tells it, or
// "": figures from a busy machine say less.
func LoadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
