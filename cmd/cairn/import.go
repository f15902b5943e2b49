package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"cairn/engine/ingest"
	"cairn/query/scalar"
)

type importCmd struct {
	target
	Format      string   `help:"ndjson, json, csv, tsv or auto: from the file's name or first byte." enum:"auto,ndjson,json,csv,tsv" default:"auto"`
	Time        string   `help:"Field with the time (default: time)." placeholder:"FIELD"`
	TimeFormat  string   `help:"auto, unix, unix_ms, unix_us, unix_ns, or a layout such as \"2006-01-02 15:04\" or \"%d/%m/%Y %H:%M\"." default:"auto" placeholder:"LAYOUT"`
	TimeValue   string   `help:"The time of all events, for tables that have none." placeholder:"TIME"`
	TZ          string   `name:"tz" help:"Zone of times written without one (default: UTC)." placeholder:"ZONE"`
	Event       string   `help:"Field with the event's name (default: event)." placeholder:"FIELD"`
	EventName   string   `help:"The name of all events." placeholder:"NAME"`
	User        string   `help:"Field with the user (default: user)." placeholder:"FIELD"`
	ID          string   `name:"id" help:"Field with the insert id, by which repeats are found (default: id)." placeholder:"FIELD"`
	Received    bool     `help:"Take the key received as the time of arrival, as cairn export writes it."`
	Separator   string   `help:"CSV: what separates columns (default: comma, semicolon or tab, whichever the first line has)." placeholder:"CHAR"`
	Header      []string `help:"CSV: names of the columns of a file whose first line is data." placeholder:"NAME"`
	Null        []string `help:"CSV: cells that mean no value, such as ? or NA." placeholder:"TEXT"`
	Rejects     string   `help:"Write every rejected event to FILE as NDJSON, with line, reason and raw text." placeholder:"FILE" type:"path"`
	AllowReject bool     `name:"allow-rejects" help:"Exit with 0 even if events were rejected."`
	Files       []string `arg:"" name:"file" help:"Files, also .gz and .zst; - is standard input."`
}

func (importCmd) Help() string {
	return `Cairn's own shape needs no flags; every other key is a field:

  {"time":"2025-06-01T08:00:00Z","event":"pay_success","user":"u1","id":"a1","amount":12.5}

Examples:

  cairn import --data ./cairn-data events-*.ndjson.gz
  zcat log.gz | cairn import --data ./cairn-data --time ts --time-format unix_ms --user uid -
  cairn import --data ./cairn-data --event-name purchase --time date --user customer sales.csv
  cairn import --server http://127.0.0.1:8080 --rejects bad.ndjson events.ndjson

Exit code 0: all events are stored (repeats of an id count as stored). 3: some were rejected, the
others are stored. 1: the import stopped early.`
}

// importMemoryBytes is where the garbage collector becomes eager. With what lies outside its heap an
// import then stays below 600 MB; less costs time.
const importMemoryBytes = 420 << 20

// manyEvents is from how many on an import advises to compact: until then, each command that opens the
// directory reads the newest events from the log again, which takes less than a tenth of a second.
const manyEvents = 100_000

func (cmd *importCmd) Run(ctx context.Context, c *console) (err error) {
	if err := cmd.resolve(); err != nil {
		return err
	}
	now := time.Now()
	opt, err := cmd.options(now)
	if err != nil {
		return err
	}
	inputs, err := findInputs(cmd.Files)
	if err != nil {
		return err
	}
	rejects, err := openRejects(cmd.Rejects)
	if err != nil {
		return err
	}
	defer func() {
		if closed := rejects.close(); err == nil {
			err = closed
		}
	}()
	to, err := cmd.openSink(now)
	if err != nil {
		return err
	}
	defer func() {
		if closed := to.close(); err == nil {
			err = closed
		}
	}()
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(importMemoryBytes))

	l := &load{to: to, rejects: rejects, progress: newProgress(c, totalSize(inputs))}
	if cmd.TimeValue == "" {
		l.arrived = opt.Received
	}
	err = l.files(ctx, inputs, c.in, cmd.Format, opt)
	l.progress.close()
	if flushed := rejects.close(); err == nil {
		err = flushed
	}
	l.print(c.out)
	if err != nil {
		return err
	}
	if cmd.Server == "" && l.ok >= manyEvents {
		fmt.Fprintf(c.out, "for smaller files and faster answers: %s compact --data %s\n", programName(), shellQuote(cmd.Data))
	}
	if rejects.total > 0 && !cmd.AllowReject {
		return errRejected
	}
	return nil
}

// options turns the flags into those of the scanner. Events without a time get the moment of the
// import, the same for all, or that of --time-value.
func (cmd *importCmd) options(now time.Time) (ingest.Options, error) {
	opt := ingest.Options{
		Received:      now.UnixNano(),
		AllowReceived: cmd.Received,
		TimeField:     cmd.Time,
		EventField:    cmd.Event,
		EventName:     cmd.EventName,
		UserField:     cmd.User,
		IDField:       cmd.ID,
		TimeFormat:    goLayout(cmd.TimeFormat),
		Header:        cmd.Header,
		NullValues:    cmd.Null,
		KeepRaw:       true,
		KeepPositions: true,
	}
	if cmd.TZ != "" {
		zone, err := time.LoadLocation(cmd.TZ)
		if err != nil {
			return opt, usagef("--tz %s: not a time zone; use an IANA name such as Asia/Shanghai", cmd.TZ)
		}
		opt.Location = zone
	}
	if cmd.Separator != "" {
		text := strings.ReplaceAll(cmd.Separator, `\t`, "\t")
		if len(text) != 1 {
			return opt, usagef("--separator %q: expected one character", cmd.Separator)
		}
		opt.Comma = text[0]
	}
	if cmd.TimeValue != "" {
		if cmd.Time != "" {
			return opt, usagef("--time names a field and --time-value a fixed time: give one of them")
		}
		at, err := parseTime(cmd.TimeValue, opt.Location)
		if err != nil {
			return opt, usagef("--time-value: %w", err)
		}
		opt.Received = at.UnixNano() // which events without a time get
	}
	check := opt
	if err := check.Validate(); err != nil {
		return opt, &usageError{err: err, command: "cairn import"}
	}
	return opt, nil
}

// parseTime reads a time as queries write it; without an offset it is in zone.
func parseTime(text string, zone *time.Location) (time.Time, error) {
	if zone == nil {
		zone = time.UTC
	}
	nanos, ok := scalar.ParseTime(text, zone)
	if !ok {
		return time.Time{}, fmt.Errorf("%q is not a time: expected 2025-06-01, 2025-06-01 08:00:00 or RFC 3339", text)
	}
	return time.Unix(0, nanos), nil
}

// goLayout turns a layout of strftime into one of package time; others it leaves alone. Days, months
// and hours may then have one digit or two.
func goLayout(layout string) string {
	if !strings.Contains(layout, "%") {
		return layout
	}
	return strings.NewReplacer(
		"%Y", "2006", "%y", "06", "%m", "1", "%d", "2", "%e", "_2", "%b", "Jan", "%B", "January",
		"%a", "Mon", "%A", "Monday", "%H", "15", "%I", "3", "%M", "4", "%S", "5", "%p", "PM",
		"%f", "999999999", "%z", "-0700", "%Z", "MST", "%T", "15:4:5", "%F", "2006-1-2", "%D", "1/2/06", "%R", "15:4", "%%", "%",
	).Replace(layout)
}
