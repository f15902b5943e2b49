package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strconv"

	"cairn/server/api"
)

// client is one connection that has one request on its way at a time. It is HTTP/1.1 as our server
// writes it and no more: a general client would cost more than the server.
type client struct {
	conn   net.Conn
	buffer []byte // the answer
}

// answer is what came back. The body is valid until the next request of the client.
type answer struct {
	status int
	body   []byte
}

func dial(address string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, buffer: make([]byte, 4<<10)}, nil
}

// send writes a request and reads its answer.
func (c *client) send(request []byte) (answer, error) {
	if _, err := c.conn.Write(request); err != nil {
		return answer{}, err
	}
	n, head, size := 0, -1, 0
	var a answer
	for head < 0 || n < head+size {
		if n == len(c.buffer) {
			c.buffer = append(c.buffer, make([]byte, max(n, head+size-n))...)
		}
		more, err := c.conn.Read(c.buffer[n:])
		if err != nil {
			return answer{}, fmt.Errorf("read the answer: %w", err)
		}
		n += more
		if head >= 0 {
			continue
		}
		end := bytes.Index(c.buffer[:n], []byte("\r\n\r\n"))
		if end < 0 {
			continue
		}
		head = end + 4
		if a.status, size, err = parseHead(c.buffer[:end+2]); err != nil {
			return answer{}, err
		}
	}
	if n > head+size {
		return answer{}, fmt.Errorf("%d bytes after the answer", n-head-size)
	}
	a.body = c.buffer[head:n]
	return a, nil
}

// parseHead reads the status and the length of the body.
func parseHead(head []byte) (status, size int, err error) {
	const version, length = "HTTP/1.1 ", "\r\nContent-Length: "
	if len(head) > len(version)+3 && string(head[:len(version)]) == version {
		status, _ = strconv.Atoi(string(head[len(version) : len(version)+3]))
	}
	size = -1
	if _, after, ok := bytes.Cut(head, []byte(length)); ok {
		digits, _, _ := bytes.Cut(after, []byte("\r\n"))
		if n, err := strconv.Atoi(string(digits)); err == nil {
			size = n
		}
	}
	if status == 0 || size < 0 {
		return 0, 0, fmt.Errorf("an answer without status or length: %.200q", head)
	}
	return status, size, nil
}

// stored returns how many events an answer to POST /v1/events acknowledges, or an error if it is not
// as many as were sent; shed is set if the server has refused the request for being busy.
func (a answer) stored(events int) (shed bool, err error) {
	if a.status == 200 && acknowledged(a.body) == events {
		return false, nil
	}
	if a.status == 429 {
		return true, nil
	}
	if a.status == 200 {
		var answer api.EventsAnswer
		if err := json.Unmarshal(a.body, &answer); err != nil {
			return false, fmt.Errorf("the answer %.200q: %w", a.body, err)
		}
		if answer.OK == events {
			return false, nil
		}
	}
	return false, fmt.Errorf("%d events were sent; the answer is %d %.300q", events, a.status, a.body)
}

// acknowledged reads the number that begins an EventsAnswer, or returns -1.
func acknowledged(body []byte) int {
	rest, found := bytes.CutPrefix(body, []byte(`{"ok":`))
	n := 0
	for i, c := range rest {
		if c == ',' && found && i > 0 {
			return n
		}
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + int(c-'0')
	}
	return -1
}

// query sends a query and returns its answer as CSV.
func (c *client) query(text string) ([]byte, error) {
	a, err := c.send(fmt.Appendf(nil, "POST /v1/query?format=csv HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(text), text))
	if err == nil && a.status != 200 {
		err = fmt.Errorf("query %s: %d %s", text, a.status, a.body)
	}
	return a.body, err
}

// count asks how many events there are.
func (c *client) count() (int, error) {
	body, err := c.query("* | stats count() as n")
	if err != nil {
		return 0, err
	}
	_, number, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	n, err := strconv.Atoi(string(bytes.TrimSpace(number)))
	if err != nil {
		return 0, fmt.Errorf("the count of events is %.200q", body)
	}
	return n, nil
}
