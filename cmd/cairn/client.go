package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"cairn/server/api"
)

// client talks to a server.
type client struct {
	base   string
	tenant string
	token  string // "": none
	// patient repeats, for about half a minute, what failed for a reason that can pass.
	patient bool
	http    http.Client
	// reached says that the server has answered before: only then is a lost connection waited out,
	// and a wrong address told at once.
	reached bool
}

const (
	attemptsMax  = 8
	firstBackoff = 250 * time.Millisecond
	backoffMax   = 15 * time.Second
)

// post sends a body and returns that of a success (200) or of the given other status. Another answer
// is an *api.Error. The body must not change afterwards either: the connection of an attempt that was
// given up may still be reading it.
func (c *client) post(ctx context.Context, path string, header http.Header, body []byte, accept int) ([]byte, error) {
	return c.send(ctx, http.MethodPost, path, header, body, accept)
}

// call sends a value as JSON, nil for no body, and reads the answer into another, unless that is nil.
func (c *client) call(ctx context.Context, method, path string, body, answer any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	got, err := c.send(ctx, method, path, http.Header{"Content-Type": {"application/json"}}, text, 0)
	if err != nil || answer == nil {
		return err
	}
	if err := json.Unmarshal(got, answer); err != nil {
		return fmt.Errorf("the answer of %s: %w", c.base, err)
	}
	return nil
}

func (c *client) send(ctx context.Context, method, path string, header http.Header, body []byte, accept int) ([]byte, error) {
	if c.tenant != "" {
		path += "?" + url.Values{"tenant": {c.tenant}}.Encode()
	}
	backoff := firstBackoff
	for attempt := 1; ; attempt++ {
		answer, wait, err := c.once(ctx, method, path, header, body, accept)
		if err == nil || wait < 0 || !c.patient || attempt == attemptsMax {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(max(wait, backoff)):
		}
		backoff = min(2*backoff, backoffMax)
	}
}

// once sends a request. wait < 0 says that trying again is no use, else it is the least time before.
func (c *client) once(ctx context.Context, method, path string, header http.Header, body []byte, accept int) (answer []byte, wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, -1, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, -1, ctx.Err()
		}
		wait = -1
		if c.reached {
			wait = 0
		}
		return nil, wait, fmt.Errorf("cannot reach the server %s: %w", c.base, err)
	}
	c.reached = true
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return nil, 0, fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 || resp.StatusCode == accept {
		return answer, 0, nil
	}
	failure := c.failure(resp, answer)
	wait = -1
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusBadGateway:
		if failure.Code != api.CodeCorruption {
			seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
			wait = time.Duration(seconds) * time.Second
		}
	}
	return nil, wait, failure
}

// failure is the error that an answer tells of.
func (c *client) failure(resp *http.Response, answer []byte) *api.Error {
	var told api.ErrorAnswer
	if json.Unmarshal(answer, &told) != nil || told.Error.Code == "" {
		return &api.Error{Message: fmt.Sprintf("%s answered %s; is it a Cairn server?", c.base, resp.Status)}
	}
	return &told.Error
}

// open gets an answer that is too large to be held; the caller closes it.
func (c *client) open(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the server %s: %w", c.base, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		return nil, c.failure(resp, answer)
	}
	return resp.Body, nil
}
