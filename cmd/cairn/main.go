// Command cairn loads events, asks questions of them and serves both over HTTP.
//
//	cairn demo                                            a sample, seven questions, where to go on
//	cairn import --data DIR events.ndjson.gz              files to events
//	cairn query  --data DIR 'pay_success last 7d | stats count() by bin(1d)'
//	cairn serve  --data DIR                               the same over HTTP
//
// One file holds one command with its flags, help and work. target.go says which store a command
// works on, fail.go how errors become messages and exit codes.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"cairn/query/result"
)

type cli struct {
	Import  importCmd  `cmd:"" help:"Load events from files or standard input."`
	Query   queryCmd   `cmd:"" help:"Answer a question."`
	Explain explainCmd `cmd:"" help:"Show what a query would read, without running it."`
	Stats   statsCmd   `cmd:"" help:"Show tenants, days, segments, rows and bytes."`
	Check   checkCmd   `cmd:"" help:"Verify every checksum, and every index against its columns."`
	Compact compactCmd `cmd:"" help:"Seal and merge all that can be, now."`
	Export  exportCmd  `cmd:"" help:"Write stored events as NDJSON, lossless."`
	Tenant  tenantCmd  `cmd:"" help:"List or drop tenants."`
	Backup  backupCmd  `cmd:"" help:"Copy a data directory, or that of a running server, with checksums."`
	Restore restoreCmd `cmd:"" help:"Make a data directory of a backup."`
	Token   tokenCmd   `cmd:"" help:"Make, list or revoke tokens."`
	Serve   serveCmd   `cmd:"" help:"Take events and answer queries over HTTP."`
	Demo    demoCmd    `cmd:"" help:"Load a sample and answer seven questions about it."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// console is where a command reads and writes; tests replace it.
type console struct {
	in       io.Reader
	out, err io.Writer
}

// screen is what a table written to out has to fit: the terminal that it is, or nothing.
func (c *console) screen() result.TextOptions {
	width := terminalWidth(c.out)
	return result.TextOptions{Width: width, Colour: width > 0 && coloursWanted()}
}

// coloursWanted follows https://no-color.org and leaves terminals alone that know no colours.
func coloursWanted() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// errWidth is the width of the terminal that err is, or 0.
func (c *console) errWidth() int { return terminalWidth(c.err) }

func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one ends the process at once, should the orderly end hang.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], &console{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run parses the arguments, runs the command and returns the exit code.
func run(ctx context.Context, args []string, c *console) int {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	exited := -1
	parser, err := newParser(c, func(code int) { exited = code })
	if err != nil {
		fmt.Fprintln(c.err, "cairn:", err)
		return exitFailure
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // --help has been printed
		return exited
	}
	if err != nil {
		return report(c, &usageError{err: err, command: commandOf(err)})
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return report(c, parsed.Run(c))
}

func newParser(c *console, exit func(int)) (*kong.Kong, error) {
	return kong.New(&cli{},
		kong.Name("cairn"),
		kong.Description("Events in, answers out. Begin with: cairn demo"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100, FlagsLast: true}),
		kong.Writers(c.out, c.err),
		kong.Exit(exit),
	)
}
