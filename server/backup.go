package server

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cairn/engine/backup"
	"cairn/server/api"
)

// backupName is what a backup may be called: it is the name of a folder.
var backupName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// backups makes one backup at a time.
type backups struct{ sync.Mutex }

// backupDir returns the folder of a backup.
func (s *Server) backupDir(name string) (string, error) {
	if s.opt.BackupDir == "" {
		return "", &api.Error{Code: api.CodeNotFound, Message: "the server has no folder for backups", Hint: "start it with --backup-dir"}
	}
	if !backupName.MatchString(name) {
		return "", badParameter("name", name, "letters, digits, dots, dashes and underscores, 100 at most")
	}
	return filepath.Join(s.opt.BackupDir, name), nil
}

// postBackup makes a backup of all tenants.
func postBackup(r *request) error {
	var want api.NewBackup
	if err := r.decode(&want); err != nil {
		return err
	}
	dir, err := r.s.backupDir(want.Name)
	if err != nil {
		return err
	}
	r.s.backups.Lock()
	defer r.s.backups.Unlock()
	if _, err := os.Stat(dir); err == nil {
		return &api.Error{Code: api.CodeExists, Message: "there is a backup called " + want.Name}
	}
	if err := os.MkdirAll(r.s.opt.BackupDir, 0o700); err != nil {
		return err
	}
	started := time.Now()
	list, err := backup.Make(r.s.running, r.s.db, dir, r.s.opt.Now(), nil)
	if err != nil {
		return err
	}
	r.s.opt.Logger.Info("backup made", "request", r.id, "name", want.Name, "bytes", list.Bytes(), "duration", time.Since(started), "by", r.who())
	return r.json(201, api.BackupMade{Backup: describeBackup(want.Name, list), Seconds: time.Since(started).Seconds()})
}

func describeBackup(name string, list *backup.List) api.Backup {
	return api.Backup{Name: name, Created: list.Created, Bytes: list.Bytes(), Files: len(list.Files), Snapshot: watermark(list.Sequence)}
}

// listBackups lists the whole backups; one that is being made has no list of files yet.
func listBackups(r *request) error {
	if _, err := r.s.backupDir("any"); err != nil {
		return err
	}
	entries, err := os.ReadDir(r.s.opt.BackupDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	answer := api.BackupsAnswer{Backups: []api.Backup{}}
	for _, e := range entries {
		if list, err := backup.Read(filepath.Join(r.s.opt.BackupDir, e.Name())); err == nil && e.IsDir() {
			answer.Backups = append(answer.Backups, describeBackup(e.Name(), list))
		}
	}
	slices.SortFunc(answer.Backups, func(a, b api.Backup) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return r.json(200, answer)
}

// findBackup returns the folder and the list of the backup that the path names.
func (r *request) findBackup() (string, *backup.List, error) {
	dir, err := r.s.backupDir(r.params[0])
	if err != nil {
		return "", nil, err
	}
	list, err := backup.Read(dir)
	if err != nil {
		if _, stat := os.Stat(dir); errors.Is(stat, fs.ErrNotExist) {
			return "", nil, &api.Error{Code: api.CodeNotFound, Message: "there is no backup called " + r.params[0]}
		}
	}
	return dir, list, err
}

// getBackup streams a backup as a tar file.
func getBackup(r *request) error {
	dir, _, err := r.findBackup()
	if err != nil {
		return err
	}
	r.SetContentType("application/x-tar")
	r.Response.Header.Set("Content-Disposition", `attachment; filename="`+r.params[0]+`.tar"`)
	ctx, log, id := r.s.running, r.s.opt.Logger, r.id
	r.stream(func(w *bufio.Writer) error {
		if err := backup.WriteTar(ctx, dir, w, nil); err != nil {
			log.Warn("a backup was not sent whole", "request", id, "error", err)
			return err
		}
		return nil
	})
	return nil
}

func deleteBackup(r *request) error {
	// One that was cut short has no list, and may be removed all the same.
	dir, err := r.s.backupDir(r.params[0])
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return &api.Error{Code: api.CodeNotFound, Message: "there is no backup called " + r.params[0]}
	}
	r.s.backups.Lock()
	defer r.s.backups.Unlock()
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	r.s.opt.Logger.Info("backup deleted", "request", r.id, "name", r.params[0], "by", r.who())
	return r.none(204)
}
