package querytest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"cairn/engine/event"
)

// readFile reads events from NDJSON in our own shape: time, event, user, id, and every other key, or
// those in fields, as fields.
func readFile(path string) ([]event.Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	var events []event.Event
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		e, err := parseLine(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s: event %d: %w", path, len(events)+1, err)
		}
		events = append(events, e)
	}
	return events, lines.Err()
}

func parseLine(line []byte) (event.Event, error) {
	var e event.Event
	var head struct {
		Time   json.RawMessage `json:"time"`
		Event  string          `json:"event"`
		User   string          `json:"user"`
		ID     string          `json:"id"`
		Fields json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return e, err
	}
	at, err := parseTime(head.Time)
	if err != nil {
		return e, err
	}
	e.Time, e.Received, e.Name, e.User, e.ID = at, at, head.Event, head.User, head.ID
	all, err := parseFields(nil, "", line)
	if err != nil {
		return e, err
	}
	for _, f := range all {
		switch f.Name {
		case "time", "event", "user", "id", "received", "fields":
			continue
		}
		if !strings.HasPrefix(f.Name, "fields.") {
			e.Fields = append(e.Fields, f)
		}
	}
	if len(head.Fields) > 0 {
		e.Fields, err = parseFields(e.Fields, "", head.Fields)
	}
	return e, err
}

func parseTime(raw json.RawMessage) (int64, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		at, err := time.Parse(time.RFC3339, text)
		return at.UnixNano(), err
	}
	var millis int64
	err := json.Unmarshal(raw, &millis)
	return millis * 1e6, err
}
