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
	conn net.Conn
	in   incoming
}

func dial(address string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn}, nil
}

// send writes a request and reads its answer, which is valid until the next one.
func (c *client) send(request []byte) (answer, error) {
	if _, err := c.conn.Write(request); err != nil {
		return answer{}, err
	}
	c.in.begin()
	for {
		n, err := c.conn.Read(c.in.room())
		if err != nil {
			return answer{}, fmt.Errorf("read the answer: %w", err)
		}
		if complete, err := c.in.came(n); err != nil || complete {
			return c.in.answer(), err
		}
	}
}

// incoming is an answer that comes in, in pieces of any size. Its zero value is ready for begin.
type incoming struct {
	buffer []byte
	n      int // bytes that have come
	head   int // where the body begins; 0: the head is not complete
	status int
	size   int // of the body
}

const answerBytes = 4 << 10 // how long most answers are at most

// begin forgets the last answer.
func (in *incoming) begin() {
	if in.buffer == nil {
		in.buffer = make([]byte, answerBytes)
	}
	in.n, in.head = 0, 0
}

// room is where the next bytes go.
func (in *incoming) room() []byte {
	if in.n == len(in.buffer) {
		in.buffer = append(in.buffer, make([]byte, max(in.n, in.head+in.size-in.n))...)
	}
	return in.buffer[in.n:]
}

// came takes note of bytes that were put into room, and tells whether the answer is complete.
func (in *incoming) came(n int) (complete bool, err error) {
	in.n += n
	if in.head == 0 {
		end := bytes.Index(in.buffer[:in.n], []byte("\r\n\r\n"))
		if end < 0 {
			return false, nil
		}
		in.head = end + 4
		if in.status, in.size, err = parseHead(in.buffer[:end+2]); err != nil {
			return false, err
		}
	}
	if in.n > in.head+in.size {
		return false, fmt.Errorf("%d bytes after the answer", in.n-in.head-in.size)
	}
	return in.n == in.head+in.size, nil
}

// answer is what came back. The body is valid until the next request on its connection.
type answer struct {
	status int
	body   []byte
}

func (in *incoming) answer() answer { return answer{in.status, in.buffer[in.head:in.n]} }

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
