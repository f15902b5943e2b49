package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"unicode/utf8"
)

// rejectsShown is how many rejected lines an import prints; --rejects keeps them all.
const rejectsShown = 5

// reject is one event that an import could not store, as a line of the --rejects file.
type reject struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Reason  string `json:"reason"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Raw     string `json:"raw,omitempty"`
	// RawBase64 stands in for Raw where the bytes are not valid UTF-8.
	RawBase64 string `json:"raw_base64,omitempty"`
}

// rejects counts rejected events, keeps the first and writes all to a file if asked.
type rejects struct {
	total    int
	first    []reject
	byReason map[string]int
	path     string
	file     *os.File
	out      *bufio.Writer
}

// openRejects prepares the file that --rejects names; path may be "".
func openRejects(path string) (*rejects, error) {
	r := &rejects{byReason: map[string]int{}, path: path}
	if path == "" {
		return r, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--rejects: %w", err)
	}
	r.file, r.out = f, bufio.NewWriterSize(f, 1<<16)
	return r, nil
}

func (r *rejects) add(one reject, raw []byte) error {
	r.total++
	r.byReason[one.Reason]++
	if len(r.first) < rejectsShown {
		r.first = append(r.first, one)
	}
	if r.out == nil {
		return nil
	}
	raw = []byte(strings.TrimRight(string(raw), "\r\n"))
	if utf8.Valid(raw) {
		one.Raw = string(raw)
	} else {
		one.RawBase64 = base64.StdEncoding.EncodeToString(raw)
	}
	line, err := json.Marshal(one)
	if err == nil {
		_, err = r.out.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", r.path, err)
	}
	return nil
}

func (r *rejects) close() error {
	if r.out == nil {
		return nil
	}
	err := r.out.Flush()
	if closed := r.file.Close(); err == nil {
		err = closed
	}
	r.out = nil
	if err != nil {
		return fmt.Errorf("write %s: %w", r.path, err)
	}
	return nil
}

// print shows the first rejected events and how many there are of each reason.
func (r *rejects) print(w io.Writer) {
	if r.total == 0 {
		return
	}
	fmt.Fprintln(w, "rejected:")
	for _, one := range r.first {
		field := ""
		if one.Field != "" {
			field = fmt.Sprintf(" field %q:", one.Field)
		}
		fmt.Fprintf(w, "  %s line %d: %s:%s %s\n", one.File, one.Line, one.Reason, field, one.Message)
	}
	if r.total > len(r.first) {
		fmt.Fprintf(w, "  … %s\n", r.summary())
	}
	switch {
	case r.path != "":
		fmt.Fprintf(w, "all of them are in %s\n", r.path)
	case r.total > len(r.first):
		fmt.Fprintln(w, "--rejects FILE keeps them all")
	}
}

// summary is "bad_json 12, bad_time 3", most frequent first.
func (r *rejects) summary() string {
	reasons := make([]string, 0, len(r.byReason))
	for reason := range r.byReason {
		reasons = append(reasons, reason)
	}
	sort.Slice(reasons, func(i, j int) bool {
		a, b := r.byReason[reasons[i]], r.byReason[reasons[j]]
		if a != b {
			return a > b
		}
		return reasons[i] < reasons[j]
	})
	parts := make([]string, len(reasons))
	for i, reason := range reasons {
		parts[i] = reason + " " + thousands(int64(r.byReason[reason]))
	}
	return strings.Join(parts, ", ")
}
