package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestBombsOfOneGigabyte sends a server of its own, many at once, bodies that unpack to a gigabyte or say so, by
// Cairn's protocol and by others, and looks at the most memory that its process ever had.
func TestBombsOfOneGigabyte(t *testing.T) {
	const gigabyte, together = 1 << 30, 32
	srv, err := startServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.stop(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := postBatch(srv.url, "before", 50); err != nil {
		t.Fatal(err)
	}
	member := packed(t, 1<<20, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	zeros := packed(t, gigabyte, func(w io.Writer) io.WriteCloser {
		z, err := zstd.NewWriter(w)
		if err != nil {
			t.Fatal(err)
		}
		return z
	})
	lie := append(binary.AppendUvarint(nil, 1<<32-1), make([]byte, 100)...)
	bombs := []struct {
		path, encoding string
		body           []byte
	}{
		{"/v1/events", "gzip", bytes.Repeat(member, gigabyte>>20)},
		{"/v1/events", "zstd", zeros},
		{"/v1/events", "snappy", lie},
		{"/v1/batch", "gzip", bytes.Repeat(member, gigabyte>>20)},
		{"/i/v1/analytics/events", "zstd", zeros},
		{"/e/?compression=gzip-js", "", bytes.Repeat(member, gigabyte>>20)},
	}
	var group sync.WaitGroup
	for i := range together {
		group.Go(func() {
			b := bombs[i%len(bombs)]
			if err := refused(srv.url+b.path, b.encoding, b.body); err != nil {
				t.Errorf("%s %s: %v", b.path, b.encoding, err)
			}
		})
	}
	group.Wait()
	// 256 MiB may be in flight, twice as much with what is garbage, and some times that with the race detector.
	switch most, err := mostMemory(srv.cmd.Process.Pid); {
	case errors.Is(err, os.ErrNotExist):
		t.Log("the system does not tell the memory of a process: it was NOT LOOKED AT: ", err)
	case err != nil || most > 5*gigabyte:
		t.Errorf("%d bombs of 1 GiB at once: the process had %d MiB at most, %v", together, most>>20, err)
	default:
		t.Logf("%d bombs of 1 GiB at once: the process had %d MiB at most", together, most>>20)
	}
	if n, err := postBatch(srv.url, "after", 50); err != nil || n != 50 {
		t.Errorf("afterwards %d of 50 events are stored: %v", n, err)
	}
}

// packed packs so many zeros.
func packed(t *testing.T, zeros int, writer func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var out bytes.Buffer
	w := writer(&out)
	some := make([]byte, 1<<20)
	for ; zeros > 0; zeros -= len(some) {
		if _, err := w.Write(some); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// refused sends a body and returns an error if it is not refused as a client's mistake or for want of room.
func refused(url, encoding string, body []byte) error {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return nil
	}
	return fmt.Errorf("status %d: %.200s", resp.StatusCode, text)
}

// mostMemory returns the most bytes of a process that ever were in memory at once.
func mostMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	var kib int64
	_, err = fmt.Sscan(after, &kib)
	return kib << 10, err
}
