package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"cairn/engine"
	"cairn/engine/backup"
	"cairn/server/api"
)

type backupCmd struct {
	tokenStore
	To string `help:"Where to: a new folder, or a file that ends in .tar." placeholder:"PATH" required:""`
}

func (backupCmd) Help() string {
	return `A backup holds every tenant, and all that was acknowledged before it began. From a data directory that
no server has open it is made at once; from a running server it is made there, sent, and deleted there
again. Every file is listed with its checksum.

Examples:

  cairn backup --data ./cairn-data --to ./backups/monday
  cairn backup --server http://127.0.0.1:8081 --token ck_… --to monday.tar
  cairn restore monday.tar --data ./restored`
}

func (cmd *backupCmd) Run(ctx context.Context, c *console) error {
	t := target{store: store{Data: cmd.Data}, Server: cmd.Server, Token: cmd.Token}
	if err := t.resolve(); err != nil {
		return err
	}
	if _, err := os.Stat(cmd.To); err == nil {
		return usagef("--to %s: it is there already; give a new name", cmd.To)
	}
	started := time.Now()
	var made api.Backup
	var err error
	if t.Server != "" {
		made, err = cmd.fromServer(ctx, c, &t)
	} else {
		made, err = cmd.fromDirectory(ctx, c, &t)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s: %s in %s, made in %.1f s\n", cmd.To, sizeText(made.Bytes), plural(int64(made.Files), "file"), time.Since(started).Seconds())
	return nil
}

func (cmd *backupCmd) fromDirectory(ctx context.Context, c *console, t *target) (made api.Backup, err error) {
	if err := t.mustExist(); err != nil {
		return made, err
	}
	db, err := t.openDB(engine.Options{NoBackground: true})
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	dir := cmd.To
	asTar := strings.HasSuffix(cmd.To, ".tar")
	if asTar {
		dir = filepath.Join(filepath.Dir(cmd.To), "."+filepath.Base(cmd.To)+".making")
		defer os.RemoveAll(dir)
	}
	bar := newBytesBar(c, "reading")
	defer bar.close()
	list, err := backup.Make(ctx, db, dir, time.Now(), bar.at)
	if err != nil {
		return made, err
	}
	made = api.Backup{Bytes: list.Bytes(), Files: len(list.Files)}
	if asTar {
		err = writeWhole(cmd.To, func(w io.Writer) error { return backup.WriteTar(ctx, dir, w, bar.at) })
	}
	return made, err
}

// fromServer has the server make a backup, fetches it and deletes it there.
func (cmd *backupCmd) fromServer(ctx context.Context, c *console, t *target) (api.Backup, error) {
	server := t.client()
	server.tenant = ""
	name := "cli-" + time.Now().UTC().Format("20060102-150405")
	var made api.BackupMade
	if err := server.call(ctx, http.MethodPost, "/v1/backup", api.NewBackup{Name: name}, &made); err != nil {
		return made.Backup, err
	}
	path := "/v1/backup/" + url.PathEscape(name)
	defer func() { // also after Ctrl-C
		_ = server.call(context.WithoutCancel(ctx), http.MethodDelete, path, nil, nil)
	}()
	bar := newBytesBar(c, "fetching")
	defer bar.close()
	body, err := server.open(ctx, path)
	if err != nil {
		return made.Backup, err
	}
	defer body.Close()
	if strings.HasSuffix(cmd.To, ".tar") {
		err = writeWhole(cmd.To, func(w io.Writer) error {
			_, err := io.Copy(w, &countedReader{r: body, at: func(n int64) { bar.at(n, made.Bytes) }})
			return err
		})
	} else {
		_, err = backup.Unpack(ctx, body, cmd.To, bar.at)
	}
	return made.Backup, err
}

type countedReader struct {
	r  io.Reader
	n  int64
	at func(int64)
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.n += int64(n)
	r.at(r.n)
	return n, err
}

// writeWhole makes a file appear whole or not at all.
func writeWhole(name string, write func(w io.Writer) error) error {
	f, err := os.OpenFile(name+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

type restoreCmd struct {
	From string `arg:"" help:"A backup: a folder, or a .tar file; - reads a tar file from standard input."`
	Data string `help:"The data directory to make; it must not exist, or be empty." placeholder:"DIR" required:""`
}

func (restoreCmd) Help() string {
	return `Every file is compared with its checksum while it is copied, and the directory is checked as a whole at
the end. A backup that is damaged is not restored, and the error names the file.

Examples:

  cairn restore monday.tar --data ./restored
  cairn restore ./backups/monday --data ./restored`
}

func (cmd *restoreCmd) Run(ctx context.Context, c *console) error {
	started := time.Now()
	bar := newBytesBar(c, "restoring")
	defer bar.close()
	list, err := cmd.restore(ctx, c, bar.at)
	if err != nil {
		return err
	}
	bar.close()
	s := store{Data: cmd.Data}
	db, err := s.openDB(engine.Options{NoBackground: true})
	if err != nil {
		return err
	}
	report, err := db.Check(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("%s is restored, but not in order: %w", cmd.Data, err)
	}
	fmt.Fprintf(c.out, "%s: %s of %s, as of %s; all is well (%.1f s)\n", cmd.Data, sizeText(list.Bytes()),
		plural(int64(report.Tenants), "tenant"), list.Created.Format(time.RFC3339), time.Since(started).Seconds())
	return nil
}

func (cmd *restoreCmd) restore(ctx context.Context, c *console, progress backup.Progress) (*backup.List, error) {
	if cmd.From == "-" {
		return backup.RestoreTar(ctx, c.in, cmd.Data, progress)
	}
	info, err := os.Stat(cmd.From)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return backup.Restore(ctx, cmd.From, cmd.Data, progress)
	}
	f, err := os.Open(cmd.From)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return backup.RestoreTar(ctx, f, cmd.Data, progress)
}

// bytesBar shows on a terminal how many bytes of how many are done; elsewhere it shows nothing.
type bytesBar struct {
	bar *progressbar.ProgressBar
}

func newBytesBar(c *console, doing string) *bytesBar {
	if c.errWidth() == 0 {
		return &bytesBar{}
	}
	return &bytesBar{progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(c.err), progressbar.OptionShowBytes(true), progressbar.OptionSetDescription(doing),
		progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
	)}
}

func (b *bytesBar) at(done, total int64) {
	if b.bar != nil && total > 0 {
		b.bar.ChangeMax64(total)
		_ = b.bar.Set64(done)
	}
}

func (b *bytesBar) close() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}
