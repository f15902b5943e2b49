package server

import (
	"cmp"
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"cairn/engine"
	"cairn/engine/column"
	"cairn/engine/event"
	"cairn/engine/group"
	"cairn/engine/ingest"
	"cairn/server/api"
	"cairn/server/protocol"
)

const (
	// smallBodyBytes is the size up to which bodies are stored together.
	smallBodyBytes = 8 << 10
	// groupPosts and groupBytes bound what is stored together.
	groupPosts = 256
	groupBytes = 512 << 10
)

// intake takes the bodies of events that come for a tenant. Of small ones, what comes while others are being
// written is scanned into one batch and appended as one: a single event then costs little more than one of
// many in a body.
type intake struct {
	scanners sync.Pool // of *ingest.Scanner
	small    group.Queue[*posted]
}

func newIntake(opt ingest.Options) (*intake, error) {
	if _, err := ingest.NewScanner(opt); err != nil {
		return nil, err
	}
	in := &intake{}
	in.scanners.New = func() any {
		scanner, err := ingest.NewScanner(opt)
		if err != nil {
			panic(err) // the same options have just been taken
		}
		return scanner
	}
	in.small.Take, in.small.Work = takePosted, in.storeGroup
	return in, nil
}

// takePosted takes what fits into a group.
func takePosted(waiting []*posted) int {
	n, bytes := 0, 0
	for ; n < len(waiting) && n < groupPosts; n++ {
		if bytes += len(waiting[n].body); bytes > groupBytes && n > 0 {
			break
		}
	}
	return n
}

// posted is a body of POST /v1/events on its way.
type posted struct {
	request     *request
	tenant      *tenant
	body        []byte
	batchID     []byte
	sent        string // the client's clock; "": it is not told
	hashIDs     bool
	allVerdicts bool

	scanned  *ingest.Result
	from, to int // its rows in the batch
	turn     group.Turn

	answer api.EventsAnswer
	err    error
	text   []byte // memory for the answer
}

var postedPool = sync.Pool{New: func() any { return &posted{turn: group.NewTurn()} }}

// release gives the post back, without what it points to.
func (p *posted) release() {
	*p = posted{turn: p.turn, text: p.text}
	postedPool.Put(p)
}

// batches are small ones whose events are stored: the next are scanned into their memory.
var batches sync.Pool

// store stores a body and leaves what became of it in the post.
func (in *intake) store(p *posted) {
	if len(p.body) > smallBodyBytes || p.sent != "" {
		in.storeGroup([]*posted{p})
		return
	}
	in.small.Do(p, p.turn)
}

// storeGroup scans and appends the bodies of a group, which are all of one tenant.
func (in *intake) storeGroup(posts []*posted) {
	t, s := posts[0].tenant, posts[0].request.s
	defer func() {
		// A panic is the one request's that it is about, but which that is is not known.
		if p := recover(); p != nil {
			s.metrics.panics.Add(1)
			s.opt.Logger.Error("panic while events were stored", "request", posts[0].request.id, "tenant", t.name, "panic", p, "stack", string(debug.Stack()))
			for _, one := range posts {
				one.err = &api.Error{Code: api.CodeInternal, Message: "an internal error; the server's log has more"}
			}
		}
	}()
	now := s.opt.Now()
	batch := in.scan(posts, now)
	if batch.Rows == 0 && failed(posts) {
		return
	}
	if sent := posts[0].sent; sent != "" && posts[0].err == nil {
		if err := correctSkew(batch, sent, now); err != nil {
			posts[0].err = err
			return
		}
	}
	giveIDs(batch, posts)
	// A client that hangs up does not take its events back: the context is not the request's.
	stored, err := t.AppendBatch(context.Background(), batch, engine.AppendOptions{})
	if err != nil {
		for _, p := range posts {
			p.err = cmp.Or(p.err, err)
		}
		return
	}
	s.metrics.events(t.name, ownProtocol, protocol.OK, "", stored.Stored)
	s.metrics.events(t.name, ownProtocol, protocol.Duplicate, "", stored.Duplicates)
	verdicts := stored.Verdicts
	for _, p := range posts {
		if p.err != nil {
			continue
		}
		n := 0
		for n < len(verdicts) && verdicts[n].Index < p.to {
			n++
		}
		p.conclude(batch, verdicts[:n], stored.Sequence)
		p.keepRejects(batch, verdicts[:n], now)
		verdicts = verdicts[n:]
	}
	if batch.Rows < engine.SmallRows { // else the store has it
		batches.Put(batch)
	}
}

func failed(posts []*posted) bool {
	return !slices.ContainsFunc(posts, func(p *posted) bool { return p.err == nil })
}

// scan turns the bodies into one batch, without those that are refused. The scanner copies what it takes.
func (in *intake) scan(posts []*posted, now time.Time) *column.Batch {
	if len(posts) == 1 && len(posts[0].body) > smallBodyBytes {
		defer posts[0].request.s.slot()()
	}
	scanner := in.scanners.Get().(*ingest.Scanner)
	latest := now.Add(futureMax).UnixNano()
	if posts[0].sent != "" { // the clock is off: which times lie in the future is not known yet
		latest = 0
	}
	scanner.SetReceived(now.UnixNano(), latest)
	if done, ok := batches.Get().(*column.Batch); ok {
		scanner.Reuse(done)
	}
	size := 0
	for _, p := range posts {
		size += len(p.body)
	}
	scanner.StartBatch(size)
	refused := false
	for _, p := range posts {
		p.from = scanner.Rows()
		p.scan(scanner)
		p.to = scanner.Rows()
		refused = refused || p.err != nil && p.to > p.from
	}
	batch := scanner.EndBatch()
	in.scanners.Put(scanner) // not after a panic, which leaves it in the middle of a batch
	if refused {
		batch = withoutRefused(batch, posts)
	}
	return batch
}

func (p *posted) scan(scanner *ingest.Scanner) {
	if p.scanned, p.err = scanner.Scan(p.body); p.err != nil {
		var syntax *ingest.SyntaxError
		switch {
		case errors.Is(p.err, ingest.ErrEmpty):
			p.err = &api.Error{Code: api.CodeEmptyBatch, Message: "the body has no events"}
		case errors.As(p.err, &syntax):
			p.err = &api.Error{Code: api.CodeBadJSON, Message: syntax.Error() + "; nothing was stored", Line: syntax.Line}
		default:
			p.err = &api.Error{Code: api.CodeBadJSON, Message: p.err.Error() + "; nothing was stored"}
		}
		return
	}
	if limit := p.tenant.limits().Events; int64(p.scanned.Events) > limit {
		p.err = tooManyEvents(p.scanned.Events, limit)
		return
	}
	p.err = p.request.admit(p.tenant, p.scanned.Events)
}

// withoutRefused leaves out the rows of bodies that are refused whole.
func withoutRefused(batch *column.Batch, posts []*posted) *column.Batch {
	var rows []uint32
	for _, p := range posts {
		from := len(rows)
		if p.err == nil {
			for row := p.from; row < p.to; row++ {
				rows = append(rows, uint32(row))
			}
		}
		p.from, p.to = from, len(rows)
	}
	return batch.Select(rows)
}

// giveIDs gives insert ids to the events of bodies that ask for it.
func giveIDs(batch *column.Batch, posts []*posted) {
	if !slices.ContainsFunc(posts, func(p *posted) bool { return len(p.batchID) > 0 || p.hashIDs }) {
		return
	}
	var events []event.Event // if some are to be hashed
	at := 0
	fillIDs(batch, func(text []byte, row int) []byte {
		for row >= posts[at].to {
			at++
		}
		switch p := posts[at]; {
		case len(p.batchID) > 0:
			text = append(append(text, p.batchID...), '/')
			return strconv.AppendInt(text, int64(p.scanned.Index(row-p.from)), 10)
		case p.hashIDs:
			if events == nil {
				events = batch.Events()
			}
			return append(text, contentID(&events[row])...)
		}
		return text
	})
}
