package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// input is one file to import, decompressed as it is read between open and close.
type input struct {
	name   string // as given; "-" is standard input
	memory []byte // its content, when it is no file
	size   int64  // of the file as it lies on disk; 0 when unknown
	body   *bufio.Reader
	read   *atomic.Int64 // bytes of the file read so far
	before int64         // sizes of the inputs that come before it
	close  func()
}

// findInputs looks at all files before anything is stored, so that a wrong name stops nothing halfway.
func findInputs(names []string) ([]*input, error) {
	var inputs []*input
	total := int64(0)
	for _, name := range names {
		in := &input{name: name, before: total, read: new(atomic.Int64)}
		if name != "-" {
			info, err := os.Stat(name)
			switch {
			case err != nil:
				return nil, withoutOperation(err)
			case info.IsDir():
				return nil, fmt.Errorf("%s is a directory; give its files", name)
			case info.Mode().IsRegular():
				in.size = info.Size()
			}
		}
		total += in.size
		inputs = append(inputs, in)
	}
	return inputs, nil
}

// withoutOperation makes "stat x: no such file or directory" read "x: no such file or directory".
func withoutOperation(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}

// totalSize is the size of all inputs on disk, or 0 when one has no known size.
func totalSize(inputs []*input) int64 {
	total := int64(0)
	for _, in := range inputs {
		if in.size == 0 {
			return 0
		}
		total += in.size
	}
	return total
}

// open begins to read; reading ends with ctx. gzip and zstd are told by their first bytes.
func (in *input) open(ctx context.Context, stdin io.Reader) error {
	var raw io.Reader = &standardInput{ctx: ctx, r: stdin, more: make(chan []byte), used: make(chan struct{})}
	in.close = func() {}
	switch {
	case in.memory != nil:
		raw = bytes.NewReader(in.memory)
	case in.name != "-":
		f, err := os.Open(in.name)
		if err != nil {
			return err
		}
		in.close = func() { f.Close() }
		raw = f
	}
	plain := bufio.NewReaderSize(&countingReader{raw, in.read}, 1<<18)
	head, err := plain.Peek(4)
	if err != nil && err != io.EOF {
		in.close()
		return fmt.Errorf("read %s: %w", in.label(), err)
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 0x08}):
		z, err := gzip.NewReader(plain)
		if err != nil {
			in.close()
			return fmt.Errorf("read %s: gzip: %w", in.label(), err)
		}
		in.body = bufio.NewReaderSize(z, 1<<16)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			in.close()
			return fmt.Errorf("read %s: zstd: %w", in.label(), err)
		}
		closeFile := in.close
		in.close = func() { z.Close(); closeFile() }
		in.body = bufio.NewReaderSize(z, 1<<16)
	default:
		in.body = plain
	}
	if mark, _ := in.body.Peek(3); string(mark) == "\xef\xbb\xbf" { // a byte order mark
		_, _ = in.body.Discard(3)
	}
	return nil
}

func (in *input) label() string {
	if in.name == "-" {
		return "standard input"
	}
	return in.name
}

// The formats of --format. A formatJSON input is an array, or objects one after another.
const (
	formatAuto   = "auto"
	formatNDJSON = "ndjson"
	formatJSON   = "json"
	formatCSV    = "csv"
	formatTSV    = "tsv"
)

// format tells the format of an input from its name or, failing that, from its first byte.
func (in *input) format() (string, error) {
	name := strings.ToLower(in.name)
	for _, suffix := range []string{".gz", ".gzip", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, suffix)
	}
	switch path.Ext(name) {
	case ".ndjson", ".jsonl":
		return formatNDJSON, nil
	case ".csv":
		return formatCSV, nil
	case ".tsv", ".tab":
		return formatTSV, nil
	}
	for n := 1; n <= 4096; n++ {
		head, err := in.body.Peek(n)
		if len(head) < n {
			if err != nil && err != io.EOF {
				return "", fmt.Errorf("read %s: %w", in.label(), err)
			}
			return formatNDJSON, nil // empty
		}
		switch head[n-1] {
		case ' ', '\t', '\r', '\n':
			continue
		case '[':
			return formatJSON, nil
		case '{':
			return formatNDJSON, nil
		}
		break
	}
	return "", usagef("cannot tell the format of %s: give --format ndjson, json, csv or tsv", in.label())
}

type countingReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// standardInput reads what may never come to an end, a terminal or a pipe, so that waiting for it ends
// with the context: a goroutine waits, and is left behind when nobody wants more.
type standardInput struct {
	ctx  context.Context
	r    io.Reader
	more chan []byte
	used chan struct{}
	err  error // set before more is closed
	rest []byte
	busy bool
}

func (s *standardInput) Read(p []byte) (int, error) {
	if !s.busy {
		s.busy = true
		go s.pump()
	}
	if len(s.rest) == 0 {
		select {
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		case text, ok := <-s.more:
			if !ok {
				return 0, s.err
			}
			s.rest = text
		}
	}
	n := copy(p, s.rest)
	if s.rest = s.rest[n:]; len(s.rest) == 0 {
		s.used <- struct{}{}
	}
	return n, nil
}

func (s *standardInput) pump() {
	defer close(s.more)
	buf := make([]byte, 1<<18)
	for {
		n, err := s.r.Read(buf)
		if n > 0 {
			select {
			case s.more <- buf[:n]:
			case <-s.ctx.Done():
				return
			}
			select {
			case <-s.used:
			case <-s.ctx.Done():
				return
			}
		}
		if err != nil {
			s.err = err
			return
		}
	}
}
