package exportjobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
	"treewarden/store/jobs"
)

// File is the file of an export that is done.
type File struct {
	Name  string
	Bytes int64
	Parts int // their number; each is read with Part

	pool    *pgxpool.Pool
	export  uuid.UUID
	attempt int
}

// File returns the file of an export: ErrNotFound if there is no such export, a Conflict
// if it is not done, ErrGone if the file was removed.
func (a Access) File(ctx context.Context, id uuid.UUID) (File, error) {
	e, err := a.whole(ctx, id)
	if err != nil {
		return File{}, err
	}
	if e.Gone {
		return File{}, ErrGone
	}
	return File{Name: e.File, Bytes: *e.Bytes, Parts: int((*e.Bytes + chunkSize - 1) / chunkSize), pool: a.Pool,
		export: id, attempt: e.Attempt}, nil
}

// Part returns a part of the file, from 0 on.
func (f File) Part(ctx context.Context, n int) (part []byte, err error) {
	err = f.pool.QueryRow(ctx, "SELECT content FROM export_chunks WHERE export_id = $1 AND attempt = $2 AND part = $3",
		f.export, f.attempt, n).Scan(&part)
	if err = db.Translate(err); errors.Is(err, db.ErrNotFound) {
		err = fmt.Errorf("part %d of export %s: %w", n, f.export, ErrGone)
	}
	return part, err
}

// Manifest returns the name and the text of the manifest of an export that is done. It
// stays when the file is removed.
func (a Access) Manifest(ctx context.Context, id uuid.UUID) (name, text string, err error) {
	e, err := a.whole(ctx, id)
	if err != nil {
		return "", "", err
	}
	return e.File + ".manifest.json", *e.Text, nil
}

// Card returns the name and the text of the dataset card of an export that is done.
func (a Access) Card(ctx context.Context, id uuid.UUID) (name, text string, err error) {
	e, err := a.whole(ctx, id)
	if err != nil {
		return "", "", err
	}
	return e.File + ".README.md", string(e.Manifest.Card()), nil
}

// whole returns an export that is done.
func (a Access) whole(ctx context.Context, id uuid.UUID) (Export, error) {
	e, err := a.ByID(ctx, id)
	switch {
	case err != nil:
		return e, err
	case e.IsOpen():
		return e, Conflict("This export is not done yet. Wait until its state is done.")
	case e.State != jobs.Done || e.Bytes == nil || e.Text == nil:
		return e, Conflict("This export has no file: it was cancelled or has failed. Order it again.")
	}
	return e, nil
}
