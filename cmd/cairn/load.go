package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"cairn/engine/ingest"
)

// load brings files into a sink and counts what becomes of their events.
type load struct {
	to       sink
	rejects  *rejects
	progress *progress

	// arrived is the time that events without one get, when that may be a mistake; else 0.
	arrived int64

	ok, duplicate int
	untimed       int // events that had no time
	textBytes     int64
	elapsed       time.Duration
}

// files loads the inputs one after another, each parsed in parallel and stored in its own order.
func (l *load) files(ctx context.Context, inputs []*input, stdin io.Reader, format string, opt ingest.Options) error {
	start := time.Now()
	defer func() { l.elapsed = time.Since(start) }()
	for _, in := range inputs {
		if err := l.file(ctx, in, stdin, format, opt); err != nil {
			// What came before is counted as stored: see to it that it is.
			return errors.Join(err, l.to.finish(context.WithoutCancel(ctx)))
		}
	}
	return l.to.finish(ctx)
}

func (l *load) file(ctx context.Context, in *input, stdin io.Reader, format string, opt ingest.Options) error {
	if err := in.open(ctx, stdin); err != nil {
		return err
	}
	defer in.close()
	if format == formatAuto {
		var err error
		if format, err = in.format(); err != nil {
			return err
		}
	}
	opt.Format = ingest.Format(format)
	lines := 0
	err := ingest.Stream(ctx, in.body, opt, 0, func(r *ingest.Result) error {
		if err := l.result(ctx, in, r); err != nil {
			return err
		}
		lines += r.Lines
		l.textBytes += r.Bytes
		l.progress.at(in.before+in.read.Load(), int64(l.ok+l.duplicate+l.rejects.total))
		return nil
	})
	var syntax *ingest.SyntaxError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, ingest.ErrEmpty):
		return nil
	case errors.Is(err, ingest.ErrHeader):
		return fmt.Errorf("%s: %w\n--time, --event or --event-name, --user and --id say which columns are which; --header names them", in.label(), err)
	case errors.As(err, &syntax):
		return fmt.Errorf("%s %w", in.label(), err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s is cut short after line %s (%w); the events before are stored", in.label(), thousands(int64(lines)), err)
	case lines == 0:
		return fmt.Errorf("%s: %w", in.label(), err)
	default:
		return fmt.Errorf("%s, after line %s: %w", in.label(), thousands(int64(lines)), err)
	}
}

// result stores one batch and notes the rejected events of scanner and store in the order of lines.
func (l *load) result(ctx context.Context, in *input, r *ingest.Result) error {
	scanned := r.Rejects
	flush := func(line int) error {
		for len(scanned) > 0 && scanned[0].Line < line {
			one := scanned[0]
			scanned = scanned[1:]
			entry := reject{File: in.label(), Line: one.Line, Reason: one.Reason, Field: one.Field, Message: one.Message}
			if err := l.rejects.add(entry, one.Raw); err != nil {
				return err
			}
		}
		return nil
	}
	if r.Batch != nil && r.Batch.Rows > 0 {
		if l.arrived != 0 {
			for _, at := range r.Batch.Time {
				if at == l.arrived {
					l.untimed++
				}
			}
		}
		ok, duplicate, err := l.to.write(ctx, r, func(row int, reason, field, message string) error {
			line, _, _ := r.Position(row)
			if err := flush(line); err != nil {
				return err
			}
			entry := reject{File: in.label(), Line: line, Reason: reason, Field: field, Message: message}
			return l.rejects.add(entry, rowJSON(r.Batch, row))
		})
		l.ok += ok
		l.duplicate += duplicate
		if err != nil {
			return err
		}
	}
	const all = int(^uint(0) >> 1)
	return flush(all)
}

// print says what became of the events.
func (l *load) print(w io.Writer) {
	seconds := l.elapsed.Seconds()
	total := int64(l.ok + l.duplicate + l.rejects.total)
	fmt.Fprintf(w, "%s in %.1f s", plural(total, "event"), seconds)
	if seconds > 0.05 && total > 0 {
		fmt.Fprintf(w, " (%s/s, %s/s)", thousands(int64(float64(total)/seconds)), sizeText(int64(float64(l.textBytes)/seconds)))
	}
	fmt.Fprintf(w, ": %s ok, %s duplicate, %s rejected\n",
		thousands(int64(l.ok)), thousands(int64(l.duplicate)), thousands(int64(l.rejects.total)))
	l.rejects.print(w)
	if l.untimed > 0 {
		fmt.Fprintf(w, "note: %s had no time and got that of the import; --time FIELD says where it is\n", plural(int64(l.untimed), "event"))
	}
	if l.ok+l.duplicate > 0 {
		return
	}
	switch l.rejects.total {
	case 0:
	case l.rejects.byReason[ingest.BadEvent]:
		fmt.Fprintln(w, "hint: --event FIELD says where the event's name is, --event-name NAME gives all the same")
	case l.rejects.byReason[ingest.BadTime]:
		fmt.Fprintln(w, "hint: --time FIELD says where the time is, --time-format how it is written")
	}
}
